"""The reference grid: which pixel a coordinate falls into.

The grid is the georeferencing of the reference band (the static Elevation raster); windows of every band are cut on it.
Reading pixels does not belong here.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from rasterio.crs import CRS
from rasterio.transform import Affine
from rasterio.warp import transform as transform_coordinates

Box = tuple[float, float, float, float]  # top, left, bottom, right in pixels of a grid
WGS84 = CRS.from_epsg(4326)


@dataclass(frozen=True)
class Grid:
    """CRS, affine transform and size in pixels."""

    crs: CRS
    transform: Affine
    width: int
    height: int

    @classmethod
    def of_catalog(cls, catalog: pd.DataFrame, band: str) -> "Grid":
        """The grid of a static band in the raster catalog (columns crs, transform, height, width)."""
        row = catalog[catalog["band"] == band].iloc[0]
        return cls(CRS.from_user_input(row["crs"]), Affine(*row["transform"]), int(row["width"]), int(row["height"]))

    def fractional_pixels(self, longitude: npt.ArrayLike, latitude: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns, not rounded, of WGS84 coordinates; infinite where the CRS has no such place.

        Args:
            longitude: [n] degrees.
            latitude: [n] degrees.
        """
        longitude, latitude = np.asarray(longitude, float), np.asarray(latitude, float)
        if not len(longitude):
            return np.empty(0), np.empty(0)
        if self.crs == WGS84:
            x, y = longitude, latitude
        else:
            xs, ys = transform_coordinates(WGS84, self.crs, longitude.tolist(), latitude.tolist())[:2]
            x, y = np.asarray(xs), np.asarray(ys)
        inverse = ~self.transform
        columns = inverse.a * x + inverse.b * y + inverse.c
        rows = inverse.d * x + inverse.e * y + inverse.f
        return rows, columns

    def pixels(self, longitude: npt.ArrayLike, latitude: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns [n] (int64, floor of the inverse transform); far outside the grid where not finite."""
        rows, columns = self.fractional_pixels(longitude, latitude)
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
            moved = transform_coordinates(crs, self.crs, xs.tolist(), ys.tolist())
            xs, ys = np.asarray(moved[0]), np.asarray(moved[1])
        inverse = ~self.transform
        columns, rows = inverse.a * xs + inverse.b * ys + inverse.c, inverse.d * xs + inverse.e * ys + inverse.f
        if not (np.isfinite(rows) & np.isfinite(columns)).all():
            return (-np.inf, -np.inf, np.inf, np.inf)  # partly outside this CRS: counts as lying everywhere
        return float(rows.min()), float(columns.min()), float(rows.max()), float(columns.max())

    def contains(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Whether pixels [n] lie inside the grid."""
        return (rows >= 0) & (rows < self.height) & (columns >= 0) & (columns < self.width)
