"""The grid that the tiles of a step share: what lies beside it goes nowhere, rounded names do not matter."""

import numpy as np
import pytest
import rasterio

from soc_assets_tests.legacy.legacy_world import (
    assert_every_pixel_is_in_its_place,
    imported,
    reasons,
    tile_name,
    write_tile,
)


@pytest.mark.parametrize(("east", "south"), [(0.003, 0.0), (0.0, 0.0002), (0.005, 0.0)])
def test_tile_between_the_pixels_of_the_others_is_set_aside_whatever_its_number(static, tmp_path, east, south):
    shifted = write_tile(static, 0, 11.1 + east, 49.0 - south)
    write_tile(static, 1, 11.0, 49.0)
    write_tile(static, 2, 11.2, 49.0)
    outcome = imported(tmp_path)
    assert_every_pixel_is_in_its_place(tmp_path / "rasters/static/Elevation.tif", holes=100)
    assert list(reasons(outcome)) == [shifted.name]
    assert "pixel grid that 2 of the step's tiles share" in reasons(outcome)[shifted.name]
    assert outcome.off_grid == 1


def test_tile_of_another_resolution_is_set_aside(static, tmp_path):
    for number in range(3):
        write_tile(static, number, 11.0 + number * 0.1, 49.0)
    finer = static / tile_name(3, 11.3, 49.0, 10, 10)
    np.save(finer, np.ones((20, 20)))
    outcome = imported(tmp_path)
    assert list(reasons(outcome)) == [finer.name]
    assert "its pixels are 0.005 degrees high, those of the others 0.01" in reasons(outcome)[finer.name]


def test_names_rounded_to_single_precision_are_one_grid(static, tmp_path):
    pixel, size = 1 / 544.335, 300
    for number in range(12):
        column, row = number % 4, number // 4
        edges = np.array([52.1028 - row * size * pixel, 0, 7.1864 + column * size * pixel, 0])
        edges[1], edges[3] = edges[0] - size * pixel, edges[2] + size * pixel
        n, s, w, e = edges.astype(np.float32).astype(float)
        np.save(static / f"ID{number}N{n}S{s}W{w}E{e}.npy", np.full((size, size), number, np.int16))
    outcome = imported(tmp_path)
    assert outcome.aside == []
    with rasterio.open(outcome.rasters[0].path) as dataset:
        values = dataset.read(1)
    np.testing.assert_array_equal(values[::size, ::size], np.arange(12).reshape(3, 4))


def test_names_rounded_to_four_decimals_are_placed_on_a_fitted_grid_when_the_user_says_so(static, tmp_path):
    norths, wests = (52.1028, 50.3062, 48.5095), (7.1864, 8.9831, 10.7797, 12.5763)  # neighbours share a pixel of 979
    for number in range(12):
        north, west = norths[number // 4], wests[number % 4]
        edges = ((north, "N"), (north - 1.7986, "S"), (west, "W"), (west + 1.7986, "E"))
        name = "".join(f"{letter}{edge:.15f}".replace(".", "_") for edge, letter in edges)
        np.save(static / f"ID{number}{name}.npy", np.full((979, 979), number, np.int16))
    strict = imported(tmp_path)
    assert strict.off_grid > 0
    assert strict.rasters[0].tiles + strict.off_grid == 12
    outcome = imported(tmp_path, overwrite=True, tolerance=0.1)
    assert (outcome.off_grid, outcome.rasters[0].tiles) == (0, 12)
    with rasterio.open(outcome.rasters[0].path) as dataset:
        assert dataset.shape == (3 * 978 + 1, 4 * 978 + 1)
        np.testing.assert_array_equal(dataset.read(1)[500::978, 500::978], np.arange(12).reshape(3, 4))
