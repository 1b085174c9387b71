"""The files of one step as one raster: tiles of one pixel grid put together before they are resampled, others after.

Where files overlap, the first by path that has a valid value wins; files of one pixel grid count as one, at the place
of the first of them. Bringing one raster to the reference grid is in `tiles`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rasterio.windows import Window

from soc_assets import digest
from soc_assets.embedding.tiles import Source, reaches, read_part
from soc_assets.ingest.grid import Box, Grid, union
from soc_assets.ingest.rasters.io import open_placed, open_raster


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
            (tile,) = self.tiles
            with open_placed(tile.source.path, tile.grid) as opened:
                return tile.source.read(opened, window)
        top, left = round(window.row_off), round(window.col_off)
        values = np.full((round(window.height), round(window.width)), np.nan, np.float32)
        for tile in self.tiles:
            row, column = self.grid.offset_of(tile.grid) or (0, 0)
            inside = _overlap((top, left), values.shape, (row, column), (tile.grid.height, tile.grid.width))
            if inside is None or not np.isnan(part := values[inside]).any():
                continue
            rows, columns = (
                range(at.start + first, at.stop + first) for at, first in zip(inside, (top, left), strict=True)
            )
            own = Window.from_slices(
                (rows.start - row, rows.stop - row), (columns.start - column, columns.stop - column)
            )
            with open_placed(tile.source.path, tile.grid) as opened:
                found = tile.source.read(opened, own)
            part[:] = np.where(np.isnan(part), found, part)
        return values


@dataclass(frozen=True, eq=False)
class Sheet:
    """One step of a band: its files in the order of their paths."""

    tiles: tuple[Tile, ...]
    groups: tuple[Aligned, ...]

    @classmethod
    def of(cls, tiles: Sequence[Tile], reference: Grid) -> "Sheet":
        """Put the tiles that share a pixel grid together."""
        groups: list[list[Tile]] = []
        for tile in tiles:
            group = next((group for group in groups if group[0].grid.offset_of(tile.grid) is not None), None)
            if group is None:
                groups.append([tile])
            else:
                group.append(tile)
        return cls(tuple(tiles), tuple(_aligned(group, reference) for group in groups))

    def digest_of(self, rows: np.ndarray, columns: np.ndarray, size: int) -> str | None:
        """Digest of the files that windows of `size` pixels from (rows, columns) [n] on read; None where none does."""
        touched = [tile.digest for tile in self.tiles if reaches(tile.reach, rows, columns, size).any()]
        return touched[0] if len(touched) == 1 else digest.of_values(touched) if touched else None

    def read(self, grid: Grid, top: int, left: int, height: int, width: int) -> np.ndarray:
        """A part [height, width] float32 of the grid, NaN where no file has a value; the caller's own."""
        result: np.ndarray | None = None
        for group in self.groups:
            found = read_part(group.grid, group, grid, top, left, height, width)
            result = found if result is None else np.where(np.isnan(result), found, result)
            if not np.isnan(result).any():
                break
        assert result is not None
        return result


def read_source(source: Source | Sheet, grid: Grid, top: int, left: int, height: int, width: int) -> np.ndarray:
    """A part [height, width] float32 of the grid from one file or from the files of a step; the caller's own."""
    if isinstance(source, Sheet):
        return source.read(grid, top, left, height, width)
    with open_raster(source.path) as dataset:
        return read_part(dataset, source, grid, top, left, height, width)


def _aligned(tiles: list[Tile], reference: Grid) -> Aligned:
    grid = union([tile.grid for tile in tiles])
    return Aligned(tuple(tiles), grid, reference.box_of(grid.crs, grid.transform, grid.height, grid.width))


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
