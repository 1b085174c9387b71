"""Rasters on the reference grid, kept in memory tile by tile, and what is computed from them around samples.

The patch embedding is linear, so the mean of a window's tokens is the token of its mean patch: pixel (p, q) of the mean
patch of the window that begins at (r, c) is the mean over i, j of the raster at (r + 8i + p, c + 8j + q). One filtered
raster holds it for all windows, at a cost that does not depend on their size or number. Pixels are read by `mosaic`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from soc_assets.embedding.encoder.architecture import PATCH, anchor_index
from soc_assets.embedding.window_range import WindowRange, WindowStatistics, running_extreme
from soc_assets.geo.grid import Grid
from soc_assets.rasters.mosaic import StepMosaic, read_source
from soc_assets.rasters.tiles import TILE, Source, grouped_by_tile
from soc_assets.runtime.cache import Cache

POINT_WINDOWS = (1, 3, 9, 25)  # edges of the squares around a sample whose means are its point values, pixels
HALF = max(POINT_WINDOWS) // 2


@dataclass(frozen=True)
class CachedTile:
    """A raster around the samples of one tile.

    Attributes:
        values: [h, w] float32 relative to the gap value, zero where there is none.
        gaps: [h, w] where there is none; None where every pixel has a value.
        mean: mean over every eighth pixel of a window, by the window's first pixel; None unless asked for.
        windows: statistics of every window; None unless asked for.
    """

    values: np.ndarray
    gaps: np.ndarray | None
    mean: np.ndarray | None
    windows: WindowStatistics | None = None

    @cached_property
    def counts(self) -> np.ndarray | None:
        """Valid pixels to the left and above [w + 1, h + 1], columns first; None where every pixel has a value."""
        if self.gaps is None:
            return None
        height, width = self.gaps.shape
        counts = np.zeros((width + 1, height + 1), np.int32)
        counts[1:, 1:] = np.cumsum((~self.gaps).view(np.uint8), axis=1, dtype=np.int32).T
        return np.cumsum(counts, axis=1, out=counts)  # along rows again: down columns takes three times as long

    @property
    def nbytes(self) -> int:
        """Bytes held, those of `counts` once they are asked for included."""
        arrays = (self.values, self.gaps, self.mean, self.windows)
        held = sum(array.nbytes for array in arrays if array is not None)
        return held if self.gaps is None else held + 4 * self.gaps.size


@dataclass(frozen=True)
class WindowIndex:
    """Where samples are in a tile: rows and columns [k] of their windows' first pixels, counted from its edge."""

    tile: CachedTile
    members: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


