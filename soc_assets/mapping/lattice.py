"""The cells of a map and how they are cut: tiles of 512 reference pixels, and in them blocks of 32 x 32 cells.

A cell is a pixel of the reference grid, or the middle one of `step` x `step` pixels. Tiles and blocks have fixed places
whatever the region or the setting `tile`: arithmetic runs block by block, and no number depends on how a map is cut.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rasterio.transform import Affine

from soc_assets.geo.grid import WGS84, Grid, move
from soc_assets.rasters.tiles import TILE

BLOCK = 32
"""Cells along the edge of a block."""


@dataclass(frozen=True)
class Cells:
    """A rectangle of cells: rows top to bottom (exclusive), columns left to right (exclusive)."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bottom - self.top, self.right - self.left

    @property
    def size(self) -> int:
        """Cells."""
        return (self.bottom - self.top) * (self.right - self.left)

    def blocks(self) -> list["Cells"]:
        """The blocks of a tile, row by row; those at its lower and right edge end there."""
        rows, columns = range(self.top, self.bottom, BLOCK), range(self.left, self.right, BLOCK)
        return [Cells(r, c, min(r + BLOCK, self.bottom), min(c + BLOCK, self.right)) for r in rows for c in columns]

    def strips(self, rows: int) -> list["Cells"]:
        """These cells cut into strips of so many rows, top to bottom."""
        tops = range(self.top, self.bottom, rows)
        return [Cells(top, self.left, min(top + rows, self.bottom), self.right) for top in tops]

    def inside(self, outer: "Cells") -> tuple[slice, slice]:
        """Where these cells are in an array of others."""
        return (
            slice(self.top - outer.top, self.bottom - outer.top),
            slice(self.left - outer.left, self.right - outer.left),
        )


@dataclass(frozen=True, order=True)
class Place:
    """A tile's row and column on the lattice."""

    row: int
    column: int

    def __str__(self) -> str:
        return f"r{self.row:04d}_c{self.column:04d}"


@dataclass(frozen=True)
class Lattice:
    """The cells of a reference grid.

    Attributes:
        reference: the grid.
        step: every how many pixels there is a cell.
    """

    reference: Grid
    step: int = 1

    @property
    def offset(self) -> int:
        """The first cell's pixel."""
        return self.step // 2

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        height, width = (
            -(-(size - self.offset) // self.step) for size in (self.reference.height, self.reference.width)
        )
        return max(height, 0), max(width, 0)

    @property
    def grid(self) -> Grid:
        """The map's own grid: cells of `step` x `step` pixels from the corner of the reference grid on."""
        transform = self.reference.transform
        if self.step > 1:
            transform = transform * Affine.scale(self.step)
        return Grid(self.reference.crs, transform, self.shape[1], self.shape[0])

    def places(self) -> list[Place]:
        """The tiles that hold cells, row by row."""
        rows, columns = (range(-(-size // TILE)) for size in (self.reference.height, self.reference.width))
        every = (Place(row, column) for row in rows for column in columns)
        return [place for place in every if self.cells(place).size > 0]

    def cells(self, place: Place) -> Cells:
        """The cells whose pixels lie in a tile."""
        (top, bottom), (left, right) = (
            (self._first(index, count), self._first(index + 1, count))
            for index, count in zip((place.row, place.column), self.shape, strict=True)
        )
        return Cells(top, left, bottom, right)

    def _first(self, index: int, count: int) -> int:
        """The first cell whose pixel is not above or left of a tile."""
        return min(max(-(-(index * TILE - self.offset) // self.step), 0), count)

    def pixels(self, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
        """Rows [h] and columns [w] of the cells' pixels on the reference grid."""
        rows, columns = np.arange(cells.top, cells.bottom), np.arange(cells.left, cells.right)
        return rows * self.step + self.offset, columns * self.step + self.offset

    def coordinates(self, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
        """Longitude and latitude [h * w] of the centres of the cells' pixels."""
        rows, columns = (values.ravel() + 0.5 for values in np.meshgrid(*self.pixels(cells), indexing="ij"))
        return self.degrees(*self.metres(rows, columns))

    def metres(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """X and y [n], in the CRS of the grid, of rows and columns of the reference grid that need not be whole."""
        a, b, c, d, e, f = self.reference.transform[:6]
        return a * columns + b * rows + c, d * columns + e * rows + f

    def degrees(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Longitude and latitude [n] of coordinates in the CRS of the grid."""
        return (x, y) if self.reference.crs == WGS84 else move(self.reference.crs, WGS84, x, y)

    def cells_of_pixels(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row and column [n] of the cell that holds each pixel; -1 outside the map."""
        height, width = self.shape
        r, c = rows // self.step, columns // self.step
        outside = (r < 0) | (c < 0) | (r >= height) | (c >= width)
        return np.where(outside, -1, r), np.where(outside, -1, c)


@dataclass(frozen=True, order=True)
class Period:
    """A year, or a season of a year (a winter has the year of its January)."""

    year: int
    season: str | None = None

    def __str__(self) -> str:
        return f"{self.year}_{self.season}" if self.season else str(self.year)

    @classmethod
    def of(cls, name: str) -> "Period":
        """The period of a name such as `2023` or `2023_summer`."""
        year, _, season = name.partition("_")
        return cls(int(year), season or None)

    def rows(self, longitude: np.ndarray, latitude: np.ndarray) -> pd.DataFrame:
        """Places [n] as rows to be predicted in this period."""
        return pd.DataFrame(
            {
                "longitude": longitude,
                "latitude": latitude,
                "year": pd.array([self.year] * len(longitude), "Int32"),
                "season": pd.Series([self.season] * len(longitude), dtype="object"),
                "season_year": pd.array([self.year] * len(longitude), "Int32"),
            }
        )


def key_of(period: Period, place: Place) -> str:
    """The partition of a tile: `2023_r0003_c0012`."""
    return f"{period}_{place}"


def of_key(key: str) -> tuple[Period, Place]:
    """Period and place of a partition."""
    name, row, column = key.rsplit("_", 2)
    return Period.of(name), Place(int(row[1:]), int(column[1:]))


def iter_windows(top: int, bottom: int, size: int) -> Iterator[int]:
    """First pixels of windows of `size` pixels that together cover those from `top` to `bottom` and no others."""
    yield from range(top, max(bottom - size, top), size)
    yield max(bottom - size, top)
