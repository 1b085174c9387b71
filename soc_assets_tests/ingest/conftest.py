"""Small real rasters and grids written for the tests of the ingest stage."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from soc_assets.geo.grid import WGS84, Grid
from soc_assets.ingest.soil.samples import SoilSamples, build_samples
from soc_assets.settings import Band, Rasters, Soil

WEST, NORTH, PIXEL = 11.0, 49.0, 0.01


def write_raster(path: Path, values: np.ndarray, *, mask: np.ndarray | None = None, **profile: Any) -> Path:
    """A GeoTIFF [h, w] in Bavaria (EPSG:4326, 0.01 degree) unless `profile` says otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scale, offset = profile.pop("scale", 1.0), profile.pop("offset", 0.0)
    place = {"crs": "EPSG:4326", "transform": from_origin(WEST, NORTH, PIXEL, PIXEL)}
    shape = {"driver": "GTiff", "height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": values.dtype}
    with rasterio.open(path, "w", **{**shape, **place, **profile}) as dataset:
        if (scale, offset) != (1, 0):  # set before the pixels: a directory rewritten later moves to the file's end
            dataset.scales, dataset.offsets = [scale] * dataset.count, [offset] * dataset.count
        dataset.write(values, 1)
        if mask is not None:
            dataset.write_mask(mask)
    return path


def truncate(path: Path) -> None:
    """Cut off the second half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.fixture
def bands() -> Rasters:
    """Elevation, yearly LAI, seasonal NDVI."""
    return Rasters(bands=(Band(name="Elevation", kind="static"), Band(name="LAI"), Band(name="NDVI", kind="seasonal")))


@pytest.fixture
def region(tmp_path: Path) -> Path:
    """Rasters for `bands`: Elevation, LAI 2011 and 2012, NDVI winter and summer 2012."""
    folder, rng = tmp_path / "rasters", np.random.default_rng(1)
    write_raster(folder / "static/Elevation.tif", rng.normal(500, 100, (40, 60)).astype("float32"))
    for year in (2011, 2012):
        write_raster(folder / f"yearly/LAI/LAI_{year}.tif", rng.integers(0, 70, (20, 30), dtype="uint8"))
    for season in ("winter", "Summer"):
        path = folder / f"seasonal/NDVI/NDVI_2012_{season}.tif"
        write_raster(path, rng.integers(0, 200, (20, 30), dtype="uint8"), nodata=7)
    return folder


@pytest.fixture
def grid() -> Grid:
    """100 x 100 pixels of 0.01 degree: longitude 11 to 12, latitude 48 to 49."""
    return Grid(WGS84, from_origin(WEST, NORTH, PIXEL, PIXEL), width=100, height=100)


@pytest.fixture
def build(tmp_path, grid):
    """`build_samples` of the folder tmp_path/soil; yearly bands unless told otherwise."""

    def run(*, timed: bool = True, seasonal: bool = False, **soil) -> SoilSamples:
        return build_samples(tmp_path / "soil", Soil(**soil), timed=timed, seasonal=seasonal, grid=grid)

    return run
