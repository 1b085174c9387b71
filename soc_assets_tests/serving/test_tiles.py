"""A tile shows the value of the raster's pixel at the middle of each of its own, and nothing where there is none."""

import numpy as np
import pyproj
import pytest
import rasterio

from soc_assets.geo.grid import Grid
from soc_assets.serving.colours import CLASSES, RAMPS, classes, colour, hatching, ramp
from soc_assets.serving.maps import opened
from soc_assets.serving.tiles import Tile, read_tile
from soc_assets_tests.map_folder import NODATA, plane, write_cog
from soc_assets_tests.serving.asking import address_of
from soc_assets_tests.small_world import reference_grid


def noise(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return np.random.default_rng(3).uniform(1, 90, rows.shape)


@pytest.fixture(scope="module")
def raster(tmp_path_factory):
    grid = reference_grid(96)
    values = noise(*np.mgrid[:96, :96]).astype(np.float32)
    values[20:30, 10:50] = NODATA
    path = tmp_path_factory.mktemp("raster") / "noise.tif"
    write_cog(path, values, grid, NODATA)
    return path, np.where(values == NODATA, np.nan, values), grid


def by_definition(tile: Tile, values: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """The value of every pixel of the tile, projected one by one, and how far it lies from an edge of a cell."""
    rows, columns = np.indices((tile.height, tile.width))
    x, y = tile.left + (columns + 0.5) * tile.pixel, tile.top - (rows + 0.5) * tile.pixel
    there = pyproj.Transformer.from_crs(3857, grid.crs.to_wkt(), always_xy=True).transform(x, y)
    column, row = ~grid.transform * there
    inside = (row >= 0) & (row < grid.height) & (column >= 0) & (column < grid.width)
    found = np.full(rows.shape, np.nan)
    found[inside] = values[row[inside].astype(int), column[inside].astype(int)]
    edge = np.minimum.reduce([row % 1, 1 - row % 1, column % 1, 1 - column % 1])
    return found, edge


@pytest.mark.parametrize("zoom", [10, 11, 12])
def test_pixel_has_the_value_of_the_cell_at_its_middle(raster, zoom):
    path, values, grid = raster
    tile = Tile.of(*address_of(zoom, 22, 12))
    with opened(path) as dataset:
        found = read_tile(dataset, tile)
    wanted, edge = by_definition(tile, values, grid)
    sure = edge > 1e-3  # of a cell: places between the knots are interpolated
    assert np.isfinite(wanted).any() and np.isnan(wanted).any()
    np.testing.assert_array_equal(found[sure], wanted[sure].astype(np.float32))


def test_zoomed_out_a_plane_stays_a_plane(tmp_path):
    grid = reference_grid(1500)
    values = plane(*np.mgrid[:1500, :1500]).astype(np.float32)
    write_cog(tmp_path / "plane.tif", values, grid, NODATA)
    tile = Tile.of(*address_of(7, 20, 20))
    with opened(tmp_path / "plane.tif") as dataset:
        found = read_tile(dataset, tile)
    wanted, _ = by_definition(tile, values, grid)
    both = np.isfinite(found) & np.isfinite(wanted)
    assert both.mean() > 0.2
    np.testing.assert_allclose(found[both], wanted[both], atol=8 * (1 / 4 + 1 / 8))  # a pixel of the overview


def test_tile_beside_the_raster_is_none_and_there_are_no_others(raster):
    with opened(raster[0]) as dataset:
        assert read_tile(dataset, Tile.of(12, 100, 100)) is None
    for address in ((3, 8, 0), (3, 0, 8), (3, -1, 0), (-1, 0, 0), (99, 0, 0)):
        assert Tile.of(*address) is None


def test_stored_integers_are_scaled(tmp_path):
    grid = reference_grid(64)
    write_cog(tmp_path / "int16.tif", np.full((64, 64), 123, np.int16), grid, -32768)
    with rasterio.open(tmp_path / "int16.tif", "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.scales, dataset.offsets = (0.1,), (5.0,)
    with opened(tmp_path / "int16.tif") as dataset:
        found = read_tile(dataset, Tile.of(*address_of(12, 20, 20)))
    assert found is not None and np.nanmax(found) == np.nanmin(found) == np.float32(17.3)


def test_colours_of_a_ramp_begin_and_end_where_the_span_does_and_nan_is_clear():
    values = np.array([[5.0, 10.0, 20.0, 99.0, np.nan]])
    shown = colour(values, "carbon", 10, 20).rgba[0]
    first, last = (tuple(bytes.fromhex(RAMPS["carbon"][n][1:])) for n in (0, -1))
    assert [tuple(pixel) for pixel in shown] == [(*first, 255), (*first, 255), (*last, 255), (*last, 255), (0, 0, 0, 0)]


@pytest.mark.parametrize("name", [name for name in RAMPS if name not in ("residual", "change")])
def test_lightness_falls_along_every_ramp(name):
    rgb = ramp(name, 64) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    assert (np.diff(linear @ [0.2126, 0.7152, 0.0722]) < 0).all()


def test_classes_have_their_colours_and_hatching_goes_on_in_the_next_tile():
    shown = classes(np.array([[0.0, 5.0, 7.0, np.nan]])).rgba[0]
    assert tuple(shown[0]) == (*bytes.fromhex(CLASSES[0][1:]), 255)
    assert tuple(shown[1]) == (*bytes.fromhex(CLASSES[5][1:]), 255)
    assert not shown[2:].any()
    lines = hatching(np.ones((256, 512), bool)).index
    np.testing.assert_array_equal(lines[:, :256], lines[:, 256:])
    assert 0 < lines.mean() < 0.5 and not hatching(np.zeros((8, 8), bool)).index.any()