class TileCache:
    """Windows of rasters around samples; tiles are kept up to a limit, and threads may share them.

    Args:
        grid: the reference grid.
        image_size: edge of the windows, pixels.
        anchor: the sample's place in the window.
        cache_mb: limit of the memory for tiles.
        filtered: whether mean patches will be asked for.
        ranged: whether the ranges of windows will be; mean patches are in double precision then.
    """

    def __init__(
        self, grid: Grid, image_size: int, anchor: str, cache_mb: int, filtered: bool = True, ranged: bool = False
    ) -> None:
        self._grid, self._image_size, self._filtered, self._ranged = grid, image_size, filtered, ranged
        self._index = anchor_index(image_size, anchor)
        self.before = max(0, HALF - self._index)  # pixels that point values need beyond the windows
        self._after = max(0, self._index + HALF + 1 - image_size)
        self._tiles: Cache[CachedTile] = Cache(cache_mb * 2**20)

    @property
    def tiles_read(self) -> int:
        """How many parts of rasters were read so far."""
        return self._tiles.made

    def windows_in_tiles(
        self, source: Source | StepMosaic, rows: np.ndarray, columns: np.ndarray, gap: float
    ) -> Iterator[WindowIndex]:
        """The tiles in which the windows that begin at (rows, columns) [n] lie, one at a time.

        Args:
            source: the raster, or the files of a step.
            rows: [n] first rows on the grid.
            columns: [n] first columns on the grid.
            gap: subtracted from every value, so that pixels without one count as this (the band's mean).
        """
        pixels = rows + self._index, columns + self._index  # the samples' own pixels decide the tile
        for (i, j), members in grouped_by_tile(*pixels):
            tile = self.tile(source, i, j, gap)
            r, c = (values[members] - k * TILE + self.before for values, k in zip(pixels, (i, j), strict=True))
            yield WindowIndex(tile, members, r, c)

    def tile(self, source: Source | StepMosaic, i: int, j: int, gap: float) -> CachedTile:
        """The raster around the pixels of the tile (i, j); see `windows_in_tiles`."""
        return self._tiles.get((source, gap, i, j), lambda: self._read(source, i, j, gap))

    def mean_patches(self, windows: WindowIndex) -> np.ndarray:
        """Mean patches [k, 64] of windows, relative to the gap value."""
        assert windows.tile.mean is not None
        return self._filtered_blocks(windows.tile.mean, windows)

    def gap_patches(self, windows: WindowIndex) -> np.ndarray | None:
        """Shares [k, 64] of gaps in the mean patches of windows; None where the tile has none."""
        statistics = windows.tile.windows
        assert statistics is not None
        return None if statistics.gaps is None else self._filtered_blocks(statistics.gaps, windows)

    def _filtered_blocks(self, filtered: np.ndarray, windows: WindowIndex) -> np.ndarray:
        rows, columns = windows.rows - self.before, windows.columns - self.before
        return _blocks(filtered, rows, columns, PATCH).reshape(-1, PATCH**2)

    def ranges(self, windows: WindowIndex, mean: float) -> WindowRange:
        """The ranges [k] of windows; `mean` is the band's, which was given as the gap value."""
        assert windows.tile.windows is not None
        return windows.tile.windows.at(windows.rows - self.before, windows.columns - self.before, mean)

    def shares(self, windows: WindowIndex) -> np.ndarray:
        """Shares [k] of valid pixels of windows."""
        return self.shares_of(windows, 0, 0, self._image_size)

    def shares_of(self, windows: WindowIndex, row: int, column: int, size: int) -> np.ndarray:
        """Shares [k] of valid pixels of a square of the windows."""
        counts = self._valid(windows, row, column, size)
        return counts.astype(np.float32) / np.float32(size**2)

    def _valid(self, windows: WindowIndex, row: int, column: int, size: int) -> np.ndarray:
        """Valid pixels [k] in a square of the windows."""
        counts, top, left = windows.tile.counts, windows.rows + row, windows.columns + column
        if counts is None:
            return np.full(len(top), size**2)
        bottom, right = top + size, left + size
        return counts[right, bottom] - counts[right, top] - counts[left, bottom] + counts[left, top]

    def blocks(self, windows: WindowIndex, rows: int, columns: int, size: int) -> np.ndarray:
        """Parts [k, size, size] of windows from (rows, columns) on, relative to the gap value, gaps zero."""
        return _blocks(windows.tile.values, windows.rows + rows, windows.columns + columns, size)

    def gap_blocks(self, windows: WindowIndex, rows: int, columns: int, size: int) -> np.ndarray | None:
        """Where the `blocks` of windows are gaps; None where the tile has none."""
        gaps = windows.tile.gaps
        return None if gaps is None else _blocks(gaps, windows.rows + rows, windows.columns + columns, size)

    def points(self, windows: WindowIndex) -> np.ndarray:
        """Means [k, 4] over the valid pixels of squares of POINT_WINDOWS around samples; NaN where there is none."""
        first = self._index - HALF
        values = self.blocks(windows, first, first, 2 * HALF + 1)
        means = np.full((len(values), len(POINT_WINDOWS)), np.nan, np.float32)
        for number, edge in enumerate(POINT_WINDOWS):
            inset = HALF - edge // 2
            square = (slice(None), *[slice(inset, inset + edge)] * 2)
            count = self._valid(windows, first + inset, first + inset, edge)
            total = values[square].sum(axis=(1, 2), dtype=np.float64)
            np.divide(total, count, out=means[:, number], where=count > 0, casting="unsafe")
        return means

    def _read(self, source: Source | StepMosaic, i: int, j: int, gap: float) -> CachedTile:
        top, left = (k * TILE - self._index - self.before for k in (i, j))
        height, width = self._extent(i, self._grid.height), self._extent(j, self._grid.width)
        values = read_source(source, self._grid, top, left, height, width)
        values -= np.float32(gap)
        gaps = np.isnan(values)
        gaps = gaps if gaps.any() else None
        if gaps is not None:
            np.copyto(values, 0, where=gaps)
        return CachedTile(values, gaps, self._filter(values), self._statistics(values, gaps))

    def _extent(self, index: int, grid_size: int) -> int:
        """Pixels around the samples of a tile; those on the grid, where it ends within the tile."""
        samples = min(TILE, grid_size - index * TILE) if index * TILE < grid_size else TILE
        return samples + self._image_size - 1 + self.before + self._after

    def _inner(self, values: np.ndarray) -> np.ndarray:
        """Without the margin that only point values need."""
        return values[self.before : len(values) - self._after, self.before : values.shape[1] - self._after]

    def _filter(self, values: np.ndarray) -> np.ndarray | None:
        if not self._filtered:
            return None
        n, inner = self._image_size // PATCH, self._inner(values)
        inner = inner.astype(np.float64) if self._ranged else inner
        mean = running_sum(running_sum(inner, n, PATCH, 0), n, PATCH, 1)
        mean /= np.float32(n * n)
        return mean

    def _statistics(self, values: np.ndarray, gaps: np.ndarray | None) -> WindowStatistics | None:
        """Statistics of every window of a tile's values, gaps zero."""
        if not self._ranged:
            return None
        size, inner, absent = self._image_size, self._inner(values), None if gaps is None else self._inner(gaps)
        low, high = (
            running_extreme(running_extreme(_with(inner, absent, none), size, 0, extreme), size, 1, extreme)
            for extreme, none in ((np.minimum, np.inf), (np.maximum, -np.inf))
        )
        if absent is None or gaps is None:
            return WindowStatistics(low, high, None, None)
        total, there = (
            running_sum(running_sum(of, size, 1, 0), size, 1, 1)
            for of in (inner.astype(float), (~absent).astype(float))
        )
        fill = (total / np.maximum(there, 1)).astype(np.float32)
        return WindowStatistics(low, high, fill, self._filter(gaps.astype(np.float32)))


def _with(values: np.ndarray, absent: np.ndarray | None, number: float) -> np.ndarray:
    """Values with a number in place of those that are absent."""
    return values if absent is None else np.where(absent, np.float32(number), values)


def _blocks(values: np.ndarray, rows: np.ndarray, columns: np.ndarray, size: int) -> np.ndarray:
    """Squares [k, size, size] that begin at (rows, columns) [k]."""
    view = np.lib.stride_tricks.sliding_window_view(values, (size, size))
    return view[rows, columns]


def running_sum(values: np.ndarray, count: int, step: int, axis: int) -> np.ndarray:
    """Sums of `count` elements `step` apart along an axis, by doubling: additions only, so no digits are lost."""
    values = np.moveaxis(values, axis, 0)
    length = len(values) - (count - 1) * step
    total, offset, power, width = None, 0, values, 1
    while True:
        if count & width:
            part = power[offset * step : offset * step + length]
            total = part.copy() if total is None else np.add(total, part, out=total)
            offset += width
        if width * 2 > count:
            break
        power = power[: len(power) - width * step] + power[width * step :]
        width *= 2
    assert total is not None
    return np.moveaxis(total, 0, axis)
