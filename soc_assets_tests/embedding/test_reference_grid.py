"""The reference grid as CRS and resolution, and points on the borders of pixels."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from rasterio.transform import Affine, from_origin

from soc_assets.embedding.encoder.architecture import anchor_index
from soc_assets.embedding.spec_choices import choices_of
from soc_assets.embedding.windows import corners
from soc_assets.errors import SettingsError
from soc_assets.geo.grid import WGS84, Grid
from soc_assets.rasters.steps import Step
from soc_assets.settings import Band, ReferenceGrid
from soc_assets_tests.embedding.rasters import at, numbered, scanned, window, write_reference
from soc_assets_tests.embedding.world import World
from soc_assets_tests.small_world import ORIGIN, UTM, samples_at, write_raster


def test_resolution_and_crs_make_a_grid_of_whole_multiples_round_the_reference_band(tmp_path):
    write_reference(tmp_path)  # 16 km from (600000, 5400000)
    raster_index, _ = scanned(tmp_path, grid=ReferenceGrid(crs="EPSG:25832", resolution=300))
    assert raster_index.grid.transform == Affine(300, 0, 600_000, 0, -300, 5_400_000)
    assert (raster_index.grid.width, raster_index.grid.height) == (54, 54)
    other, _ = scanned(tmp_path, grid=ReferenceGrid(crs="EPSG:3035", resolution=100))
    left, top = other.grid.transform.c, other.grid.transform.f
    assert (left % 100, top % 100) == (0, 0)
    assert np.isfinite(window(other, "Elevation", Step(), size=other.grid.width)).mean() > 0.9


def test_reference_band_of_the_chosen_pixels_is_copied(tmp_path):
    write_reference(tmp_path)
    left, top = ORIGIN
    bounds = (left + 250, top - 16_000, left + 16_250, top + 500)
    raster_index, _ = scanned(tmp_path, grid=ReferenceGrid(crs=UTM, resolution=250, bounds=bounds))
    found = window(raster_index, "Elevation", Step())
    assert np.isnan(found[:2]).all()
    assert_array_equal(found[2:, :63], numbered(62, 64)[:, 1:])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"crs": "EPSG:0"}, r"crs = 'EPSG:0' in \[rasters\.grid\]"),
        ({"bounds": (0, 0, 1000.5, 1000)}, r"not whole pixels of 250\. Nearest: \[0, 0, 1000, 1000\]"),
        ({"crs": "EPSG:4326"}, r"resolution = 250 .* larger than the whole reference band .* counts in degrees"),
    ],
)
def test_grid_that_cannot_be_is_refused_with_the_nearest(tmp_path, options, expected):
    write_reference(tmp_path)
    with pytest.raises(SettingsError, match=expected):
        scanned(tmp_path, grid=ReferenceGrid.model_validate({"crs": UTM, "resolution": 250, **options}))


def test_chosen_grid_is_part_of_the_spec_and_embeds(tmp_path):
    world = World(tmp_path)
    before = world.spec.digest
    _, plain = world.write()
    grid = ReferenceGrid(crs=UTM, resolution=250)  # the very pixels of the reference band
    rasters = world.settings.rasters.model_copy(update={"grid": grid})
    world.settings = world.settings.model_copy(update={"rasters": rasters})
    world.refresh()
    assert choices_of(world.settings, None)["grid"]["resolution"] == 250
    assert world.spec.digest != before
    _, same = world.write()
    for first, second in zip(plain["elevation_embedding"][:3], same["elevation_embedding"][:3], strict=True):
        assert_allclose(np.vstack(first), np.vstack(second))


@pytest.mark.parametrize(
    "transform",
    [
        from_origin(11, 49, 0.25, 0.25),
        Affine(0.25, 0, 11, 0, 0.25, 33),  # south up
        Affine(0, 0.25, 11, -0.25, 0, 49),  # turned by a quarter
    ],
    ids=["north up", "south up", "turned"],
)
def test_point_exactly_on_an_edge_belongs_to_the_pixel_that_begins_there(transform):
    grid = Grid(WGS84, transform, 64, 64)
    columns, rows = np.meshgrid(np.arange(64), np.arange(64))
    x, y = transform * (columns.ravel().astype(float), rows.ravel().astype(float))  # all exact in binary
    found = grid.pixels(x, y)
    assert_array_equal(found[0], rows.ravel())
    assert_array_equal(found[1], columns.ravel())


@pytest.mark.parametrize("anchor", ["center", "token"])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 63), (63, 0), (63, 63), (31, 32)])
def test_windows_at_corners_say_nothing_beyond_the_raster_and_the_truth_within(tmp_path, anchor, row, column):
    write_reference(tmp_path)
    write_raster(tmp_path / "yearly/LAI/LAI_2020.tif", numbered(32, 32), at(0, 0, 500), nodata=-1)
    raster_index, _ = scanned(tmp_path, Band(name="LAI", resampling="nearest"))
    top, left = (
        int(part[0])
        for part in corners(samples_at([row], [column], [2020], raster_index.grid), raster_index.grid, 96, anchor)
    )
    index = anchor_index(96, anchor)
    assert (top, left) == (row - index, column - index)
    rows, columns = np.mgrid[top : top + 96, left : left + 96]
    inside = (rows >= 0) & (rows < 64) & (columns >= 0) & (columns < 64)
    exact = window(raster_index, "Elevation", Step(), top, left, 96)
    assert_array_equal(exact, np.where(inside, rows * 1000 + columns, np.nan))
    coarse = window(raster_index, "LAI", Step(2020), top, left, 96)
    assert_array_equal(coarse, np.where(inside, rows // 2 * 1000 + columns // 2, np.nan))
