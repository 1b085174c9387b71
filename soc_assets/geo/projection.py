"""Coordinates in metres, for distances and square blocks: the grid's own CRS, or an equal-area projection.

Lambert's azimuthal equal-area projection keeps blocks of one size; within 500 km of its middle, distances are right to
0.1 %. Distances between continents do not belong here.
"""

import numpy as np
from rasterio.crs import CRS

from soc_assets.geo.grid import WGS84, Grid, move
from soc_assets.geo.places import on_sphere

_STRETCHED = 0.05  # share by which a metre of a CRS may be off on the ground: Web Mercator's is, by half at 48 degrees


def to_metres(longitude: np.ndarray, latitude: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Easting and northing [n] in metres of WGS84 degrees [n]."""
    return move(WGS84, metric_crs(grid), np.asarray(longitude, float), np.asarray(latitude, float))


def metric_crs(grid: Grid) -> CRS:
    """The grid's CRS where its metres are those on the ground, else an equal-area projection at the grid's middle."""
    x, y = grid.transform * (grid.width / 2, grid.height / 2)
    if grid.crs.is_projected and grid.crs.linear_units.lower() in ("metre", "meter", "m"):
        ends = on_sphere(*move(grid.crs, WGS84, np.array([x, x + 1000, x]), np.array([y, y, y + 1000])))
        if np.abs(np.linalg.norm(ends[1:] - ends[0], axis=1) / 1000 - 1).max() <= _STRETCHED:
            return grid.crs
    longitude, latitude = move(grid.crs, WGS84, np.array([x]), np.array([y]))
    middle = f"+lat_0={latitude[0]:.2f} +lon_0={longitude[0]:.2f}"
    return CRS.from_proj4(f"+proj=laea {middle} +datum=WGS84 +units=m +no_defs")
