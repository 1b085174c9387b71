"""The files of one step as one raster: tiles of one pixel grid are mosaicked before resampling, others after.

Where files overlap, the first by path that has a valid value wins; files of one pixel grid count as one, at the place
of the first of them. Bringing one raster to the reference grid is in `tiles`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from rasterio.windows import Window

from soc_assets.geo.grid import Box, Grid, box_on, union
from soc_assets.rasters.opening import open_placed, open_raster
from soc_assets.rasters.tiles import REACH, Source, reaches, read_part
from soc_assets.storage import digest

_PARTS = 400  # of a pixel, each wider than the offset that counts as none
_MOST = 2**18  # windows times tiles that are compared at once


@dataclass(frozen=True, eq=False)
class Tile:
    """A file of a step.

    Attributes:
        source: how it is read, and its place on the reference grid.
        grid: its own pixels.
        digest: of what it holds.
        reach: the box within which it can matter, by resampling across its edge too.
    """

    source: Source
    grid: Grid
    digest: str
    reach: Box


@dataclass(frozen=True, eq=False)
class Aligned:
    """Tiles of one pixel grid, read as one raster: `read` takes windows of `grid`, which holds them all.

    Attributes:
        tiles: in the order of their paths.
        grid: their common pixels.
        box: place of `grid` on the reference grid.
    """

    tiles: tuple[Tile, ...]
    grid: Grid
    box: Box

    @property
    def resampling(self) -> str:
        """How the pixels are resampled."""
        return self.tiles[0].source.resampling

    @property
    def value(self) -> int | None:
        """The class that is asked for, or None."""
        return self.tiles[0].source.value

    def read(self, dataset: Any, window: Window) -> np.ndarray:
        """Values [h, w] float32 of a window of the common pixels; opens the files that reach into it."""
        if len(self.tiles) == 1:
            return _read(self.tiles[0], window)
        top, left = round(window.row_off), round(window.col_off)
        values = np.full((round(window.height), round(window.width)), np.nan, np.float32)
        first, last = self._extents
        touched = (first < (top + values.shape[0], left + values.shape[1])) & (last > (top, left))
        for number in np.flatnonzero(touched.all(axis=1)).tolist():
            tile, (row, column) = self.tiles[number], first[number].tolist()
            inside = _overlap((top, left), values.shape, (row, column), (tile.grid.height, tile.grid.width))
            if inside is None or not np.isnan(part := values[inside]).any():
                continue
            rows, columns = (
                range(at.start + edge, at.stop + edge) for at, edge in zip(inside, (top, left), strict=True)
            )
            own = Window.from_slices(
                (rows.start - row, rows.stop - row), (columns.start - column, columns.stop - column)
            )
            part[:] = np.where(np.isnan(part), _read(tile, own), part)
        return values

    @cached_property
    def _extents(self) -> tuple[np.ndarray, np.ndarray]:
        """First and last (exclusive) row and column of each tile [n, 2] in the common pixels."""
        first = np.array([self.grid.offset_of(tile.grid) or (0, 0) for tile in self.tiles])
        return first, first + [(tile.grid.height, tile.grid.width) for tile in self.tiles]


@dataclass(frozen=True, eq=False)
class StepMosaic:
    """One step of a band: its files in the order of their paths."""

    tiles: tuple[Tile, ...]
    groups: tuple[Aligned, ...]

    @classmethod
    def of(cls, tiles: Sequence[Tile], reference: Grid) -> "StepMosaic":
        """Combine the tiles that share a pixel grid."""
        alike = (_aligned(group, reference) for group in _by_pixel_grid(tiles))
        return cls(tuple(tiles), tuple(alike))

    @cached_property
    def _reaches(self) -> np.ndarray:
        return np.array([tile.reach for tile in self.tiles])

    @cached_property
    def _boxes(self) -> np.ndarray:
        return np.array([group.box for group in self.groups])

    def digest_of(self, rows: np.ndarray, columns: np.ndarray, size: int) -> str | None:
        """Digest of the files that windows of `size` pixels from (rows, columns) [n] on read; None where none does."""
        touched = []
        at_once = max(1, _MOST // max(1, len(rows)))
        for start in range(0, len(self.tiles), at_once):
            boxes = self._reaches[start : start + at_once].T[:, :, None]
            hit = reaches((boxes[0], boxes[1], boxes[2], boxes[3]), rows, columns, size).any(axis=1)
            touched += [self.tiles[start + number].digest for number in np.flatnonzero(hit).tolist()]
        return touched[0] if len(touched) == 1 else digest.of_values(touched) if touched else None

    def read(self, grid: Grid, top: int, left: int, height: int, width: int) -> np.ndarray:
        """A part [height, width] float32 of the grid, NaN where no file has a value; the caller's own."""
        first, last = self._boxes[:, :2] - REACH, self._boxes[:, 2:] + REACH
        touched = (first < (top + height, left + width)) & (last > (top, left))
        result: np.ndarray | None = None
        for number in np.flatnonzero(touched.all(axis=1)).tolist():
            group = self.groups[number]
            found = read_part(group.grid, group, grid, top, left, height, width)
            result = found if result is None else np.where(np.isnan(result), found, result)
            if not np.isnan(result).any():
                break
        return np.full((height, width), np.nan, np.float32) if result is None else result


