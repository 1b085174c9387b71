"""Count, mean, standard deviation and range of a raster's valid pixels, exact and in one pass with bounded memory.

Chunks are combined by the pairwise update of Chan, Golub and LeVeque (1979, Stanford STAN-CS-79-773), in float64.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rasterio.windows import Window

from soc_assets.ingest.raster_io import Dataset, read_values

_CHUNK = 2**21  # pixels read at once: 8 MB of float32


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
        """Statistics of the values that are not NaN, in any shape."""
        valid = values[~np.isnan(values)].astype(np.float64)
        if not valid.size:
            return cls()
        mean = float(valid.mean())
        return cls(valid.size, mean, float(np.square(valid - mean).sum()), float(valid.min()), float(valid.max()))

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


def of_raster(dataset: Dataset, fill_values: Sequence[float] = (), chunk: int = _CHUNK) -> Statistics:
    """Statistics of all valid pixels of an open raster, as `read_values` gives them.

    Args:
        dataset: an open raster.
        fill_values: stored numbers that mean "no data" beside the nodata tag.
        chunk: most pixels held in memory at once.

    Raises:
        RasterError: the file is truncated or damaged.
    """
    total = Statistics()
    for window in _chunks(dataset, chunk):
        total = total.merged(Statistics.of_values(read_values(dataset, window, fill_values)))
    return total


def _chunks(dataset: Dataset, chunk: int) -> Iterator[Window]:
    """Windows that cover the raster once, made of whole blocks of the file where a block fits into a chunk."""
    block_height, block_width = dataset.block_shapes[0]
    columns = min(max(chunk // (block_height * block_width), 1) * block_width, dataset.width)
    rows = chunk // columns // block_height * block_height or max(chunk // columns, 1)
    for top in range(0, dataset.height, rows):
        for left in range(0, dataset.width, columns):
            bottom, right = min(top + rows, dataset.height), min(left + columns, dataset.width)
            yield Window.from_slices((top, bottom), (left, right))
