"""The errors and warnings that users see.

Each message says which file, row or setting, what was found, what was expected, and what to do. The stages raise these;
the command line prints them without a traceback, and Dagster shows them as the run's failure.
"""


class SocError(Exception):
    """Something the user can mend; the base of all errors below."""


class StorageError(SocError):
    """A folder cannot be written: its disk is full or read-only, or permission is missing."""


class TableError(SocError):
    """A table that this package wrote is missing, damaged, or of another moment than those beside it."""


class SettingsError(SocError):
    """soc.toml or a SOC_* variable is wrong."""


class RasterError(SocError):
    """A raster, or the folder of rasters, cannot be used."""


class SoilError(SocError):
    """A soil file, or the folder of soil files, cannot be used."""


class SamplingError(SocError):
    """The samples cannot be split, balanced or cut into batches."""


class CheckpointError(SocError):
    """A model checkpoint is missing, unsafe or does not fit the architecture."""


class EmbeddingError(SocError):
    """One or more batches could not be embedded."""


class FeaturesError(SocError):
    """Features or embeddings cannot be read, exported or imported."""


class DatabaseError(SocError):
    """data/soc.duckdb is damaged; it is derived from the batches and can be built anew."""


class TrainingError(SocError):
    """The regression cannot be fitted."""


class SocWarning(UserWarning):
    """Something worth a look that does not stop the work."""
