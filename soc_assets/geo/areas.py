"""The area on the ground of pixels and polygons, km2, on the WGS84 ellipsoid in whatever CRS they are."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import shapely

from soc_assets.geo.grid import WGS84, Grid, move

if TYPE_CHECKING:
    import pyproj

_KNOTS = 33  # places along an edge of the grid at which areas are computed; between them they are interpolated
_KNOTS_IN_DEGREES = 1025  # where they only change from row to row


@dataclass(frozen=True)
class CellAreas:
    """Areas of the pixels of a grid: at knots [r, c], km2, in rows and columns [r], [c]."""

    rows: np.ndarray
    columns: np.ndarray
    at_knots: np.ndarray

    def window(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Areas [height, width] of a window's pixels, km2."""
        down = _between(self.rows, top + np.arange(height)) @ self.at_knots
        return down @ _between(self.columns, left + np.arange(width)).T


def cell_areas(grid: Grid) -> CellAreas:
    """The areas of a grid's pixels, right to 1e-5 where the grid is smaller than a continent."""
    in_degrees = grid.crs.is_geographic and grid.transform.b == grid.transform.d == 0
    counts = (min(grid.height, _KNOTS_IN_DEGREES), 1) if in_degrees else (_KNOTS, _KNOTS)
    rows, columns = np.linspace(0, grid.height - 1, counts[0]), np.linspace(0, grid.width - 1, counts[1])
    return CellAreas(rows, columns, _pixel_areas(grid, *np.meshgrid(rows, columns, indexing="ij")))


def polygon_area(polygons: np.ndarray, crs: "pyproj.CRS") -> float:
    """The area of polygons [k] that do not overlap, km2; edges between corners are geodesics."""
    change = _to_degrees(crs)
    there = shapely.transform(polygons, lambda at: np.column_stack(change.transform(at[:, 0], at[:, 1])))
    return sum(_ring_area(polygon) for polygon in there)


def _ring_area(polygon: shapely.Geometry) -> float:
    """Of a polygon in degrees without its holes, km2."""
    areas = [abs(_geodesic_area(*shapely.get_coordinates(ring).T)) for ring in shapely.get_rings(polygon)]
    return areas[0] - sum(areas[1:])


def _pixel_areas(grid: Grid, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Of the pixels [r, c] that begin at (fractional) rows and columns [r, c], km2."""
    down, right = rows[..., None] + [0, 0, 1, 1], columns[..., None] + [0, 1, 1, 0]
    a, b, c, d, e, f = grid.transform[:6]
    x, y = a * right + b * down + c, d * right + e * down + f
    longitude, latitude = move(grid.crs, WGS84, x.ravel(), y.ravel())
    corners = zip(longitude.reshape(-1, 4), latitude.reshape(-1, 4), strict=True)
    return np.array([abs(_geodesic_area(*each)) for each in corners]).reshape(rows.shape)


def _geodesic_area(longitude: np.ndarray, latitude: np.ndarray) -> float:
    return _ellipsoid().polygon_area_perimeter(longitude, latitude)[0] / 1e6


@lru_cache(maxsize=8)
def _to_degrees(crs: "pyproj.CRS") -> "pyproj.Transformer":
    import pyproj

    return pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)


@lru_cache(maxsize=1)
def _ellipsoid() -> "pyproj.Geod":
    import pyproj

    return pyproj.Geod(ellps="WGS84")


def _between(knots: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Weights [n, k] of knots [k] for linear interpolation at places [n]."""
    if len(knots) == 1:
        return np.ones((len(at), 1))
    step = (knots[-1] - knots[0]) / (len(knots) - 1)
    where = np.clip((at - knots[0]) / step, 0, len(knots) - 1) if step else np.zeros(len(at))
    first = np.minimum(where.astype(int), len(knots) - 2)
    weights = np.zeros((len(at), len(knots)))
    weights[np.arange(len(at)), first] = 1 - (where - first)
    weights[np.arange(len(at)), first + 1] = where - first
    return weights
