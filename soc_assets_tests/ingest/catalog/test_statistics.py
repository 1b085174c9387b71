"""Statistics of rasters against numpy in float64 on the pixels written, for every type and way to say "no data"."""

import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import rasterio

from soc_assets.errors import RasterError
from soc_assets.ingest.catalog.statistics import Statistics, of_raster
from soc_assets.rasters.opening import open_raster
from soc_assets_tests.ingest.conftest import write_raster

SHORT = ("uint8", "int8", "uint16", "int16")
INTEGERS = (*SHORT, "uint32", "int32", "uint64", "int64")
FLOATS = ("float32", "float64")
LAYOUTS = {
    "tiles": {"tiled": True, "blockxsize": 16, "blockysize": 32},
    "strips": {"tiled": False, "blockysize": 3},
    "one strip": {"tiled": False, "blockysize": 61},
    "compressed": {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"},
}


def pixels(dtype: str, seed: int = 0) -> np.ndarray:
    """[61, 47] over the whole range of an integer type, or normal values of a floating type."""
    rng = np.random.default_rng(seed)
    if dtype in FLOATS:
        return rng.normal(1000, 3, (61, 47)).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, (61, 47), dtype, endpoint=True)


def statistics(path: Path, **options) -> Statistics:
    with open_raster(path) as dataset:
        return of_raster(dataset, **options)


def assert_as_numpy(found: Statistics, values: np.ndarray) -> None:
    """Equality with numpy, values [n] in float64, but for the last digits of sums."""
    assert found.count == values.size
    assert (found.low, found.high) == (values.min(), values.max())
    np.testing.assert_allclose(found.std, values.std(), rtol=1e-12)
    np.testing.assert_allclose(found.mean, values.mean(), rtol=1e-12, atol=1e-12 * values.std())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS])
def test_every_type_and_layout_equals_numpy(tmp_path, dtype, layout):
    stored = pixels(dtype)
    path = write_raster(tmp_path / "a.tif", stored, **LAYOUTS[layout])
    for chunk in (1, 50, 700, 2**21):
        assert_as_numpy(statistics(path, chunk=chunk), stored.astype("float64").ravel())


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS])
def test_nodata_fill_values_mask_and_scale_equal_numpy(tmp_path, dtype):
    stored = pixels(dtype)
    stored[:9], stored[9:14], stored[14:20, 5] = 3, 100, 101
    mask = np.where(np.random.default_rng(1).random(stored.shape) < 0.2, 0, 255).astype("uint8")
    path = write_raster(tmp_path / "a.tif", stored, nodata=3, mask=mask, scale=-0.5, offset=20.0)
    valid = stored[(mask > 0) & ~np.isin(stored, [3, 100, 101])].astype("float64") * -0.5 + 20.0
    assert_as_numpy(statistics(path, fill_values=(100, 101, -1e9, math.nan), chunk=300), valid)


@pytest.mark.parametrize("dtype", FLOATS)
def test_not_a_number_infinity_and_what_float32_cannot_hold_are_no_values(tmp_path, dtype):
    stored = pixels(dtype)
    stored[0, :3] = np.nan, np.inf, -np.inf
    valid = stored[np.isfinite(stored)].astype("float64")
    if dtype == "float64":
        stored[0, 3:5] = 1e300, -1e300
        valid = valid[2:]
    assert_as_numpy(statistics(write_raster(tmp_path / "a.tif", stored)), valid)


def test_short_integers_scaled_beyond_float32_are_no_values(tmp_path):
    stored = np.array([[1, 2, 3, 200]], "uint8")
    assert_as_numpy(statistics(write_raster(tmp_path / "a.tif", stored, scale=1e38)), stored[0, :3] * 1e38)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32"])
def test_stored_numbers_beyond_the_valid_range_are_no_values(tmp_path, dtype):
    stored = np.arange(120).reshape(10, 12).astype(dtype)
    path = write_raster(tmp_path / "a.tif", stored, scale=0.5)
    assert_as_numpy(statistics(path, valid_range=(20, 99.5)), np.arange(20, 100) * 0.5)


def test_half_precision_equals_numpy(tmp_path):
    stored = np.random.default_rng(0).normal(5, 2, (61, 47)).astype("float16").astype("float32")
    path = write_raster(tmp_path / "a.tif", stored, nbits=16)
    assert path.stat().st_size < 2.5 * stored.size
    assert_as_numpy(statistics(path), stored.astype("float64").ravel())


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32"])
def test_raster_without_a_valid_pixel_has_no_statistics(tmp_path, dtype):
    found = statistics(write_raster(tmp_path / "a.tif", np.full((40, 40), 7, dtype), nodata=7), chunk=100)
    assert found.count == 0
    assert all(math.isnan(value) for value in (found.mean, found.std, found.low, found.high))


def test_every_number_of_sixteen_bits_is_counted(tmp_path):
    stored = np.arange(-(2**15), 2**15).astype("int16").reshape(256, 256)
    assert_as_numpy(statistics(write_raster(tmp_path / "a.tif", stored)), stored.astype("float64").ravel())


def test_values_far_from_zero_keep_their_spread(tmp_path):
    stored = 2**23 + np.random.default_rng(0).integers(0, 3, (80, 80))
    found = statistics(write_raster(tmp_path / "a.tif", stored.astype("int32")), chunk=500)
    assert found.std == pytest.approx((stored - 2**23).std(), rel=1e-9)
    assert (found.low, found.high) == (2**23, 2**23 + 2)


def test_a_further_band_is_read_with_its_own_scale(tmp_path):
    path = write_raster(tmp_path / "a.tif", np.zeros((4, 4), "int16"), count=2)
    with rasterio.open(path, "r+") as dataset:
        dataset.write(np.arange(16, dtype="int16").reshape(4, 4), 2)
        dataset.scales = [1, 10]
    assert_as_numpy(statistics(path, band=2), np.arange(16) * 10.0)


@pytest.mark.parametrize("layout", [{"tiled": True, "blockxsize": 256, "blockysize": 256}, {"tiled": False}])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_memory_does_not_grow_with_the_raster(tmp_path, dtype, layout):
    path = tmp_path / "a.tif"
    place = {"crs": "EPSG:25832", "transform": rasterio.Affine(10, 0, 5e5, 0, -10, 5e6), "count": 1, "dtype": dtype}
    with rasterio.open(path, "w", driver="GTiff", width=6000, height=6000, sparse_ok=True, **place, **layout):
        pass  # 36 million pixels, of which no block is stored
    tracemalloc.start()
    found = statistics(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found.count, found.mean, found.std) == (6000**2, 0, 0)
    assert peak < 12 * 2**20


def test_complex_numbers_are_refused_with_a_cure(tmp_path):
    path = write_raster(tmp_path / "radar.tif", np.ones((3, 3), "complex64"))
    with pytest.raises(RasterError, match=r"radar\.tif holds complex numbers .*rio convert"):
        statistics(path)
