"""The filtered raster equals the mean patch of each window taken by itself."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from rasterio.transform import from_origin

from soc_assets.embedding.tile_cache import TileCache, running_sum
from soc_assets.rasters.tiles import Source
from soc_assets.runtime.cache import Cache
from soc_assets_tests.embedding.world import window_of
from soc_assets_tests.small_world import ORIGIN, PIXEL, reference_grid, write_raster

SIZE = 700


@pytest.mark.parametrize("image_size", [16, 48, 96])
def test_mean_patches_shares_and_windows_equal_those_cut_one_by_one(tmp_path, image_size):
    stream = np.random.default_rng(0)
    values = stream.normal(300, 50, (SIZE, SIZE)).astype(np.float32)
    values[stream.random((SIZE, SIZE)) < 0.1] = -9999
    path = write_raster(tmp_path / "gaps.tif", values, from_origin(*ORIGIN, PIXEL, PIXEL), nodata=-9999)
    grid, source = reference_grid(SIZE), Source(path)
    half = image_size // 2
    rows, columns = stream.integers(-half, SIZE - half, (2, 60))  # beyond every edge and across tiles
    cache = TileCache(grid, image_size, "center", 64)
    for index in cache.windows_in_tiles(source, rows, columns, 300.0):
        pairs = zip(rows[index.members], columns[index.members], strict=True)
        windows = np.stack([window_of(source, grid, *corner, image_size) for corner in pairs])
        assert_allclose(cache.shares(index), np.isfinite(windows).mean(axis=(1, 2)), atol=1e-6)
        filled = np.nan_to_num(windows - 300)
        assert_array_equal(cache.blocks(index, 0, 0, image_size), filled)
        n = image_size // 8
        expected = filled.reshape(-1, n, 8, n, 8).mean(axis=(1, 3)).reshape(-1, 64)
        assert_allclose(cache.mean_patches(index), expected, atol=2e-4)  # of values that vary by 50
    assert cache.tiles_read == 4


def test_each_part_of_a_raster_is_read_once_however_many_samples_ask(tmp_path):
    path = write_raster(tmp_path / "ones.tif", np.ones((SIZE, SIZE), np.float32), from_origin(*ORIGIN, PIXEL, PIXEL))
    cache, source = TileCache(reference_grid(SIZE), 16, "center", 64), Source(path)
    for _ in range(3):
        places = np.random.default_rng(0).integers(0, 400, (2, 100))
        list(cache.windows_in_tiles(source, *places, 0.0))
    assert cache.tiles_read == 1


@pytest.mark.parametrize("count", [1, 2, 3, 7, 12, 96])
def test_running_sums_are_sums(count):
    values = np.random.default_rng(1).random((5, 800))
    windows = np.lib.stride_tricks.sliding_window_view(values, (count - 1) * 8 + 1, axis=1)[..., ::8]
    assert_allclose(running_sum(values, count, 8, 1), windows.sum(axis=-1))


def test_cache_makes_each_value_once_and_drops_the_least_recently_used():
    cache, made = Cache(3 * 800), []

    def get(key):
        return cache.get(key, lambda: made.append(key) or np.full(100, key, float))

    for key in (1, 2, 3, 1, 4, 1, 2):
        assert_array_equal(get(key), np.full(100, key))
    assert made == [1, 2, 3, 4, 2]
    assert cache.held == 3 * 800