def read_source(source: Source | StepMosaic, grid: Grid, top: int, left: int, height: int, width: int) -> np.ndarray:
    """A part [height, width] float32 of the grid from one file or from the files of a step; the caller's own."""
    if isinstance(source, StepMosaic):
        return source.read(grid, top, left, height, width)
    with open_raster(source.path, source.variable) as dataset:
        return read_part(dataset, source, grid, top, left, height, width)


def _read(tile: Tile, window: Window) -> np.ndarray:
    with open_placed(tile.source.path, tile.grid, tile.source.variable) as opened:
        return tile.source.read(opened, window)


def _by_pixel_grid(tiles: Sequence[Tile]) -> list[list[Tile]]:
    """Tiles that share a pixel grid with the first of a group; groups in the order of their first tiles.

    Only groups whose pixels begin at nearly the same part of a pixel are looked at, or thousands of tiles that all lie
    on grids of their own would each be compared with all others.
    """
    groups: list[list[Tile]] = []
    kinds: list[Grid] = []  # grids of different CRS and size of pixels
    near: dict[tuple[int, int, int], list[int]] = {}  # groups by kind and part of a pixel
    for tile in tiles:
        kind = next((n for n, grid in enumerate(kinds) if _same_pixels(grid, tile.grid)), len(kinds))
        if kind == len(kinds):
            kinds.append(tile.grid)
        away = ~kinds[kind].transform * tile.grid.transform
        row, column = (round(at % 1 * _PARTS) for at in (away.f, away.c))
        places = [(kind, (row + r) % _PARTS, (column + c) % _PARTS) for r in (-1, 0, 1) for c in (-1, 0, 1)]
        candidates = sorted({number for place in places for number in near.get(place, ())})
        found = next((n for n in candidates if groups[n][0].grid.offset_of(tile.grid) is not None), None)
        if found is None:
            near.setdefault((kind, row % _PARTS, column % _PARTS), []).append(len(groups))
            groups.append([tile])
        else:
            groups[found].append(tile)
    return groups


def _same_pixels(one: Grid, other: Grid) -> bool:
    """Whether two grids have a CRS, and pixels of one size and direction."""
    a, b = one.transform, other.transform
    most = 1e-6 * max(abs(a.a), abs(a.b), abs(a.d), abs(a.e))
    close = max(abs(a.a - b.a), abs(a.b - b.b), abs(a.d - b.d), abs(a.e - b.e)) <= most
    return close and (one.crs is other.crs or one.crs == other.crs)


def _aligned(tiles: list[Tile], reference: Grid) -> Aligned:
    grid = union([tile.grid for tile in tiles])
    return Aligned(tuple(tiles), grid, box_on(reference, grid))


def _overlap(
    first: tuple[int, int], size: tuple[int, ...], other: tuple[int, int], other_size: tuple[int, int]
) -> tuple[slice, slice] | None:
    """The part of a window (first pixel, size) that lies in another, in the window's own pixels."""
    slices = []
    for a, n, b, m in zip(first, size, other, other_size, strict=True):
        low, high = max(a, b) - a, min(a + n, b + m) - a
        if high <= low:
            return None
        slices.append(slice(low, high))
    return slices[0], slices[1]
