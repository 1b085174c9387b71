"""Everything that the batches of one spec are made from, loaded once: spec, rasters, samples, ledger."""

import warnings
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd

from soc_assets.embedding.batch import Batch, describe, state
from soc_assets.embedding.encoder.encoder import settle_precision
from soc_assets.embedding.listing import Listing
from soc_assets.embedding.spec import Spec, find_spec, freeze
from soc_assets.embedding.spec_choices import choices_of, with_group_size
from soc_assets.errors import CheckpointError, EmbeddingError, SamplingError, SocWarning, TableError
from soc_assets.integrity.tables import read_ledger, require_once
from soc_assets.project import Project
from soc_assets.rasters.catalog import read_table
from soc_assets.rasters.index import RasterIndex
from soc_assets.storage import files


@dataclass(frozen=True)
class EmbeddingInputs:
    """Inputs of all batches.

    Attributes:
        spec: the frozen spec.
        folder: of the spec.
        raster_index: rasters by band and step.
        samples: every sample of the ledger that still exists, with location_id and batch.
        keys: of all batches, in order.
    """

    spec: Spec
    folder: Path
    raster_index: RasterIndex
    samples: pd.DataFrame
    keys: list[str]
    _rows: dict[str, pd.DataFrame] = field(repr=False)

    def batch(self, key: str) -> Batch:
        """One batch with its digests.

        Raises:
            EmbeddingError: there is no such batch.
        """
        if key not in self._rows and key not in self.keys:
            raise EmbeddingError(f"There is no batch {key!r}: materialise balanced_samples, then pick one it lists.")
        return describe(key, self.samples_of(key), self.spec, self.raster_index)

    def path(self, key: str) -> Path:
        """The file of a batch, whether it is there or not."""
        return self.folder / f"{key}_size_{self.rows(key)}.parquet"

    def rows(self, key: str) -> int:
        """Samples of a batch."""
        return len(self._rows.get(key, ()))

    def samples_of(self, key: str) -> pd.DataFrame:
        """The rows of a batch."""
        return self._rows.get(key, self.samples.iloc[:0])

    def states(self) -> dict[str, str]:
        """Per batch: missing, stale, relabel or fresh."""
        listing = Listing(self.folder)
        return {key: state(self.batch(key), self.folder, listing) for key in self.keys}


def read_inputs(project: Project, spec: Spec | None = None) -> EmbeddingInputs:
    """Read the inputs; nothing is measured or written.

    Args:
        project: settings and paths.
        spec: from `freeze_spec`; by default that of the settings, if it was ever used.

    Raises:
        EmbeddingError: an earlier asset has not been materialised, or there is no spec of the settings yet.
        TableError: one of its tables is damaged, or not every studied sample is there and in one batch.
        SamplingError: the ledger of batches and its copy are lost.
    """
    _require(project.catalog, "raster_catalog")
    _require(project.samples("samples"), "soil_samples")
    _require(project.samples("balanced"), "balanced_samples")
    spec = spec or find_spec(project.embeddings, choices_of(project.settings, project.checkpoint))
    if spec is None:
        raise EmbeddingError("There is no embedding spec of the present settings yet: materialise embeddings first.")
    ledger, samples = read_ledger(project), files.read_table(project.samples("samples"))
    assert ledger is not None
    balanced = files.read_table(project.samples("balanced"), ["sample_id", "location_id"])
    require_once(samples, ledger, balanced, project)
    samples = ledger.merge(samples, on="sample_id").merge(balanced, on="sample_id", how="left")
    keys = sorted(ledger["batch"].unique())
    rows = {str(key): part.reset_index(drop=True) for key, part in samples.groupby("batch")}
    catalog = read_table(project.catalog, project)
    raster_index = RasterIndex.of_catalog(catalog, spec.bands, spec.choices["reference"], spec.grid)
    return EmbeddingInputs(spec, project.embeddings / spec.digest, raster_index, samples, keys, rows)


def freeze_spec(project: Project, refit: bool = False) -> Spec:
    """Decide the spec of the settings and write it: the one in use, or a new one with today's raster statistics.

    Args:
        project: settings and paths.
        refit: always a new one.

    Raises:
        EmbeddingError: the rasters are not catalogued.
        CheckpointError: the checkpoint is not there, or does not fit the model.
        SettingsError: the device, on which the precision `auto` is measured, is not there.
    """
    _require(project.catalog, "raster_catalog")
    choices, catalog = choices_of(project.settings, project.checkpoint), read_table(project.catalog, project)
    settle = partial(settle_precision, checkpoint=project.checkpoint, device=project.settings.embedding.device)
    complete = partial(with_group_size, checkpoint=project.checkpoint)
    return freeze(project.embeddings, choices, catalog, refit, settle, complete)


def _require(path: Path, asset: str) -> None:
    if not path.is_file():
        raise EmbeddingError(f"{path} does not exist: materialise {asset} first (`soc run` does all in order).")


def known_embeddings(project: Project) -> EmbeddingInputs | None:
    """The embeddings' inputs, or None where there are none yet, a table is damaged or the checkpoint is not there."""
    try:
        return read_inputs(project)
    except (TableError, SamplingError) as error:
        warnings.warn(str(error), SocWarning, stacklevel=2)
        return None
    except (CheckpointError, EmbeddingError):
        return None
