"""Several files of one step are one raster: no seams, the first by name wins, and a batch reads what it touches."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from rasterio.transform import from_origin

from soc_assets.embedding.batch import describe
from soc_assets.errors import RasterError
from soc_assets.ingest.catalog.scan import catalog_digest
from soc_assets.rasters.steps import Step
from soc_assets.settings import Band, Rasters
from soc_assets_tests.embedding.rasters import at, numbered, scanned, window, write_reference
from soc_assets_tests.embedding.world import World
from soc_assets_tests.small_world import ORIGIN, UTM, write_raster

TILED = "yearly/{band}/{band}_{year}_{tile}.tif"


def cut(folder, values, transform, crs, edges=((0, 17, 40), (0, 23, 40))):
    """The values as one raster (LAI_2020.tif) and cut into four tiles."""
    write_raster(folder / "yearly/Whole/Whole_2020.tif", values, transform, crs, nodata=-1)
    rows, columns = edges
    for i in (0, 1):
        for j in (0, 1):
            part = values[rows[i] : rows[i + 1], columns[j] : columns[j + 1]]
            moved = transform * transform.translation(columns[j], rows[i])
            write_raster(folder / f"yearly/Cut/Cut_2020_{i}{j}.tif", part.copy(), moved, crs, nodata=-1)


@pytest.mark.parametrize("resampling", ["nearest", "bilinear", "average", "mode"])
@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        (UTM, at(2, 3)),
        (UTM, at(-4, -4, 500.0)),
        (UTM, at(-4, -4, 130.0)),
        ("EPSG:3035", from_origin(4_345_000, 2_850_000, 700, 700)),
    ],
    ids=["same pixels", "coarser", "finer", "other CRS"],
)
def test_tiles_of_one_pixel_grid_equal_the_uncut_raster_to_the_bit(tmp_path, resampling, crs, transform):
    write_reference(tmp_path)
    values = np.random.default_rng(0).integers(0, 9, (40, 40)).astype(np.float32)
    values[10:14, 15:30] = -1
    cut(tmp_path, values, transform, crs)
    whole, tiled = Band(name="Whole", resampling=resampling), Band(name="Cut", resampling=resampling, pattern=TILED)
    raster_index, catalog = scanned(tmp_path, whole, tiled)
    assert len(catalog.frame) == 1 + 1 + 4
    assert not len(catalog.problems)
    expected = window(raster_index, "Whole", Step(2020))
    assert np.isfinite(expected).mean() > 0.05
    assert_array_equal(window(raster_index, "Cut", Step(2020)), expected)


def test_where_tiles_overlap_the_first_by_name_that_has_a_value_wins(tmp_path):
    write_reference(tmp_path)
    first, second = np.full((64, 40), 1, np.float32), np.full((64, 40), 2, np.float32)
    first[5, 30] = -1  # no value: the second may speak
    write_raster(tmp_path / "yearly/LAI/LAI_2020_a.tif", first, at(0, 0), nodata=-1)
    write_raster(tmp_path / "yearly/LAI/LAI_2020_b.tif", second, at(0, 24), nodata=-1)
    raster_index, catalog = scanned(tmp_path, Band(name="LAI", pattern=TILED))
    values = window(raster_index, "LAI", Step(2020))
    expected = np.where(np.arange(64) < 40, 1.0, 2.0) * np.ones((64, 1))
    expected[5, 30] = 2
    assert_array_equal(values, expected)
    assert catalog.frame["tile"].dropna().to_list() == ["a", "b"]


def test_tiles_of_other_pixels_are_laid_over_each_other_after_resampling(tmp_path):
    write_reference(tmp_path)
    coarse = np.full((32, 32), 7, np.float32)
    fine = np.full((20, 20), 3, np.float32)
    write_raster(tmp_path / "yearly/LAI/LAI_2020_a.tif", fine, at(10, 10), nodata=-1)
    write_raster(tmp_path / "yearly/LAI/LAI_2020_b.tif", coarse, at(0, 0, 500), nodata=-1)
    raster_index, _ = scanned(tmp_path, Band(name="LAI", pattern=TILED))
    expected = np.full((64, 64), 7.0)
    expected[10:30, 10:30] = 3
    assert_array_equal(window(raster_index, "LAI", Step(2020)), expected)


def test_renaming_a_tile_to_another_order_changes_the_digest(tmp_path):
    write_reference(tmp_path)
    for name, value in (("a", 1), ("b", 2)):
        write_raster(tmp_path / f"yearly/LAI/LAI_2020_{name}.tif", np.full((64, 64), value, np.float32), at(0, 0))
    _, before = scanned(tmp_path, Band(name="LAI", pattern=TILED))
    (tmp_path / "yearly/LAI/LAI_2020_a.tif").rename(tmp_path / "yearly/LAI/LAI_2020_c.tif")
    _, after = scanned(tmp_path, Band(name="LAI", pattern=TILED))
    assert catalog_digest(before.frame) != catalog_digest(after.frame)


def test_changed_tile_makes_only_the_windows_that_touch_it_stale(tmp_path):
    world = World(tmp_path)
    folder = tmp_path / "rasters/yearly/Cut"
    for name, column in (("east", 40), ("west", 0)):
        write_raster(
            folder / f"Cut_2020_{name}.tif", np.full((64, 24 if column else 40), 5.0), at(0, column), nodata=-1
        )
    rasters = world.settings.rasters
    rasters = Rasters(bands=(*rasters.bands, Band(name="Cut", pattern=TILED)), min_valid_fraction=0.5)
    world.settings = world.settings.model_copy(update={"rasters": rasters})
    world.refresh()

    def digests():  # samples at columns 20 (west), 45 (east, and across the border)
        parts = [describe("batch", world.samples.iloc[[n]], world.spec, world.raster_index) for n in (0, 2)]
        return [part.rasters["Cut_2020"] for part in parts]

    before = digests()
    write_raster(folder / "Cut_2020_east.tif", np.full((64, 24), 6.0), at(0, 40), nodata=-1)
    world.refresh()
    after = digests()
    assert after[0] == before[0]
    assert after[1] != before[1]
    assert None not in before


def test_tiles_read_by_different_samples_at_different_lags_all_count(tmp_path):
    world = World(tmp_path)
    folder = tmp_path / "rasters/yearly/Cut"

    def write(name, column, value):
        write_raster(folder / f"Cut_2019_{name}.tif", np.full((64, 32), value), at(0, column), nodata=-1)

    write("west", 0, 5.0)
    write("east", 32, 5.0)
    bands = (*world.settings.rasters.bands, Band(name="Cut", pattern=TILED))
    rasters = Rasters(bands=bands, min_valid_fraction=0.5)
    world.settings = world.settings.model_copy(update={"rasters": rasters})
    world.samples = world.samples.iloc[[0, 3]].assign(year=[2020, 2019])  # west at lag 1, east at lag 0
    found = []
    for name, column, value in ((None, 0, 0), ("west", 0, 6.0), ("east", 32, 6.0)):
        if name:
            write(name, column, value)
        world.refresh()
        found.append(world.batch().inputs)
    assert len(set(found)) == 3


def test_second_file_of_a_step_without_tile_in_the_pattern_stays_a_problem(tmp_path):
    write_reference(tmp_path)
    for name in ("a", "b"):
        write_raster(tmp_path / f"yearly/LAI/LAI_2020_{name}.tif", numbered(64, 64), at(0, 0))
    _, catalog = scanned(tmp_path, Band(name="LAI", pattern="yearly/{band}/{band}_{year}_*.tif"))
    assert len(catalog.frame) == 2
    (problem,) = catalog.problems["problem"]
    assert "LAI_2020_b.tif holds the same step as" in problem
    assert "{tile}" in problem


def test_reference_band_in_tiles_gives_the_grid_of_all(tmp_path):
    values = numbered(64, 64)
    for name, rows, columns in (("x", slice(20, 64), slice(0, 64)), ("y", slice(0, 20), slice(30, 64))):
        write_raster(
            tmp_path / f"static/Elevation_{name}.tif", values[rows, columns], at(rows.start, columns.start), nodata=-1
        )
    raster_index, _ = scanned(tmp_path, static_pattern="static/{band}_{tile}.tif")
    assert (raster_index.grid.height, raster_index.grid.width) == (64, 64)
    assert (raster_index.grid.transform.c, raster_index.grid.transform.f) == ORIGIN
    found = window(raster_index, "Elevation", Step())
    assert np.isnan(found[:20, :30]).all()
    assert_array_equal(np.nan_to_num(found, nan=-5), np.where(np.isnan(found), -5, values))


def test_reference_tiles_that_do_not_fit_together_are_refused_with_the_cure(tmp_path):
    for name, transform in (("x", at(0, 0)), ("y", at(30.4, 0))):
        write_raster(tmp_path / f"static/Elevation_{name}.tif", numbered(30, 30), transform, nodata=-1)
    with pytest.raises(RasterError, match=r"do not lie on one pixel grid: .*Elevation_y\.tif.*\[rasters\.grid\]"):
        scanned(tmp_path, static_pattern="static/{band}_{tile}.tif")
