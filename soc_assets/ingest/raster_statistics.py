"""Count, mean, standard deviation and range of a raster's valid pixels, exact and in one pass with bounded memory.

Numbers of 8 and 16 bits are counted, each on its own, and the statistics follow from the counts. Others are taken in
chunks that are combined by the pairwise update of Chan, Golub and LeVeque (1979, Stanford STAN-CS-79-773). Both in
float64, and always in the same order.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rasterio.windows import Window

from soc_assets.ingest.raster_coding import Coding, Dataset
from soc_assets.ingest.raster_io import read_stored

_CHUNK = 2**18  # pixels read at once: 2 MB of float64, so that a chunk stays in the processor's cache
_COUNTED = 2  # bytes of the longest integers that are counted: 65,536 counts


@dataclass(frozen=True)
class Statistics:
    """Statistics of a set of values; NaN without values."""

    count: int = 0
    mean: float = math.nan
    squares: float = 0.0
    """Sum of squared differences from the mean."""
    low: float = math.nan
    high: float = math.nan

    @classmethod
    def of_values(cls, values: np.ndarray) -> "Statistics":
        """Statistics of finite values [n] (float64)."""
        if not values.size:
            return cls()
        mean = float(values.mean())
        return cls(values.size, mean, float(np.square(values - mean).sum()), float(values.min()), float(values.max()))

    @classmethod
    def of_counts(cls, values: np.ndarray, counts: np.ndarray) -> "Statistics":
        """Statistics of finite values [n] (float64) of which each occurs as often as `counts` [n] (int64) says."""
        values, counts = values[counts > 0], counts[counts > 0]
        if not values.size:
            return cls()
        count = int(counts.sum())
        mean = float((counts * values).sum()) / count
        squares = float((counts * np.square(values - mean)).sum())
        return cls(count, mean, squares, float(values.min()), float(values.max()))

    @property
    def std(self) -> float:
        """Population standard deviation."""
        return math.sqrt(self.squares / self.count) if self.count else math.nan

    def merged(self, other: "Statistics") -> "Statistics":
        """Statistics of both sets together."""
        if not self.count or not other.count:
            return self if self.count else other
        count = self.count + other.count
        gap = other.mean - self.mean
        return Statistics(
            count,
            self.mean + gap * other.count / count,
            self.squares + other.squares + gap * gap * self.count * other.count / count,
            min(self.low, other.low),
            max(self.high, other.high),
        )


def of_raster(dataset: Dataset, fill_values: Sequence[float] = (), chunk: int = _CHUNK, band: int = 1) -> Statistics:
    """Statistics of all valid pixels of an open raster: those that `read_values` gives, before they become float32.

    Args:
        dataset: an open raster.
        fill_values: stored numbers that mean "no data" beside the nodata tag.
        chunk: most pixels held in memory at once.
        band: index of the band in the file, from 1.

    Raises:
        RasterError: the file is truncated or damaged.
    """
    coding = Coding.of_band(dataset, fill_values, band)
    parts = (read_stored(dataset, window, band) for window in _chunks(dataset, chunk))
    if coding.dtype.kind in "iu" and coding.dtype.itemsize <= _COUNTED:
        return _by_counting(parts, coding)
    total = Statistics()
    for raw, mask in parts:
        values = coding.scaled(raw, np.float64)
        invalid = coding.invalid(raw, values, mask)
        total = total.merged(Statistics.of_values(values.ravel() if invalid is None else values[~invalid]))
    return total


def _by_counting(parts: Iterable[tuple[np.ndarray, np.ndarray | None]], coding: Coding) -> Statistics:
    """Statistics of parts of a raster with short integers, from how often each number occurs."""
    unsigned = np.dtype(f"u{coding.dtype.itemsize}")
    counts = np.zeros(2 ** (8 * unsigned.itemsize), np.int64)
    for raw, mask in parts:
        numbers = raw.view(unsigned).ravel() if mask is None else raw.view(unsigned)[mask != 0]
        counts += np.bincount(numbers, minlength=len(counts))
    numbers = np.arange(len(counts), dtype=unsigned).view(coding.dtype)
    values = coding.scaled(numbers, np.float64)
    invalid = coding.invalid(numbers, values)
    valid = slice(None) if invalid is None else ~invalid
    return Statistics.of_counts(values[valid], counts[valid])


def _chunks(dataset: Dataset, chunk: int) -> Iterator[Window]:
    """Windows that cover the raster once, made of whole blocks of the file where a block fits into a chunk."""
    block_height, block_width = dataset.block_shapes[0]
    columns = min(max(chunk // (block_height * block_width), 1) * block_width, dataset.width)
    rows = chunk // columns // block_height * block_height or max(chunk // columns, 1)
    for top in range(0, dataset.height, rows):
        for left in range(0, dataset.width, columns):
            bottom, right = min(top + rows, dataset.height), min(left + columns, dataset.width)
            yield Window.from_slices((top, bottom), (left, right))
