"""The reference grid of a study, on which the windows of every band are cut.

It is that of the reference band (the static Elevation raster), or has the CRS and resolution of [rasters.grid].
"""

import math

import numpy as np
import pandas as pd
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.transform import Affine

from soc_assets.errors import SettingsError
from soc_assets.geo.datum import ellipsoid_without_datum
from soc_assets.geo.grid import Grid
from soc_assets.settings import Rasters, ReferenceGrid


def reference_grid(catalog: pd.DataFrame, rasters: Rasters) -> Grid:
    """The reference grid: that of [rasters.grid], or of the reference band in the catalog.

    Raises:
        RasterError: the tiles of the reference band do not lie on one pixel grid, and none is set.
        SettingsError: CRS or bounds of [rasters.grid] cannot be used.
    """
    return grid_of(catalog, rasters.reference, rasters.grid)


def grid_of(catalog: pd.DataFrame, reference: str, chosen: ReferenceGrid | None) -> Grid:
    """`reference_grid` of a reference band and a custom grid, or None."""
    if chosen is None:
        return Grid.of_catalog(catalog, reference)
    try:
        crs = CRS.from_user_input(chosen.crs)
    except CRSError as error:
        raise SettingsError(
            f"crs = {chosen.crs!r} in [rasters.grid] of soc.toml is not a known CRS ({error}). "
            "Expected for example EPSG:25832."
        ) from error
    if ellipsoid := ellipsoid_without_datum(crs.to_wkt()):
        raise SettingsError(
            f"crs = {chosen.crs!r} in [rasters.grid] of soc.toml is on the ellipsoid {ellipsoid} without a known "
            "datum, so that rasters in other CRS would lie off by some 100 m. Expected for example EPSG:25832."
        )
    size = chosen.resolution
    left, bottom, right, top = chosen.bounds or _extent(catalog, reference, crs, size)
    width, height = round((right - left) / size), round((top - bottom) / size)
    if max(abs(width * size - (right - left)), abs(height * size - (top - bottom))) > 1e-6 * size:
        raise SettingsError(
            f"bounds = {list(chosen.bounds or ())} in [rasters.grid] of soc.toml are not whole pixels of {size:g}. "
            f"Nearest: [{left:g}, {bottom:g}, {left + width * size:g}, {bottom + height * size:g}]."
        )
    if chosen.bounds is None:
        _require_pixels(catalog, reference, crs, size)
    return Grid(crs, Affine(size, 0, left, 0, -size, top), width, height)


def _require_pixels(catalog: pd.DataFrame, reference: str, crs: CRS, size: float) -> None:
    """Refuse a pixel larger than the reference band: metres given to a CRS in degrees."""
    left, bottom, right, top = _bounds(catalog, reference, crs)
    if size > max(right - left, top - bottom):
        raise SettingsError(
            f"resolution = {size:g} in [rasters.grid] of soc.toml is larger than the whole reference band {reference}, "
            f"which is {right - left:g} by {top - bottom:g} in {crs}. It counts in {crs.units_factor[0]}s, as the CRS."
        )


def _extent(catalog: pd.DataFrame, reference: str, crs: CRS, size: float) -> tuple[float, float, float, float]:
    """Bounds of all rasters of the reference band in another CRS, expanded to multiples of the pixel size."""
    box = _bounds(catalog, reference, crs)
    low, high = np.array(box[:2]) / size, np.array(box[2:]) / size
    (left, bottom), (right, top) = np.floor(low + 1e-6) * size, np.ceil(high - 1e-6) * size
    if not all(map(math.isfinite, (left, bottom, right, top))):
        raise SettingsError(
            f"The reference band {reference} has no extent in {crs}. Give `bounds` in [rasters.grid] of soc.toml."
        )
    return float(left), float(bottom), float(right), float(top)


def _bounds(catalog: pd.DataFrame, reference: str, crs: CRS) -> tuple[float, float, float, float]:
    """Left, bottom, right and top of all rasters of the reference band in another CRS."""
    boxes = []
    for row in catalog[catalog["band"] == reference].to_dict("records"):
        boxes.append(Grid.of_row(row).bounds_in(crs))
    (left, bottom), (right, top) = np.min(boxes, axis=0)[:2], np.max(boxes, axis=0)[2:]
    return float(left), float(bottom), float(right), float(top)
