"""The digests of many batches in one pass over their samples: what `describe` says of each, hundreds of times faster.

A status asks for the digests of all batches. Cutting a table for each of them costs milliseconds; here columns are
converted once, and what windows read is found for all batches of a step at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from soc_assets.embedding.batch_rows import BatchRows
from soc_assets.embedding.parquet import LABELS
from soc_assets.embedding.spec import Spec
from soc_assets.embedding.windows import corners
from soc_assets.rasters.index import RasterIndex
from soc_assets.rasters.steps import Step, steps_read
from soc_assets.rasters.touched import digests_of_groups
from soc_assets.storage import digest

PLACE = ["sample_id", "longitude", "latitude", "year", "season_year", "season"]


@dataclass(frozen=True)
class Digests:
    """Digests of what a batch's embeddings are made from, and of its labels."""

    inputs: str
    labels: str

    @property
    def together(self) -> str:
        """Digest of everything that a batch's file is made from, its labels included."""
        return digest.of_values([self.inputs, self.labels])


def digests_of_batches(
    keys: Sequence[str], batch_rows: BatchRows, spec: Spec, raster_index: RasterIndex
) -> dict[str, Digests]:
    """The digests of batches; opens no file.

    Args:
        keys: of the batches.
        batch_rows: their samples.
        spec: the frozen spec.
        raster_index: rasters by band and step.
    """
    samples, counts = batch_rows.of_several(list(keys))
    ends = np.cumsum(counts).tolist()
    spans = list(zip([0, *ends], ends, strict=False))
    rasters = _rasters_read(samples, counts, spec, raster_index)
    place, of_spec = [plain(samples[name]) for name in PLACE], spec.digest
    labels = _labels(samples, spans)
    result = {}
    for number, (key, (a, b)) in enumerate(zip(keys, spans, strict=True)):
        inputs = digest_of_inputs(of_spec, [column[a:b] for column in place], rasters[number])
        result[key] = Digests(inputs, labels[number])
    return result


def digest_of_inputs(spec: str, place: Sequence[list[Any]], rasters: Mapping[str, str | None]) -> str:
    """Digest of what a batch's embeddings are made from.

    Args:
        spec: digest of the spec.
        place: the columns `PLACE` as plain values.
        rasters: as in `Batch`.
    """
    return digest.of_values([spec, [list(row) for row in zip(*place, strict=True)], rasters])


def plain(column: pd.Series) -> list[Any]:
    """Numbers and words of a column as Python's own; None for what is missing."""
    values = column.to_numpy(object)
    values = np.where(column.isna().to_numpy(), None, values)
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def _labels(samples: pd.DataFrame, spans: list[tuple[int, int]]) -> list[str]:
    frame = samples[["sample_id", *LABELS]]
    hashed = digest.row_hashes(frame)
    return [digest.of_rows(frame.columns, hashed[a:b]) for a, b in spans]


def _rasters_read(
    samples: pd.DataFrame, counts: np.ndarray, spec: Spec, raster_index: RasterIndex
) -> list[dict[str, str | None]]:
    """Of each batch: key (`LAI_2012`) -> digest of the files that its windows read, None where there is none."""
    size = spec.choices["image_size"]
    rows, columns = corners(samples, raster_index.grid, size, spec.choices["anchor"], counts.tolist())
    batch_of = np.repeat(np.arange(len(counts)), counts)
    readers: dict[tuple[str, Step], list[np.ndarray]] = {}
    for slot, step, positions in steps_read(spec.band_slots, samples):
        readers.setdefault((slot.name, step), []).append(positions)
    result: list[dict[str, str | None]] = [{} for _ in counts]
    for (band, step), of_lags in readers.items():
        positions = np.sort(np.concatenate(of_lags))  # in the order of the batches
        reading, windows = np.unique(batch_of[positions], return_counts=True)
        mosaic, key = raster_index.mosaics.get((band, step)), step.key(band)
        found: Any = [None] * len(reading)
        if mosaic:
            found = digests_of_groups(mosaic, rows[positions], columns[positions], windows, size)
        for number, content in zip(reading.tolist(), found, strict=True):
            result[number][key] = content
    return result
