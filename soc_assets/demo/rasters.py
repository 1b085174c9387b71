"""The rasters of the demo: GeoTIFFs that differ in CRS, resolution, type and "no data", as real ones do.

Here is decided how a band is stored; what it shows is in `soc_assets.demo.landscape`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.transform import Affine, array_bounds, from_origin
from rasterio.warp import transform, transform_bounds

from soc_assets.demo.landscape import EAST, NORTH, SOUTH, WEST, YEARS, Landscape

REFERENCE_CRS = CRS.from_epsg(25832)
DESCRIPTION = "synthetic demo data"
MISSING = {("LAI", 2009)}
"""Rasters left out, so that a gap is there to be seen."""
LAKES = 7
_BEYOND = 6_000  # metres that the yearly bands reach beyond the region


@dataclass(frozen=True)
class Storage:
    """How a band is stored: EPSG code, pixel size (units of the CRS), type, "no data", decimals, noise of pixels."""

    epsg: int
    pixel: float
    dtype: str
    nodata: float
    noise: float
    decimals: int = 0


STORAGE = {
    "Elevation": Storage(25832, 250, "int16", -32768, 4),
    "LAI": Storage(3035, 500, "uint8", 255, 0.8),
    "LST": Storage(4326, 1 / 120, "uint16", 0, 6),
    "MODIS_NPP": Storage(4326, 1 / 240, "uint16", 65535, 60),
    "SoilEvaporation": Storage(3035, 500, "float32", -9999, 0.006, decimals=3),
    "TotalEvapotranspiration": Storage(25832, 500, "int16", 32767, 2),
}


@dataclass(frozen=True)
class Pixels:
    """The grid of a band: transform, the place of each pixel's centre (EPSG:25832, metres), what lasts over the years.

    Arrays are [height, width].
    """

    transform: Affine
    x: np.ndarray
    y: np.ndarray
    lasting: np.ndarray


def write_rasters(folder: Path, landscape: Landscape) -> list[Path]:
    """Write static/Elevation.tif and yearly/<band>/<band>_<year>.tif below a folder."""
    elevation = folder / "static" / "Elevation.tif"
    pixels = _pixels("Elevation", landscape, beyond=0)
    _write(elevation, "Elevation", landscape, YEARS[0], pixels, np.zeros(pixels.x.shape, bool))
    written = [elevation]
    for band in [name for name in STORAGE if name != "Elevation"]:
        pixels = _pixels(band, landscape, _BEYOND)
        water = in_lakes(landscape, pixels.x, pixels.y)
        for year in YEARS:
            if (band, year) in MISSING:
                continue
            path = folder / "yearly" / band / f"{band}_{year}.tif"
            clouds = _ellipses(landscape.rng("clouds", band, year), pixels.x, pixels.y, count=2, longest=5_000)
            _write(path, band, landscape, year, pixels, water | clouds)
            written.append(path)
    return written


def in_lakes(landscape: Landscape, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether places (metres, EPSG:25832) lie in a lake, where no yearly band has a value."""
    return _ellipses(landscape.rng("lakes"), x, y, LAKES, longest=3_500)


def _ellipses(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, count: int, longest: float) -> np.ndarray:
    inside = np.zeros(x.shape, bool)
    for _ in range(count):
        centre_x, centre_y = rng.uniform(WEST, EAST), rng.uniform(SOUTH, NORTH)
        half_x, half_y = rng.uniform(0.3 * longest, longest, 2)
        inside |= ((x - centre_x) / half_x) ** 2 + ((y - centre_y) / half_y) ** 2 < 1
    return inside


def _pixels(band: str, landscape: Landscape, beyond: float) -> Pixels:
    crs, size = CRS.from_epsg(STORAGE[band].epsg), STORAGE[band].pixel
    bounds = (WEST - beyond, SOUTH - beyond, EAST + beyond, NORTH + beyond)
    west, south, east, north = transform_bounds(REFERENCE_CRS, crs, *bounds)
    left, top = np.floor(west / size), np.ceil(north / size)
    width, height = int(np.ceil(east / size) - left), int(top - np.floor(south / size))
    grid = from_origin(left * size, top * size, size, size)
    west, south, east, north = array_bounds(height, width, grid)
    columns, rows = np.meshgrid(west + (np.arange(width) + 0.5) * size, north - (np.arange(height) + 0.5) * size)
    x, y = transform(crs, REFERENCE_CRS, columns.ravel().tolist(), rows.ravel().tolist())[:2]
    x, y = np.reshape(x, (height, width)), np.reshape(y, (height, width))
    return Pixels(grid, x, y, landscape.lasting(band, x, y))


def _write(path: Path, band: str, landscape: Landscape, year: int, pixels: Pixels, holes: np.ndarray) -> None:
    storage = STORAGE[band]
    noise = landscape.rng("noise", band, year).normal(0, storage.noise, pixels.x.shape)
    values = np.round(landscape.band(band, year, pixels.x, pixels.y, pixels.lasting) + noise, storage.decimals)
    data = np.where(holes, storage.nodata, np.maximum(values, 0)).astype(storage.dtype)
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "deflate"}
    profile |= {"predictor": 3 if storage.dtype == "float32" else 2, "nodata": storage.nodata, "dtype": storage.dtype}
    height, width = data.shape
    crs = CRS.from_epsg(storage.epsg)
    with rasterio.open(
        path, "w", width=width, height=height, count=1, crs=crs, transform=pixels.transform, **profile
    ) as file:
        file.write(data, 1)
        file.update_tags(DESCRIPTION=DESCRIPTION)
