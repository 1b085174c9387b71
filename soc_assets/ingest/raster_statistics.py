"""Count, mean, standard deviation and range of a raster's valid pixels, exact and in one pass with bounded memory.

Chunks are combined by the pairwise update of Chan, Golub and LeVeque (1979, Stanford STAN-CS-79-773), in float64.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rasterio.enums import MaskFlags
from rasterio.errors import RasterBlockError
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


def of_raster(
    dataset: Dataset,
    fill_values: Sequence[float] = (),
    chunk: int = _CHUNK,
    band: int = 1,
    valid_range: tuple[float, float] | None = None,
    value: int | None = None,
) -> Statistics:
    """Statistics of all valid pixels of an open raster, as `read_values` gives them.

    Args:
        dataset: an open raster.
        fill_values: stored numbers that mean "no data" beside the nodata tag.
        chunk: most pixels held in memory at once.
        band: index of the band in the file, from 1.
        valid_range: lowest and highest stored number that is a value.
        value: a class: the statistics are those of 1 where a pixel is of it and 0 where it is of another.

    Raises:
        RasterError: the file is truncated or damaged.
    """
    total = Statistics()
    absent = _absence(dataset, band)
    for window in _chunks(dataset, chunk):
        if absent(window):
            continue
        values = read_values(dataset, window, fill_values, band, valid_range)
        total = total.merged(Statistics.of_values(values if value is None else shares_of_class(values, value)))
    return total


def shares_of_class(values: np.ndarray, value: int) -> np.ndarray:
    """1 where a pixel is of the class, 0 where it is of another, NaN where it has no value; float32."""
    return np.where(np.isnan(values), np.float32(np.nan), (values == value).astype(np.float32))


def _absence(dataset: Dataset, band: int) -> Callable[[Window], bool]:
    """Tells of windows whether no block of them is in a sparse GeoTIFF, so that all of it is nodata."""
    nodata_alone = dataset.mask_flag_enums[band - 1] == [MaskFlags.nodata]
    if dataset.driver != "GTiff" or not nodata_alone:
        return lambda window: False
    height, width = dataset.block_shapes[band - 1]

    def absent(window: Window) -> bool:
        rows = range(int(window.row_off) // height, -(-int(window.row_off + window.height) // height))
        columns = range(int(window.col_off) // width, -(-int(window.col_off + window.width) // width))
        return not any(_is_stored(dataset, band, *block) for block in itertools.product(rows, columns))

    return absent


def _is_stored(dataset: Dataset, band: int, row: int, column: int) -> bool:
    try:
        return dataset.block_size(band, row, column) > 0
    except RasterBlockError:
        return False


def _chunks(dataset: Dataset, chunk: int) -> Iterator[Window]:
    """Windows that cover the raster once, made of whole blocks of the file where a block fits into a chunk."""
    block_height, block_width = dataset.block_shapes[0]
    columns = min(max(chunk // (block_height * block_width), 1) * block_width, dataset.width)
    rows = chunk // columns // block_height * block_height or max(chunk // columns, 1)
    for top in range(0, dataset.height, rows):
        for left in range(0, dataset.width, columns):
            bottom, right = min(top + rows, dataset.height), min(left + columns, dataset.width)
            yield Window.from_slices((top, bottom), (left, right))
