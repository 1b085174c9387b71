"""Grids of pixels: which pixel a coordinate falls into, and where one grid lies on another.

Which grid is the reference of a study is in `soc_assets.geo.reference_grid`. Reading pixels does not belong here.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.env import Env
from rasterio.transform import Affine, array_bounds
from rasterio.warp import transform as transform_coordinates
from rasterio.warp import transform_bounds

from soc_assets.errors import RasterError

if TYPE_CHECKING:
    import pyproj

Box = tuple[float, float, float, float]  # top, left, bottom, right in pixels of a grid
WGS84 = CRS.from_epsg(4326)


@dataclass(frozen=True)
class Grid:
    """CRS, affine transform and size in pixels."""

    crs: CRS
    transform: Affine
    width: int
    height: int

    def __hash__(self) -> int:
        """Without the CRS, whose own hash takes GDAL longer than all else that looks a grid up."""
        return hash((self.transform, self.width, self.height))

    @classmethod
    def of_row(cls, row: Mapping[Any, Any]) -> "Grid":
        """The grid of one raster of the catalog (crs, transform, height, width)."""
        crs = crs_of_text(row["crs"])
        return cls(crs, Affine(*row["transform"]), int(row["width"]), int(row["height"]))

    @classmethod
    def of_catalog(cls, catalog: pd.DataFrame, band: str) -> "Grid":
        """The grid of a static band in the raster catalog, of all its tiles together.

        Raises:
            RasterError: its tiles do not lie on one pixel grid.
        """
        rows = catalog[catalog["band"] == band]
        tiles = [cls.of_row(row) for row in rows.to_dict("records")]
        for path, tile in zip(rows["path"], tiles, strict=True):
            if tile.offset_of(tiles[0]) is None:
                raise RasterError(
                    f"The tiles of the reference band {band} do not lie on one pixel grid: {path} differs from "
                    f"{rows['path'].iloc[0]} in CRS, pixel size or a part of a pixel. Set CRS and resolution of the "
                    'reference grid in soc.toml: [rasters.grid] crs = "EPSG:25832", resolution = 250'
                )
        return union(tiles)

    def part(self, top: int, left: int, height: int, width: int) -> "Grid":
        """The pixels from a row and column on, which may lie beyond the grid."""
        a, b, c, d, e, f = self.transform[:6]  # by hand: a product of Affines takes as long as reading a small raster
        return Grid(self.crs, Affine(a, b, a * left + b * top + c, d, e, d * left + e * top + f), width, height)

    def offset_of(self, other: "Grid") -> tuple[int, int] | None:
        """Row and column in this grid of the other's first pixel, if both have the same pixels; else None."""
        if self.crs is not other.crs and self.crs != other.crs:
            return None
        relative = ~self.transform * other.transform
        linear = np.array([relative.a - 1, relative.b, relative.d, relative.e - 1])
        row, column = round(relative.f), round(relative.c)
        aligned = abs(relative.f - row) < 1e-3 and abs(relative.c - column) < 1e-3
        return (row, column) if aligned and np.abs(linear).max() < 1e-6 else None

    def fractional_pixels(
        self, longitude: npt.ArrayLike, latitude: npt.ArrayLike, counts: Sequence[int] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns, not rounded, of WGS84 coordinates; infinite where the CRS has no such place.

        Args:
            longitude: [n] degrees.
            latitude: [n] degrees.
            counts: places of groups that follow each other: the result is that of each group by itself. (GDAL may
                choose how to change the datum by the mean of the places that it is given.)
        """
        longitude, latitude = np.asarray(longitude, float), np.asarray(latitude, float)
        if not len(longitude):
            return np.empty(0), np.empty(0)
        if self.crs == WGS84:
            x, y = longitude, latitude
        else:
            x, y = _move_groups(WGS84, self.crs, longitude, latitude, counts or [len(longitude)])
        inverse = ~self.transform
        with np.errstate(invalid="ignore"):
            return inverse.d * x + inverse.e * y + inverse.f, inverse.a * x + inverse.b * y + inverse.c

    def pixels(
        self, longitude: npt.ArrayLike, latitude: npt.ArrayLike, counts: Sequence[int] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """`fractional_pixels`, rounded down [n] (int64); far outside the grid where not finite."""
        rows, columns = self.fractional_pixels(longitude, latitude, counts)
        far = -(2**31)
        finite = np.isfinite(rows) & np.isfinite(columns)
        floor = [
            np.where(finite, np.floor(np.where(finite, value, 0)), far).astype(np.int64) for value in (rows, columns)
        ]
        return floor[0], floor[1]

    def box_of(self, crs: CRS, transform: Affine, height: int, width: int) -> Box:
        """Top, left, bottom and right, in pixels of this grid, of a raster in any CRS; infinite if it has no place."""
        along = np.linspace(0, 1, 21)
        x, y = (values.ravel() * size for values, size in zip(np.meshgrid(along, along), (width, height), strict=True))
        xs, ys = transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f
        if crs != self.crs:
            xs, ys = move(crs, self.crs, xs, ys)
        inverse = ~self.transform
        with np.errstate(invalid="ignore"):
            columns, rows = inverse.a * xs + inverse.b * ys + inverse.c, inverse.d * xs + inverse.e * ys + inverse.f
        if not (np.isfinite(rows) & np.isfinite(columns)).all():
            return (-np.inf, -np.inf, np.inf, np.inf)  # partly outside this CRS: counts as lying everywhere
        return float(rows.min()), float(columns.min()), float(rows.max()), float(columns.max())

    def bounds_in(self, crs: CRS) -> tuple[float, float, float, float]:
        """Left, bottom, right and top in a CRS; infinite where part of the grid has no place in it."""
        bounds = array_bounds(self.height, self.width, self.transform)
        if self.crs == crs:
            return bounds
        nowhere = -math.inf, -math.inf, math.inf, math.inf
        try:
            there = transform_bounds(self.crs, crs, *bounds)
        except CPLE_BaseError:
            return nowhere
        return there if all(map(math.isfinite, there)) else nowhere

    def contains(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Whether pixels [n] lie inside the grid."""
        return (rows >= 0) & (rows < self.height) & (columns >= 0) & (columns < self.width)


@lru_cache(maxsize=2**14)
def box_on(grid: Grid, other: Grid) -> Box:
    """`Grid.box_of` another grid, computed once however many rasters lie on its pixels."""
    return grid.box_of(other.crs, other.transform, other.height, other.width)


@lru_cache(maxsize=256)
def crs_of_text(text: str) -> CRS:
    """The coordinate reference system of a text, the same object each time: comparing two takes GDAL a while."""
    crs = CRS.from_user_input(text)
    wkt = crs.to_wkt()
    return crs if wkt == text else crs_of_text(wkt)


def _move_groups(
    source: CRS, target: CRS, x: np.ndarray, y: np.ndarray, counts: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """`move` of each group by itself."""
    if len(counts) == 1:
        return move(source, target, x, y)
    ends = np.cumsum(counts).tolist()
    with Env.from_defaults():  # else rasterio makes one for each group
        parts = [move(source, target, x[a:b], y[a:b]) for a, b in zip([0, *ends], ends, strict=False) if b > a]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def move(source: CRS, target: CRS, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates [n] in another CRS; infinite where it has no such place."""
    try:
        xs, ys = transform_coordinates(source, target, x.tolist(), y.tolist())[:2]
        return np.asarray(xs, float), np.asarray(ys, float)
    except CPLE_BaseError:  # one point outside the projection's domain fails all: find the others
        return _move_those_that_can_be(source, target, x, y)


def _move_those_that_can_be(source: CRS, target: CRS, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`move` of points of which some have no place in the target: pyproj tells which, all at once."""
    there = _transformer(source.to_wkt(), target.to_wkt()).transform(x, y)
    can_be = np.isfinite(there[0]) & np.isfinite(there[1])
    xs, ys = np.full(len(x), np.inf), np.full(len(x), np.inf)
    if can_be.all():
        xs, ys = _one_by_one(source, target, x, y)
    elif can_be.any():
        xs[can_be], ys[can_be] = move(source, target, x[can_be], y[can_be])
    return xs, ys


@lru_cache(maxsize=64)
def _transformer(source: str, target: str) -> "pyproj.Transformer":
    import pyproj

    return pyproj.Transformer.from_crs(source, target, always_xy=True)


def _one_by_one(source: CRS, target: CRS, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`move` where pyproj sees no reason for GDAL's refusal: by halves, down to the points that fail."""
    if len(x) == 1:
        return np.full(1, np.inf), np.full(1, np.inf)
    half = len(x) // 2
    parts = [move(source, target, x[part], y[part]) for part in (slice(half), slice(half, None))]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def union(tiles: Sequence[Grid]) -> Grid:
    """The smallest grid that holds all tiles, which must have the same pixels."""
    offsets = [tiles[0].offset_of(tile) or (0, 0) for tile in tiles]
    top, left = (min(values) for values in zip(*offsets, strict=True))
    bottom = max(row + tile.height for (row, _), tile in zip(offsets, tiles, strict=True))
    right = max(column + tile.width for (_, column), tile in zip(offsets, tiles, strict=True))
    exact = next((tile for tile, offset in zip(tiles, offsets, strict=True) if offset == (top, left)), None)
    transform = exact.transform if exact else tiles[0].transform * Affine.translation(left, top)
    return Grid(tiles[0].crs, transform, right - left, bottom - top)
