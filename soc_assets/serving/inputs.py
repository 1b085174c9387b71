"""What a model sees at a place: the values of its bands there, and the samples where they were most alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from soc_assets.embedding.spec import Spec, all_specs
from soc_assets.features.points import at_pixel
from soc_assets.project import Project
from soc_assets.rasters.catalog import read_table
from soc_assets.rasters.index import RasterIndex
from soc_assets.rasters.steps import Slot, Step, step_numbers, step_of
from soc_assets.serving.maps import MapFolder
from soc_assets.settings.seasons import SEASONS
from soc_assets.storage import files
from soc_assets.storage.access import source

_SHARED = 0.5  # share of the slots that a sample must have in common with the place


@dataclass(frozen=True)
class Inputs:
    """Values of the bands of a spec at one pixel.

    Attributes:
        slots: bands and lags [s].
        steps: the step [s] that each reads.
        values: [s] in the bands' own units, NaN where there is none.
        normalised: [s] as the samples' point values are.
    """

    slots: tuple[Slot, ...]
    steps: tuple[Step, ...]
    values: np.ndarray
    normalised: np.ndarray

    def listed(self) -> Iterator[dict[str, Any]]:
        """For people: band, step, lag and value."""
        for slot, step, value in zip(self.slots, self.steps, self.values.tolist(), strict=True):
            label = " ".join(str(part) for part in (step.year, step.season) if part is not None)
            yield {"band": slot.name, "step": label, "lag": slot.lag, "value": value if np.isfinite(value) else None}


def spec_of(project: Project, found: MapFolder) -> Spec | None:
    """The embedding spec of the map's model, where its folder is still there."""
    return next((spec for spec in all_specs(project.embeddings) if spec.digest == found.facts.get("spec")), None)


def index_of(project: Project, spec: Spec) -> RasterIndex:
    """The rasters of a spec's bands, from the catalog."""
    catalog = read_table(project.catalog, project)
    return RasterIndex.of_catalog(catalog, spec.bands, spec.choices["reference"], spec.grid)


def read_inputs(index: RasterIndex, spec: Spec, found: MapFolder, longitude: float, latitude: float) -> Inputs | None:
    """The values that a model's bands have at a place in the map's period; None outside the reference grid."""
    rows, columns = index.grid.pixels(np.array([longitude]), np.array([latitude]))
    if not index.grid.contains(rows, columns)[0]:
        return None
    period = pd.DataFrame({"year": [found.year], "season_year": [found.year], "season": [found.season or SEASONS[0]]})
    slots = tuple(spec.band_slots)
    steps = tuple(step_of(int(step_numbers(slot, period)[0]), slot.kind) for slot in slots)
    pixel = int(rows[0]), int(columns[0])
    values = np.array([_value(index, slot, step, pixel) for slot, step in zip(slots, steps, strict=True)])
    return Inputs(slots, steps, values, _normalised(spec, slots, values))


def most_similar(project: Project, spec: Spec, inputs: Inputs, count: int) -> pd.DataFrame:
    """The samples whose own inputs, each in its own year, were most like those of a place.

    Returns:
        sample_id and difference: root mean square over bands and lags of the differences in standard deviations.
    """
    folder = project.embeddings / spec.digest
    ids, points = _points(folder, tuple(sorted((path.name, files.stamp(path)) for path in _batches(folder))))
    if not len(ids):
        return pd.DataFrame({"sample_id": [], "difference": []})
    apart = points - inputs.normalised.astype(np.float32)
    shared = np.isfinite(apart)
    number = shared.sum(axis=1)
    square = np.where(shared, apart, 0) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = np.where(number >= _SHARED * points.shape[1], np.sqrt(square.sum(axis=1) / number), np.inf)
    first = np.argsort(difference, kind="stable")[:count]
    first = first[np.isfinite(difference[first])]
    return pd.DataFrame({"sample_id": ids[first], "difference": difference[first]})


def _value(index: RasterIndex, slot: Slot, step: Step, pixel: tuple[int, int]) -> float:
    mosaic = index.mosaics.get((slot.name, step))
    return float("nan") if mosaic is None else float(mosaic.read(index.grid, *pixel, 1, 1)[0, 0])


def _normalised(spec: Spec, slots: tuple[Slot, ...], values: np.ndarray) -> np.ndarray:
    how = spec.choices["normalise"]
    known = [spec.statistics[slot.name] for slot in slots]
    relative = (values - [each.mean for each in known]).astype(np.float32)
    return np.concatenate([each.apply(relative[n : n + 1], how) for n, each in enumerate(known)])


def _batches(folder: Path) -> list[Path]:
    return sorted(folder.glob("batch_*_size_*.parquet"))


@lru_cache(maxsize=2)
def _points(folder: Path, stamps: tuple[Any, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Ids [n] and normalised values at the pixel [n, s] of all embedded samples."""
    tables = [pq.read_table(source(path), columns=["sample_id", "point_values"]) for path in _batches(folder)]
    tables = [table for table in tables if len(table)]
    if not tables:
        return np.empty(0, object), np.empty((0, 0), np.float32)
    ids = [table["sample_id"].to_numpy() for table in tables]
    return np.concatenate(ids), np.concatenate([at_pixel(table["point_values"].combine_chunks()) for table in tables])
