"""A grid and a raster whose CRS share only a part of the Earth: what has no place in the other is missing."""

import numpy as np
import pytest
from rasterio.crs import CRS
from rasterio.transform import from_origin

from soc_assets.errors import SettingsError
from soc_assets.geo.grid import WGS84, Grid, move
from soc_assets.geo.reference_grid import reference_grid
from soc_assets.ingest.extent import describe_grid
from soc_assets.rasters.steps import Step
from soc_assets.settings import Band, Rasters, ReferenceGrid
from soc_assets_tests.embedding.rasters import scanned
from soc_assets_tests.small_world import write_raster

GLOBAL = Grid(WGS84, from_origin(-180, 90, 0.5, 0.5), 720, 360)
UTM = Grid(CRS.from_epsg(25832), from_origin(300e3, 6200e3, 40e3, 40e3), 20, 30)
DISK = Grid(
    CRS.from_string("+proj=geos +h=35785831 +lon_0=0 +a=6378169 +b=6356583.8 +units=m"),
    from_origin(-5568e3, 5568e3, 48e3, 48e3),
    232,
    232,
)


def longitudes(grid: Grid) -> np.ndarray:
    """Longitude of each pixel's centre [h, w]; NaN in space."""
    columns, rows = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    x, y = (values.ravel() for values in grid.transform * (columns, rows))
    found = x if grid.crs == WGS84 else move(grid.crs, WGS84, x, y)[0]
    return np.where(np.isfinite(found), found, np.nan).reshape(rows.shape).astype(np.float32)


def write(folder, band, grid):
    write_raster(folder / f"{band}.tif", longitudes(grid), grid.transform, crs=grid.crs, nodata=np.nan)


@pytest.mark.parametrize("how", ["bilinear", "average", "nearest"])
@pytest.mark.parametrize(
    ("reference", "other", "least"),
    [
        (GLOBAL, UTM, 0.001),
        (GLOBAL, DISK, 0.3),
        (UTM, GLOBAL, 1),
        (UTM, DISK, 1),
        (DISK, GLOBAL, 0.7),
        (DISK, UTM, 0.003),
    ],
    ids=["global-UTM", "global-disk", "UTM-global", "UTM-disk", "disk-global", "disk-UTM"],
)
def test_a_pixel_holds_the_value_at_its_place_or_none(tmp_path, reference, other, least, how):
    write(tmp_path, "Elevation", reference)
    write(tmp_path, "Other", other)
    raster_index, catalog = scanned(
        tmp_path, Band(name="Other", kind="static", resampling=how), static_pattern="{band}.tif"
    )
    assert catalog.problems.empty
    mosaic = raster_index.mosaics["Other", Step(None, None)]
    found = mosaic.read(raster_index.grid, 0, 0, reference.height, reference.width)
    there = np.isfinite(found)
    assert there.mean() >= least
    error = np.abs(found - longitudes(reference))[there]
    assert np.nanmedian(error) < 0.5  # less than a pixel of the coarser
    box = reference.box_of(other.crs, other.transform, other.height, other.width)
    if np.isfinite(box).all():
        rows, columns = np.nonzero(there)
        assert rows.min() >= box[0] - 1 and rows.max() <= box[2] and columns.min() >= box[1] - 1


def test_points_without_a_place_do_not_hide_the_others():
    longitude, latitude = np.meshgrid(np.linspace(-180, 180, 500), np.linspace(-90, 90, 500))
    x, y = move(WGS84, DISK.crs, longitude.ravel(), latitude.ravel())
    there = np.isfinite(x) & np.isfinite(y)
    assert 0.35 < there.mean() < 0.45
    back = move(DISK.crs, WGS84, x[there], y[there])
    np.testing.assert_allclose(back[0], longitude.ravel()[there], atol=1e-4)


def test_a_grid_that_is_partly_in_space_is_described_and_needs_bounds_elsewhere(tmp_path):
    assert describe_grid(DISK) == "longitude -180.0000 to 180.0000, latitude -90.0000 to 90.0000"
    write(tmp_path, "Elevation", DISK)
    _, catalog = scanned(tmp_path, static_pattern="{band}.tif")
    settings = Rasters(
        bands=(Band(name="Elevation", kind="static"),), grid=ReferenceGrid(crs="EPSG:25832", resolution=1000)
    )
    with pytest.raises(SettingsError, match=r"no extent in EPSG:25832. Give `bounds`"):
        reference_grid(catalog.frame, settings)
