"""The pixel grid that tiles of one step share, and which of them lie on it.

A tile's name gives its outer edges in degrees, its array the number of pixels between them. Names are rounded numbers,
so the grid is the one that most tiles agree with; what does not lie on it is reported, never shifted.
"""

from dataclasses import dataclass

import numpy as np

from soc_assets.legacy.tile_names import TileFile


@dataclass(frozen=True)
class Tile:
    """A tile whose array can be read: [rows, columns] pixels, the first row in the north."""

    file: TileFile
    rows: int
    columns: int
    dtype: np.dtype


@dataclass(frozen=True)
class PixelGrid:
    """A grid in degrees: a corner of pixels, and the width and height (both positive) of a pixel."""

    west: float
    north: float
    width: float
    height: float

    @classmethod
    def of_tile(cls, tile: Tile) -> "PixelGrid":
        """The tile's own grid."""
        file = tile.file
        width, height = (file.east - file.west) / tile.columns, (file.north - file.south) / tile.rows
        return cls(file.west, file.north, width, height)


def common_grid(tiles: list[Tile], tolerance: float) -> PixelGrid:
    """The grid on which most tiles lie: a tile's own (of several, the first's), or one fitted to those that lie on it.

    Args:
        tiles: at least one.
        tolerance: how far an edge may lie from the grid's lines, in pixels.
    """
    best, fitting = PixelGrid.of_tile(tiles[0]), np.zeros(0, bool)
    for tile in tiles:
        grid = PixelGrid.of_tile(tile)
        fits = place(tiles, grid)[2] <= tolerance
        if fits.sum() > fitting.sum():
            best, fitting = grid, fits
        if fits.all():
            return grid
    while True:
        refined = _fitted([tile for tile, fits in zip(tiles, fitting, strict=True) if fits], best)
        fits = place(tiles, refined)[2] <= tolerance
        if fits.sum() <= fitting.sum():
            return best
        best, fitting = refined, fits


def place(tiles: list[Tile], grid: PixelGrid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where tiles lie on a grid.

    Returns:
        Rows and columns [n] (int64) of the tiles' first pixels, counted from the grid's corner, and the largest
        distance [n] of an edge from the line where it should be, in pixels: no pixel is further from its place.
    """
    north, south, west, east = _edges(tiles).T
    shape = np.array([(tile.rows, tile.columns) for tile in tiles], float)
    rows, down = _along((grid.north - north) / grid.height, (grid.north - south) / grid.height, shape[:, 0])
    columns, across = _along((west - grid.west) / grid.width, (east - grid.west) / grid.width, shape[:, 1])
    return rows, columns, np.maximum(down, across)


def _along(start: np.ndarray, end: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First pixels and misfits along one axis, from the edges in pixels of the grid."""
    first = np.round((start + end - count) / 2)
    return first.astype(np.int64), np.maximum(abs(start - first), abs(end - first - count))


def _fitted(tiles: list[Tile], grid: PixelGrid) -> PixelGrid:
    """The least-squares grid of tiles that lie on `grid`."""
    north, south, west, east = _edges(tiles).T
    rows, columns, _ = place(tiles, grid)
    last_rows = rows + [tile.rows for tile in tiles]
    last_columns = columns + [tile.columns for tile in tiles]
    width, left = np.polyfit(np.concatenate([columns, last_columns]), np.concatenate([west, east]), 1)
    height, top = np.polyfit(np.concatenate([rows, last_rows]), np.concatenate([north, south]), 1)
    return PixelGrid(float(left), float(top), float(width), float(-height))


def _edges(tiles: list[Tile]) -> np.ndarray:
    """North, south, west and east [n, 4] in degrees."""
    return np.array([(tile.file.north, tile.file.south, tile.file.west, tile.file.east) for tile in tiles])
