"""What is exported: rows of samples with their numbers, a row group at a time, and what the numbers' axes mean."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from soc_assets.errors import FeaturesError
from soc_assets.features import refresh
from soc_assets.features.images import batch_paths, read_images
from soc_assets.features.matrix import require_all
from soc_assets.features.points import read_raw_points
from soc_assets.features.selection import Selection, select
from soc_assets.features.sql.views import Contents
from soc_assets.project import Project
from soc_assets.rasters.steps import Slot
from soc_assets.runtime import interrupts
from soc_assets.storage.access import source

IDENTITY = (
    *("sample_id", "longitude", "latitude", "organic_carbon", "location_id"),
    *("year", "season", "source", "batch"),
)

_RAW = "values of the rasters at the sample's pixel of the reference grid, in their own units, after scale and offset"


@dataclass(frozen=True)
class RowBlock:
    """Some samples [m] and their numbers [m, ...] float32; NaN where an image is missing."""

    samples: pd.DataFrame
    values: np.ndarray


class Source(ABC):
    """Samples with numbers.

    Attributes:
        n: samples.
        shape: of the numbers of one sample.
        axes: names of these dimensions.
        labels: small arrays that label positions, by the name of the axis that each belongs to.
        metadata: where it comes from.
        vector: numbers of one vector, which share a scale as int8; None where the numbers are not embeddings alone.
    """

    n: int
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    labels: dict[str, tuple[str, np.ndarray]]
    metadata: dict[str, str]
    vector: int | None = None

    @abstractmethod
    def row_blocks(self) -> Iterator[RowBlock]:
        """All samples, in the order of the batches."""


class WideSource(Source):
    """Samples with a row of numbers each.

    Attributes:
        names: of the numbers.
    """

    names: list[str]


class FeatureSource(WideSource):
    """The flattened vectors of the view `features`: studied samples, with their split."""

    def __init__(self, selection: Selection) -> None:
        self._selection, columns = selection, selection.columns
        self.names = selection.names
        if tuple(selection.contents.features.include) == ("embedding",):
            self.vector = selection.contents.spec.shape[1]
        self.n, self.shape, self.axes = len(selection.samples), (len(columns),), ("feature",)
        lag = columns["lag"].astype("float64").fillna(-1).astype(np.int32).to_numpy()
        self.labels = {
            "feature_name": ("feature", np.array(self.names)),
            "band": ("feature", columns["band"].to_numpy(str)),
            "lag": ("feature", lag),
        }
        self.metadata = _metadata(selection.contents)

    def row_blocks(self) -> Iterator[RowBlock]:
        """All samples, in the order of the batches."""
        for rows, values in self._selection.row_blocks():
            yield RowBlock(self._selection.samples.iloc[rows].reset_index(drop=True), values)


class PointSource(WideSource):
    """Values of every band and lag at the pixel of each studied sample, in the unit of the rasters."""

    def __init__(self, selection: Selection, bands: Sequence[str] | None) -> None:
        self._selection, spec = selection, selection.contents.spec
        if "imported" in spec.choices["weights"]:
            raise FeaturesError("An imported run has no values of the rasters, only embeddings: --stage embeddings.")
        every = spec.band_slots
        _require_bands(bands, [slot.name for slot in every])
        self._slots = [n for n, slot in enumerate(every) if bands is None or slot.name in bands]
        chosen = [every[n] for n in self._slots]
        self.names = [slot.name if slot.lag is None else f"{slot.name} lag {slot.lag}" for slot in chosen]
        self.n, self.shape, self.axes = len(selection.samples), (len(chosen),), ("value",)
        self.labels = {
            "value_name": ("value", np.array(self.names)),
            "band": ("value", np.array([slot.name for slot in chosen])),
            "lag": ("value", _lags(chosen)),
        }
        self.metadata = {"soc.spec": spec.digest, "soc.values": _RAW}

    def row_blocks(self) -> Iterator[RowBlock]:
        """All samples, in the order of the batches.

        Raises:
            FeaturesError: not every sample was there; raised at the end.
        """
        contents, samples, found = self._selection.contents, self._selection.samples, 0
        positions = pd.Index(samples["sample_id"] + "\n" + samples["batch"])
        for path in batch_paths(contents.folder):
            for table, values in read_raw_points(path, contents.spec, ["sample_id", "batch"]):
                ids, batches = (np.asarray(table[name], object) for name in ("sample_id", "batch"))
                rows = positions.get_indexer(pd.Index(ids + "\n" + batches))
                known = rows >= 0
                found += int(known.sum())
                if known.any():
                    block = samples.iloc[rows[known]].reset_index(drop=True)
                    yield RowBlock(block, np.ascontiguousarray(values[known][:, self._slots]))
        require_all(found, self.n, contents.folder)


class ImageSource(Source):
    """The images of every embedded sample, studied or not: slots (band and lag) x tokens x width."""

    def __init__(self, contents: Contents, bands: Sequence[str] | None) -> None:
        self._contents, spec = contents, contents.spec
        self.paths = batch_paths(contents.folder)
        self._slots = [n for n, slot in enumerate(spec.slots) if bands is None or slot.name in bands]
        _require_bands(bands, [slot.name for slot in spec.slots])
        self.n = sum(pq.read_metadata(source(path)).num_rows for path in self.paths)
        if not self.n:
            raise FeaturesError(f"{contents.folder} holds no batch: `soc run --to embeddings` makes them.")
        chosen = [spec.slots[n] for n in self._slots]
        self.shape, self.axes = (len(chosen), *spec.shape), ("slot", "token", "dimension")
        self.vector = spec.shape[1]
        self.labels = {
            "band": ("slot", np.array([slot.name for slot in chosen])),
            "lag": ("slot", _lags(chosen)),
        }
        self.metadata = _metadata(contents)

    def row_blocks(self) -> Iterator[RowBlock]:
        """All samples, in the order of the batches.

        Raises:
            FeaturesError: there are not as many as at the start; raised at the end.
        """
        found = 0
        for path in self.paths:
            interrupts.check()
            for images in read_images(path, self._contents.spec, IDENTITY, self._slots):
                images.vectors[images.missing] = np.nan
                found += len(images.vectors)
                yield RowBlock(images.columns.to_pandas(), images.vectors)
        require_all(found, self.n, self._contents.folder)


def source_of(project: Project, stage: str, split: str | None, bands: Sequence[str] | None) -> Source:
    """What `soc export --stage` names: features, points, or embeddings.

    Raises:
        FeaturesError: there is nothing to export, or a split or band is not known.
    """
    if stage == "features":
        return FeatureSource(select(project, split, bands))
    if stage == "points":
        return PointSource(select(project, split, None), bands)
    if split is not None:
        raise FeaturesError("--split is for --stage features and points: embeddings have all samples, studied or not.")
    refresh.ensure(project)
    return ImageSource(refresh.contents_of(project), bands)


def _require_bands(bands: Sequence[str] | None, known: Sequence[str]) -> None:
    if unknown := set(bands or ()) - set(known):
        there = ", ".join(dict.fromkeys(known))
        raise FeaturesError(f"There is no band {sorted(unknown)[0]!r} in the embeddings; there are {there}.")


def _lags(slots: Sequence[Slot]) -> np.ndarray:
    return np.array([-1 if slot.lag is None else slot.lag for slot in slots], np.int32)


def _metadata(contents: Contents) -> dict[str, str]:
    return {"soc.spec": contents.spec.digest, "soc.weights": contents.spec.weights}
