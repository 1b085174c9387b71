"""Windows are exact: rasters whose pixels encode their own coordinates."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from rasterio.transform import Affine, from_origin
from rasterio.warp import transform as transform_coordinates

from soc_assets.embedding.encoder.architecture import anchor_index
from soc_assets.embedding.tile_cache import TileCache
from soc_assets.embedding.windows import corners
from soc_assets.geo.grid import WGS84
from soc_assets.rasters.tiles import Source
from soc_assets_tests.embedding.world import window_of
from soc_assets_tests.small_world import ORIGIN, PIXEL, UTM, reference_grid, samples_at, write_raster

SIZE = 600  # more than two tiles


@pytest.fixture
def numbered(tmp_path):
    """A raster on the reference grid whose value is row * 1000 + column."""
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    values = (rows * 1000 + columns).astype(np.float32)
    return Source(write_raster(tmp_path / "numbered.tif", values, from_origin(*ORIGIN, PIXEL, PIXEL), nodata=-1))


@pytest.mark.parametrize(("anchor", "index"), [("center", 8), ("token", 12)])
def test_the_samples_pixel_stands_at_its_place_in_the_window(numbered, anchor, index):
    grid = reference_grid(SIZE)
    samples = samples_at([100, 300], [250, 255], [2020, 2020], grid)
    rows, columns = corners(samples, grid, 16, anchor)
    windows = np.stack([window_of(numbered, grid, *corner) for corner in zip(rows, columns, strict=True)])
    assert anchor_index(16, anchor) == index
    assert_array_equal(windows[:, index, index], [100_250, 300_255])
    assert windows[0, 0, 0] == (100 - index) * 1000 + 250 - index


def test_a_point_on_a_pixel_border_belongs_to_the_pixel_right_and_below():
    grid = reference_grid(64)
    x, y = grid.transform * (10, 20)
    longitude, latitude = transform_coordinates(UTM, WGS84, [x + 1e-3], [y - 1e-3])[:2]
    rows, columns = grid.pixels(longitude, latitude)
    assert (rows[0], columns[0]) == (20, 10)
    longitude, latitude = transform_coordinates(UTM, WGS84, [x - 1e-3], [y + 1e-3])[:2]
    rows, columns = grid.pixels(longitude, latitude)
    assert (rows[0], columns[0]) == (19, 9)


def test_a_window_inside_the_raster_is_copied_exactly(numbered):
    window = window_of(numbered, reference_grid(SIZE), 250, 506)
    rows, columns = np.mgrid[250:266, 506:522]
    assert_array_equal(window, rows * 1000 + columns)


def test_beyond_the_raster_there_is_nothing_rather_than_zeros(numbered):
    window = window_of(numbered, reference_grid(SIZE), -8, SIZE - 8)
    assert np.isnan(window[:8]).all()
    assert np.isnan(window[:, 8:]).all()
    assert window[8, 0] == SIZE - 8


def test_equal_pixels_shifted_by_whole_pixels_are_copied_and_not_resampled(tmp_path):
    values = np.arange(40 * 40, dtype=np.float32).reshape(40, 40)
    x, y = ORIGIN
    source = Source(
        write_raster(tmp_path / "part.tif", values, from_origin(x + 3 * PIXEL, y - 5 * PIXEL, PIXEL, PIXEL))
    )
    window = window_of(source, reference_grid(64), 5, 3)
    assert_array_equal(window, values[:16, :16])


def coordinates_raster(path, crs, transform, shape):
    """A raster whose value is the easting (EPSG:25832) of each pixel's centre, in kilometres."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]] + 0.5
    x, y = transform * (columns, rows)
    east = x if crs == UTM else np.array(transform_coordinates(crs, UTM, x.ravel().tolist(), y.ravel().tolist())[0])
    return Source(write_raster(path, (np.reshape(east, shape) / 1000).astype(np.float32), transform, crs))


@pytest.mark.parametrize(
    ("crs", "transform", "shape"),
    [
        (UTM, from_origin(ORIGIN[0] - 5000, ORIGIN[1] + 5000, 500, 500), (60, 60)),
        (UTM, from_origin(ORIGIN[0] - 5000, ORIGIN[1] + 5000, 1000, 1000), (30, 30)),
        (UTM, Affine(500, 0, ORIGIN[0] - 5000, 0, 500, ORIGIN[1] - 25000), (60, 60)),  # south up
        (
            UTM,
            Affine.translation(ORIGIN[0] + 8000, ORIGIN[1] + 9000) * Affine.rotation(-30) * Affine.scale(400, -400),
            (90, 90),
        ),
        ("EPSG:4326", from_origin(10.2, 48.9, 0.005, 0.003), (140, 90)),
        ("EPSG:3035", from_origin(4_330_000, 2_870_000, 500, 500), (120, 120)),
    ],
    ids=["500 m", "1 km", "south up", "rotated", "degrees", "LAEA"],
)
def test_other_grids_land_where_they_belong(tmp_path, crs, transform, shape):
    """A raster of eastings, brought to the reference grid, must say each pixel's easting."""
    source = coordinates_raster(tmp_path / "east.tif", crs, transform, shape)
    grid = reference_grid(64)
    window = window_of(source, grid, 16, 20)
    expected = (ORIGIN[0] + (np.arange(20, 36) + 0.5) * PIXEL) / 1000
    assert np.isfinite(window).all()
    assert_allclose(window, np.broadcast_to(expected, (16, 16)), atol=0.06)  # of 0.25 km pixels


def test_values_do_not_depend_on_which_windows_ask(tmp_path):
    source = coordinates_raster(
        tmp_path / "east.tif", "EPSG:3035", from_origin(4_330_000, 2_870_000, 900, 900), (150, 150)
    )
    grid = reference_grid(512)
    alone, together = (TileCache(grid, 16, "center", 64) for _ in range(2))
    (look,) = alone.windows_in_tiles(source, np.array([100]), np.array([100]), 0.0)
    (both,) = together.windows_in_tiles(source, np.array([7, 100, 300]), np.array([9, 100, 200]), 0.0)
    assert_array_equal(alone.blocks(look, 0, 0, 16)[0], together.blocks(both, 0, 0, 16)[1])
