"""Everything that the batches of one spec are made from, loaded once: spec, rasters, samples, ledger."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import pandas as pd

from soc_assets.embedding.batch import Batch, compare, describe
from soc_assets.embedding.batch_rows import BatchRows
from soc_assets.embedding.digests import Digests, digests_of_batches
from soc_assets.embedding.encoder.encoder import settle_precision
from soc_assets.embedding.footers import Footer, read_footers
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
        batch_rows: the samples by batch.
        kept: file of what the footers of the batches say (`soc_assets.embedding.footers`), which may be deleted.
    """

    spec: Spec
    folder: Path
    raster_index: RasterIndex
    samples: pd.DataFrame
    keys: list[str]
    batch_rows: BatchRows = field(repr=False)
    kept: Path | None = None

    def batch(self, key: str) -> Batch:
        """One batch with its digests.

        Raises:
            EmbeddingError: there is no such batch.
        """
        self._require(key)
        return describe(key, self.samples_of(key), self.spec, self.raster_index)

    def digests_of(self, keys: Sequence[str]) -> dict[str, Digests]:
        """The digests of some batches, as those of `batch`, found together.

        Raises:
            EmbeddingError: there is no such batch.
        """
        for key in keys:
            self._require(key)
        return digests_of_batches(keys, self.batch_rows, self.spec, self.raster_index)

    @cached_property
    def digests(self) -> dict[str, Digests]:
        """The digests of all batches."""
        return self.digests_of(self.keys)

    def _require(self, key: str) -> None:
        if key not in self.batch_rows and key not in self._known_keys:
            raise EmbeddingError(f"There is no batch {key!r}: materialise balanced_samples, then pick one it lists.")

    @cached_property
    def _known_keys(self) -> set[str]:
        return set(self.keys)

    def path(self, key: str) -> Path:
        """The file of a batch, whether it is there or not."""
        return self.folder / f"{key}_size_{self.rows(key)}.parquet"

    @property
    def paths(self) -> list[Path]:
        """The files of all batches, there or not."""
        return [self.path(key) for key in self.keys]

    def rows(self, key: str) -> int:
        """Samples of a batch."""
        return self.batch_rows.count(key)

    def samples_of(self, key: str) -> pd.DataFrame:
        """The rows of a batch."""
        return self.batch_rows.of(key)

    def footers(self) -> dict[str, Footer]:
        """What the files in the folder say, by name; only of those changed since they were last asked one is read."""
        return read_footers(self.folder, self.kept)

    def states(self, footers: Mapping[str, Footer] | None = None) -> dict[str, str]:
        """Per batch: missing, stale, relabel or fresh; by `footers` where they were read already."""
        return self.states_of(self.digests, footers)

    def states_of(self, digests: Mapping[str, Digests], footers: Mapping[str, Footer] | None = None) -> dict[str, str]:
        """The states of some batches, from their digests; `footers` as for `states`."""
        known, listing = self.footers() if footers is None else footers, Listing(self.folder)
        return {key: self._state(key, each, known, listing) for key, each in digests.items()}

    def _state(self, key: str, digests: Digests, footers: Mapping[str, Footer], listing: Listing) -> str:
        found = footers.get(self.path(key).name)
        if found is None or not (stored := found.facts(self.rows(key))):
            return "stale" if listing.files(key) else "missing"
        return compare(stored, digests.inputs, digests.labels)


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
    catalog = read_table(project.catalog, project)
    raster_index = RasterIndex.of_catalog(catalog, spec.bands, spec.choices["reference"], spec.grid)
    kept = project.known / f"footers_{spec.digest}.parquet"
    return EmbeddingInputs(
        spec, project.embeddings / spec.digest, raster_index, samples, keys, BatchRows(samples), kept
    )


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
