"""The filtered raster equals the mean patch of each window taken by itself."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from rasterio.transform import from_origin

from soc_assets.embedding.cache import Cache
from soc_assets.embedding.fields import Fields, running_sum
from soc_assets.embedding.tiles import Source, TileReader
from soc_assets_tests.small_world import ORIGIN, PIXEL, reference_grid, write_raster

SIZE = 700


@pytest.mark.parametrize("image_size", [16, 48, 96])
def test_mean_patches_and_shares_equal_those_of_the_windows(tmp_path, image_size):
    stream = np.random.default_rng(0)
    values = stream.normal(300, 50, (SIZE, SIZE)).astype(np.float32)
    values[stream.random((SIZE, SIZE)) < 0.1] = -9999
    path = write_raster(tmp_path / "gaps.tif", values, from_origin(*ORIGIN, PIXEL, PIXEL), nodata=-9999)
    reader = TileReader(reference_grid(SIZE), 64)
    rows, columns = stream.integers(-image_size, SIZE - image_size, (2, 200))  # beyond every edge and across tiles
    patches, shares = Fields(reference_grid(SIZE), image_size, 64, -image_size).mean_patches(
        Source(path), rows, columns, 300.0
    )
    windows = reader.windows(Source(path), rows, columns, image_size)
    assert_allclose(shares, np.isfinite(windows).mean(axis=(1, 2)), atol=1e-6)
    filled = np.nan_to_num(windows - 300)
    n = image_size // 8
    expected = filled.reshape(-1, n, 8, n, 8).mean(axis=(1, 3)).reshape(-1, 64)
    assert_allclose(patches, expected, atol=2e-4)  # of values that vary by 50


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
