"""Count, mean, standard deviation and range of a raster's valid pixels, exact and in one pass with bounded memory.

For 8-bit and 16-bit integers each number is counted, and the statistics follow from the counts. Others are taken in
chunks that are combined by the pairwise update of Chan, Golub and LeVeque (1979, Stanford STAN-CS-79-773). Both in
float64, and always in the same order.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rasterio.enums import MaskFlags
from rasterio.errors import RasterBlockError
from rasterio.windows import Window

from soc_assets.rasters.coding import Coding, Dataset
from soc_assets.rasters.reading import read_stored
from soc_assets.runtime import interrupts

_CHUNK = 2**18  # pixels read at once
_PIECE = 2**16  # pixels summed up at once: 512 kB of float64, which stay in the processor's cache
_COUNTED = 2  # bytes of the longest integers that are counted: 65,536 counts
_Part = tuple[np.ndarray, np.ndarray | None]  # stored numbers and mask, as `read_stored` gives them


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


def of_raster(
    dataset: Dataset,
    fill_values: Sequence[float] = (),
    chunk: int = _CHUNK,
    band: int = 1,
    valid_range: tuple[float, float] | None = None,
    value: int | None = None,
    scaling: tuple[float, float] | None = None,
) -> Statistics:
    """Statistics of all valid pixels of an open raster: those that `read_values` gives, before they become float32.

    Args:
        dataset: an open raster.
        fill_values: stored numbers that mean "no data" besides the nodata tag.
        chunk: most pixels read at once, but a block of the file at least, as GDAL decodes no part of one.
        band: index of the band in the file, from 1.
        valid_range: lowest and highest stored number that is a value.
        value: a class: the statistics are those of 1 where a pixel is of it and 0 where it is of another.
        scaling: scale and offset in place of the file's, or None.

    Raises:
        RasterError: the file is truncated or damaged.
    """
    coding, absent = Coding.of_band(dataset, fill_values, band, valid_range, scaling), _absence(dataset, band)
    windows = (window for window in _chunks(dataset, chunk, band) if not absent(window))
    parts = (read_stored(dataset, window, band) for window in windows)
    if coding.dtype.kind in "iu" and coding.dtype.itemsize <= _COUNTED:
        return _by_counting(parts, coding, value)
    return _by_summing(parts, coding, value)


def _by_summing(parts: Iterable[_Part], coding: Coding, value: int | None) -> Statistics:
    """Statistics of parts of a raster with numbers of any type, piece by piece."""
    total = Statistics()
    for numbers, mask in parts:
        for first in range(0, numbers.size, _PIECE):
            piece = slice(first, first + _PIECE)
            raw = numbers.ravel()[piece]
            values = coding.scaled(raw, np.float64)
            invalid = coding.invalid(raw, values, None if mask is None else mask.ravel()[piece])
            if invalid is not None and invalid.any():
                values = values[~invalid]
            total = total.merged(Statistics.of_values(_of_class(values, value)))
    return total


def _by_counting(parts: Iterable[_Part], coding: Coding, value: int | None) -> Statistics:
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
    return Statistics.of_counts(_of_class(values[valid], value), counts[valid])


def _of_class(values: np.ndarray, value: int | None) -> np.ndarray:
    return values if value is None else (values == value).astype(np.float64)


def _absence(dataset: Dataset, band: int) -> Callable[[Window], bool]:
    """Whether none of a window's blocks is stored in a sparse GeoTIFF, so that all of it is nodata."""
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


def _chunks(dataset: Dataset, chunk: int, band: int) -> Iterator[Window]:
    """Windows that cover the raster once, made of whole blocks of the file: as many as fit into a chunk, or one."""
    block_height, block_width = dataset.block_shapes[band - 1]
    columns = min(max(chunk // (block_height * block_width), 1) * block_width, dataset.width)
    rows = max(chunk // (columns * block_height), 1) * block_height
    for top in range(0, dataset.height, rows):
        for left in range(0, dataset.width, columns):
            interrupts.check()
            bottom, right = min(top + rows, dataset.height), min(left + columns, dataset.width)
            yield Window.from_slices((top, bottom), (left, right))
