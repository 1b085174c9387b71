"""Where a raster lies on Earth, and whether that can be used: CRS, datum, georeferencing, poles and the antimeridian.

Each refusal comes with a fix that works for the file's format; reading pixels is in `rasters.reading`.
"""

from functools import lru_cache

import numpy as np
from rasterio.crs import CRS

from soc_assets.errors import RasterError
from soc_assets.geo.datum import ellipsoid_without_datum
from soc_assets.geo.grid import WGS84, Grid, crs_of_text, move
from soc_assets.rasters.cf import axes_in_degrees
from soc_assets.rasters.coding import Dataset

_ALONG = 33  # points along each edge at which a raster's place on Earth is looked at


def grid_of_dataset(dataset: Dataset) -> Grid:
    """The pixels of an open raster, in its horizontal coordinate reference system."""
    return Grid(crs_of(dataset), dataset.transform, dataset.width, dataset.height)


def crs_of(dataset: Dataset) -> CRS:
    """The horizontal coordinate reference system: of a compound one the horizontal part.

    A NetCDF variable in degrees north and east that names no CRS is in WGS84, as the CF conventions have it.
    """
    if not dataset.crs and _in_degrees(dataset):
        return crs_of_text(WGS84.to_wkt())
    return crs_of_text(_without_heights(dataset.crs.to_wkt()))


def _in_degrees(dataset: Dataset) -> bool:
    return len(axes_in_degrees(dataset)) == 2


@lru_cache(maxsize=256)
def _without_heights(text: str) -> str:
    if not text.startswith(("COMPD_CS[", "COMPOUNDCRS[")):
        return text
    start = text.index(",") + 1
    depth, quoted = 0, False
    for position in range(start, len(text)):
        quoted ^= text[position] == '"'
        if not quoted and text[position] in "[]":
            depth += 1 if text[position] == "[" else -1
            if depth == 0:
                return text[start : position + 1]
    return text


def require_georeferencing(dataset: Dataset, name: str) -> None:
    """Refuse a raster that does not state its position: control points alone, no CRS, no extent.

    Raises:
        RasterError: names the file and a fix.
    """
    crs = dataset.crs
    if dataset.gcps[0] and (dataset.transform.is_identity or not crs):
        raise RasterError(
            f"The raster {name} is placed by {len(dataset.gcps[0])} control points and not by a pixel size. "
            f"Rectify it: rio warp --dst-crs EPSG:n {opened_as(dataset)} rectified.tif"
        )
    if not (crs and (crs.is_geographic or crs.is_projected)) and not (not crs and _in_degrees(dataset)):
        raise RasterError(
            f"The raster {name} has no coordinate reference system (found {crs or 'none'}). "
            f"If you know it, write it into the file: {_with_crs(dataset)}"
        )
    if dataset.transform.is_identity or dataset.transform.is_degenerate:
        raise RasterError(
            f"The raster {name} has a coordinate reference system but no georeferencing (no place and pixel size). "
            "Export it again as GeoTIFF with its extent, or write the size of a pixel and the corner into it: "
            f'rio edit-info --transform "[width, 0, left, 0, -height, top]" {opened_as(dataset)}'
        )


def require_datum(dataset: Dataset, name: str) -> None:
    """Refuse a raster whose CRS names an ellipsoid but no datum: it would be placed as if it were in WGS84.

    Raises:
        RasterError: names the file and a fix.
    """
    crs = crs_of(dataset)
    if ellipsoid := ellipsoid_without_datum(crs.to_wkt()):
        raise RasterError(
            f"The raster {name} is in a coordinate reference system on the ellipsoid {ellipsoid} without a known "
            "datum, so that its position on Earth is undefined: without a datum shift it is often more than 100 m "
            "off. Give it the full CRS, for example EPSG:31468 (Gauss-Krüger zone 4, DHDN) instead of a zone on "
            f"Bessel 1841: {_with_crs(dataset)}"
        )


def require_no_wrapping(dataset: Dataset, name: str) -> None:
    """Refuse a raster in which longitude wraps around: points close on Earth are far apart in degrees.

    Raises:
        RasterError: a pole or the antimeridian lies in it.
    """
    if trouble := _trouble(grid_of_dataset(dataset)):
        raise RasterError(
            f"The raster {name} {trouble}, where longitudes wrap round. Cut out your region, with bounds in the CRS of "
            f'the file: rio clip --bounds "left bottom right top" {opened_as(dataset)} region.tif'
            + (
                '; longitudes above 180 are brought below by rio edit-info --transform "[width, 0, left - 360, 0, '
                '-height, top]" region.tif'
                "; cut a region on both sides of Greenwich out in two parts, bring the western one below, and put "
                "{tile} into the pattern"
                if "longitudes run" in trouble
                else ""
            )
        )


def opened_as(dataset: Dataset) -> str:
    """What to give `rio` for the file: its name without folders, with the variable in it."""
    start, slash, file = dataset.name.rpartition("/")
    driver = start.partition(":")[0] if ":" in start else ""
    page = start.split(":")[1] + ":" if driver == "GTIFF_DIR" else ""
    return f"{driver}:{page}{file}".replace('"', "") if slash and driver else file


def _with_crs(dataset: Dataset) -> str:
    """The commands that give a file a CRS: only GeoTIFFs can be changed in place."""
    name = opened_as(dataset)
    if dataset.driver == "GTiff" and ":" not in name:
        return f"rio edit-info --crs EPSG:n {name}"
    return f"rio convert {name} with_crs.tif, then rio edit-info --crs EPSG:n with_crs.tif, and let the band read that"


@lru_cache(maxsize=1024)
def _trouble(grid: Grid) -> str | None:
    """What lies in a raster with these pixels: a pole or the antimeridian, or neither."""
    a = grid.transform
    corners = [a * (column, row) for column in (0, grid.width) for row in (0, grid.height)]
    if grid.crs.is_geographic:
        (left, bottom), (right, top) = np.min(corners, axis=0), np.max(corners, axis=0)
        pixel = max(map(abs, (a.a, a.b, a.d, a.e)))  # rasters of the whole Earth are rounded
        if left < -180 - pixel or right > 180 + pixel:
            return f"crosses the antimeridian (its longitudes run from {left:g} to {right:g})"
        if bottom < -90 - pixel or top > 90 + pixel:
            return f"reaches over a pole (its latitudes run from {bottom:g} to {top:g})"
        return None
    xs, ys = move(WGS84, grid.crs, np.zeros(2), np.array([90.0, -90.0]))
    for x, y in zip(xs[np.isfinite(xs)], ys[np.isfinite(xs)], strict=True):
        column, row = ~a * (float(x), float(y))
        if 0 < column < grid.width and 0 < row < grid.height:
            return "contains a pole"
    return "crosses the antimeridian" if _wraps(grid) else None


def _wraps(grid: Grid) -> bool:
    """Whether longitude jumps between neighbouring points of the raster."""
    columns, rows = np.meshgrid(*(np.linspace(0.5, size - 0.5, _ALONG) for size in (grid.width, grid.height)))
    a = grid.transform
    xs, ys = a.a * columns + a.b * rows + a.c, a.d * columns + a.e * rows + a.f
    longitude = move(grid.crs, WGS84, xs.ravel(), ys.ravel())[0].reshape(xs.shape)
    longitude[~np.isfinite(longitude)] = np.nan
    jumps = np.concatenate([np.abs(np.diff(longitude, axis=axis)).ravel() for axis in (0, 1)])
    return bool((jumps > 180).any())
