"""The errors and warnings that users see.

Each message says which file, row or setting, what was found, what was expected, and what to do. The stages raise these;
the command line prints them without a traceback, and Dagster shows them as the run's failure.

    SocError
      SettingsError
      InputError
        RasterError
        SoilError
          LimitError
          UnitNotStatedError
        CheckpointError
      StateError
        TableError
        DatabaseError
      StepError
        SamplingError
        EmbeddingError
        FeaturesError
        TrainingError
        MapError
      StorageError
        ConflictError
    SocWarning

Examples:
    >>> from soc_assets.errors import InputError, RasterError
    >>> try:
    ...     raise RasterError("rasters/LAI_2015.tif has no CRS. Set it with `rio edit-info --crs EPSG:25832`.")
    ... except InputError as error:  # whatever users provide: rasters, soil tables, checkpoints
    ...     print(type(error).__name__)
    RasterError
"""


class SocError(Exception):
    """Something the user can fix; the base of all errors below."""


class SettingsError(SocError):
    """soc.toml or a SOC_* variable is wrong."""


class InputError(SocError):
    """A file that users provide cannot be used."""


class RasterError(InputError):
    """A raster, or the folder of rasters, cannot be used."""


class SoilError(InputError):
    """A soil file, or the folder of soil files, cannot be used."""


class LimitError(SoilError):
    """A soil file holds more than a limit of [soil] allows."""


class UnitNotStatedError(SoilError):
    """Nothing says the unit of a column whose name alone does not mean one."""


class CheckpointError(InputError):
    """A model checkpoint is missing, unsafe or does not fit the architecture."""


class StateError(SocError):
    """A file that the platform itself wrote is missing or damaged, or contradicts the others."""


class TableError(StateError):
    """A table that this package wrote is missing, damaged, or out of step with those written with it."""


class DatabaseError(StateError):
    """data/soc.duckdb is damaged; it is derived from the batches and can be rebuilt."""


class StepError(SocError):
    """A step cannot be carried out with the data available."""


class SamplingError(StepError):
    """The samples cannot be split, balanced or cut into batches."""


class EmbeddingError(StepError):
    """One or more batches could not be embedded."""


class FeaturesError(StepError):
    """Features or embeddings cannot be read, exported or imported."""


class TrainingError(StepError):
    """The regression cannot be fitted."""


class MapError(StepError):
    """A map cannot be made of this model, period or place."""


class StorageError(SocError):
    """A file cannot be read or written: disk full or read-only, permission missing, or storage does not answer."""


class ConflictError(StorageError):
    """Another host has written a file on object storage since this one read what it writes from."""


class SocWarning(UserWarning):
    """Something worth checking that does not stop the work."""


def kinds(error: type[SocError] = SocError) -> set[str]:
    """Names of an error's class and of all below it: where only the name is known, as in another process."""
    return {error.__name__}.union(*map(kinds, error.__subclasses__()))
