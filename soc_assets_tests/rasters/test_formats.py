"""Whatever a raster is stored as, a window holds its values: pixels that say where they are, in every form."""

import os
import subprocess
import sys

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from numpy.testing import assert_allclose, assert_array_equal
from rasterio.transform import Affine
from rasterio.warp import transform as transform_coordinates

from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.rasters.steps import Step
from soc_assets.settings import Band, Rasters
from soc_assets_tests.embedding.rasters import at, numbered, scanned, window, write_layers, write_reference
from soc_assets_tests.small_world import ORIGIN, UTM, write_raster

LAI = Band(name="LAI", pattern="{band}_{year}.tif")
STEP = Step(2020)


@pytest.fixture
def folder(tmp_path):
    write_reference(tmp_path)
    return tmp_path


def read(folder, band=LAI):
    raster_index, catalog = scanned(folder, band)
    assert not len(catalog.problems)
    return window(raster_index, "LAI", STEP), catalog.frame.iloc[1]


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
)
def test_every_dtype_with_nodata_scale_and_offset(folder, dtype):
    stored = (np.arange(64 * 64).reshape(64, 64) % 100).astype(dtype)
    nodata = min(np.iinfo(dtype).max, 2**53) if np.dtype(dtype).kind in "iu" else -9999.5
    stored[3, 5] = nodata
    path = write_layers(folder / "LAI_2020.tif", [stored], nodata=nodata)
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = [0.5], [-10.0]
    values, row = read(folder)
    expected = np.where(stored == nodata, np.nan, stored.astype(float) * 0.5 - 10.0)
    assert_array_equal(values, expected.astype(np.float32))
    assert (row["dtype"], row["valid_count"]) == (dtype, 64 * 64 - 1)
    assert row["mean"] == pytest.approx(np.nanmean(expected), rel=1e-9)


def test_half_floats(folder):
    stored = (numbered(64, 64) % 97).astype(np.float32)
    write_layers(folder / "LAI_2020.tif", [stored], NBITS=16)
    assert_array_equal(read(folder)[0], stored)


def test_scale_and_offset_are_those_of_the_layer(folder):
    path = write_layers(folder / "LAI_2020.tif", [numbered(64, 64), numbered(64, 64)], nodata=-1)
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = [1.0, 2.0], [0.0, 7.0]
    values, _ = read(folder, LAI.model_copy(update={"layer": 2}))
    assert_array_equal(values, numbered(64, 64) * 2 + 7)


def test_nan_mask_band_and_alpha_are_no_value(folder):
    stored = numbered(64, 64)
    stored[2, 3] = np.nan
    path = write_layers(folder / "LAI_2020.tif", [stored], nodata=None)
    with rasterio.open(path, "r+") as dataset:
        mask = np.full((64, 64), 255, np.uint8)
        mask[10, 20] = 0
        dataset.write_mask(mask)
    values, _ = read(folder)
    gaps = np.zeros((64, 64), bool)
    gaps[2, 3] = gaps[10, 20] = True
    assert_array_equal(values, np.where(gaps, np.nan, numbered(64, 64)))


def test_alpha_band_beside_the_values(folder):
    alpha = np.full((64, 64), 255, np.uint8)
    alpha[7, 8] = 0
    stored = (numbered(64, 64) % 200).astype(np.uint8)
    options = {"nodata": None, "photometric": "minisblack", "alpha": "yes"}
    write_layers(folder / "LAI_2020.tif", [stored, alpha], **options)
    assert_array_equal(read(folder)[0], np.where(alpha == 0, np.nan, stored))


@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
def test_cloud_optimised_geotiff_is_read_at_full_resolution(folder, resampling):
    stored = np.arange(600 * 600, dtype=np.float32).reshape(600, 600)
    write_raster(folder / "plain.tif", stored, at(-100, -100), nodata=-1)
    rasterio.shutil.copy(folder / "plain.tif", folder / "LAI_2020.tif", driver="COG", blocksize=128)
    with rasterio.open(folder / "LAI_2020.tif") as dataset:
        assert dataset.overviews(1)
    values, _ = read(folder, LAI.model_copy(update={"resampling": resampling}))
    assert_array_equal(values, stored[100:164, 100:164])


def test_virtual_raster_and_a_change_of_its_source(folder):
    (folder / "parts").mkdir()
    source = write_raster(folder / "parts/source.tif", numbered(64, 64), at(0, 0), nodata=-1)
    rasterio.shutil.copy(source, folder / "LAI_2020.vrt", driver="VRT")
    band = LAI.model_copy(update={"pattern": "{band}_{year}.vrt"})
    values, row = read(folder, band)
    assert_array_equal(values, numbered(64, 64))
    write_raster(source, numbered(64, 64) + 1, at(0, 0), nodata=-1)
    values, changed = read(folder, band)
    assert_array_equal(values, numbered(64, 64) + 1)
    assert changed["digest"] != row["digest"]


@pytest.mark.parametrize(
    "crs",
    [
        "EPSG:25832+5783",  # with heights
        'PROJCS["mine",GEOGCS["ETRS89",DATUM["European_Terrestrial_Reference_System_1989",SPHEROID["GRS 1980",6378137,'
        '298.257222101]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
        'PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",9],PARAMETER["scale_factor",0.9996],'
        'PARAMETER["false_easting",500000],PARAMETER["false_northing",0],UNIT["metre",1]]',
        "+proj=utm +zone=32 +ellps=GRS80 +units=m +no_defs",
        "+proj=tmerc +lat_0=0 +lon_0=9 +k=0.9996 +x_0=500000 +y_0=0 +ellps=GRS80 +towgs84=0,0,0,0,0,0,0 +units=m",
    ],
    ids=["compound", "WKT without code", "PROJ", "PROJ with datum shift"],
)
def test_oddly_written_forms_of_the_same_crs_lie_in_the_same_place(folder, crs):
    write_raster(folder / "LAI_2020.tif", numbered(64, 64), at(0, 0), crs, nodata=-1)
    values, _ = read(folder, LAI.model_copy(update={"resampling": "nearest"}))
    assert_array_equal(values, numbered(64, 64))


def test_compound_crs_of_the_reference_band_fits_its_horizontal_part(tmp_path):
    write_raster(tmp_path / "static/Elevation.tif", numbered(64, 64), at(0, 0), "EPSG:25832+5783", nodata=-1)
    write_raster(tmp_path / "LAI_2020.tif", numbered(64, 64), at(0, 0), nodata=-1)
    values, row = read(tmp_path)
    assert_array_equal(values, numbered(64, 64))  # copied pixel by pixel, not resampled
    assert row["crs"] == "EPSG:25832"


def test_similar_code_with_another_datum_shift_does_not_move_the_raster(folder):
    """PROJ finds EPSG:31468 most similar to this Gauss-Krueger CRS, whose shift lies 200 m beside."""
    crs = (
        "+proj=tmerc +lat_0=0 +lon_0=12 +k=1 +x_0=4500000 +y_0=0 +ellps=bessel "
        "+towgs84=798.1,73.7,418.2,0.202,0.045,-2.455,6.7 +units=m +no_defs"
    )
    left, top = (part[0] for part in transform_coordinates(UTM, crs, [ORIGIN[0]], [ORIGIN[1]])[:2])
    transform = Affine(250, 0, left - 5_000, 0, -250, top + 5_000)
    rows, columns = np.mgrid[0:120, 0:120] + 0.5
    x, y = transform * (columns, rows)
    east = np.reshape(transform_coordinates(crs, UTM, x.ravel().tolist(), y.ravel().tolist())[0], x.shape)
    write_raster(folder / "LAI_2020.tif", (east / 1000).astype(np.float32), transform, crs)
    values, row = read(folder)
    assert not row["crs"].startswith("EPSG")
    expected = (ORIGIN[0] + (np.arange(64) + 0.5) * 250) / 1000
    assert_allclose(values, np.broadcast_to(expected, (64, 64)), atol=0.02)  # km, of 250 m pixels


LARGE = """
import resource, sys
from pathlib import Path
from soc_assets_tests.embedding.rasters import LARGE_BAND, at, scanned, window
from soc_assets.rasters.steps import Step
import numpy as np
from soc_assets.embedding.tile_cache import TileCache
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
raster_index, catalog = scanned(Path(sys.argv[1]), LARGE_BAND)
row = catalog.frame.iloc[1]
assert (row["valid_count"], row["min"], row["max"]) == (2 * 256 * 256, 1.0, 3.0), row
assert abs(row["mean"] - 2) < 1e-12 and abs(row["std"] - 1) < 1e-12, row
mosaic = raster_index.mosaics["Large", Step(2020)]
for where, value in (((51200, 51200), 1.0), ((59648, 0), 3.0)):
    found = mosaic.read(raster_index.grid, where[0] - 48, where[1], 96, 96)
    assert np.isnan(found[:48]).all() and (found[48:] == value).all(), found
cache = TileCache(raster_index.grid, 96, "center", 64)
places = np.random.default_rng(0).integers(0, 59000, (2, 200))
for index in cache.windows_in_tiles(mosaic, *places, 2.0):
    assert cache.shares(index).shape == index.rows.shape
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_raster_of_60000_by_60000_pixels_is_read_in_bounded_memory(tmp_path):
    """14.4 GB of float32, almost all of it absent from the file; 64 MB for tiles and 64 MB for GDAL's own blocks."""
    shape = {"driver": "GTiff", "height": 60_000, "width": 60_000, "count": 1, "dtype": "float32", "nodata": -1}
    layout = {"tiled": True, "blockxsize": 256, "blockysize": 256, "SPARSE_OK": True, "BIGTIFF": "YES"}
    for name in ("static/Elevation.tif", "Large_2020.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        with rasterio.open(tmp_path / name, "w", crs=UTM, transform=at(0, 0), **shape, **layout) as dataset:
            for top, left, value in ((51_200, 51_200, 1), (59_648, 0, 3)):
                block = rasterio.windows.Window(left, top, 256, 256)
                dataset.write(np.full((256, 256), value, np.float32), 1, window=block)
    assert (tmp_path / "Large_2020.tif").stat().st_size < 5e6
    limited = {**os.environ, "GDAL_CACHEMAX": "64"}  # MB; without it GDAL takes 5 % of the machine's memory
    done = subprocess.run([sys.executable, "-c", LARGE, str(tmp_path)], capture_output=True, text=True, env=limited)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 300_000  # kB


def test_statistics_of_a_sparse_raster_without_nodata_count_its_absent_blocks_as_zeros(tmp_path):
    path = tmp_path / "static/Elevation.tif"
    path.parent.mkdir()
    shape = {"driver": "GTiff", "height": 512, "width": 512, "count": 1, "dtype": "uint8", "crs": UTM}
    layout = {"tiled": True, "blockxsize": 256, "blockysize": 256, "SPARSE_OK": True, "transform": at(0, 0)}
    with rasterio.open(path, "w", **shape, **layout) as dataset:
        dataset.write(np.full((256, 256), 4, np.uint8), 1, window=rasterio.windows.Window(0, 0, 256, 256))
    frame = scan_rasters(Rasters(bands=(Band(name="Elevation", kind="static"),)), tmp_path).frame
    assert (frame["mean"].item(), frame["valid_share"].item()) == (1.0, 1.0)
