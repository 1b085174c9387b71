"""Findings about grids and gaps."""

import pytest
from rasterio.crs import CRS
from rasterio.transform import Affine, from_origin

from soc_assets.geo.grid import Grid
from soc_assets.ingest.quality.georeferencing import ground_size, orientation_of
from soc_assets.settings import Band, Study
from soc_assets_tests.ingest.conftest import write_raster
from soc_assets_tests.ingest.quality.checking import SIZE, brief, found, landscape, static, yearly

UTM = {"crs": "EPSG:25832"}
X = Band(name="X", kind="static")


def test_ground_size_is_in_metres_in_degrees_and_feet_too():
    degrees = Grid(CRS.from_epsg(4326), from_origin(10, 60.5, 0.01, 0.01), 100, 100)
    assert ground_size(degrees) == pytest.approx((556.6, 1113.2), rel=1e-3)  # cos 60 = 0.5
    feet = Grid(CRS.from_epsg(2225), from_origin(6e6, 2e6, 100, 100), 100, 100)
    assert ground_size(feet) == pytest.approx((30.48, 30.48), rel=1e-4)


def test_orientation_is_read_from_the_transform():
    grids = [Grid(CRS.from_epsg(25832), Affine(*t), 9, 9) for t in ((1, 0, 0, 0, -1, 0), (1, 0, 0, 0, 1, 0))]
    rotated = Grid(CRS.from_epsg(25832), Affine.rotation(30) * Affine.scale(1, -1), 9, 9)
    assert [orientation_of(grid) for grid in (*grids, rotated)] == ["north-up", "south-up", "rotated"]


@pytest.mark.parametrize(("pixel", "severities"), [(90, ["warning"]), (110, [])])
def test_a_reference_coarser_than_twice_the_finest_band_is_a_warning(tmp_path, pixel, severities):
    static(tmp_path, "Elevation", landscape(), transform=from_origin(6e5, 5.4e6, 200, 200), **UTM)
    static(tmp_path, "X", landscape(1), transform=from_origin(6e5, 5.4e6, pixel, pixel), **UTM)
    assert [finding.severity for finding in found(tmp_path, X, check="grid")] == severities


def test_a_reference_in_degrees_is_a_note_with_its_size_on_the_ground(tmp_path):
    static(tmp_path, "X", landscape(1))
    [finding] = found(tmp_path, X, check="grid")
    assert finding.severity == "note"
    assert "736 m wide and 1113 m high" in finding.found  # 0.01 degree at 48.6 degrees north


def test_a_raster_of_another_region_is_a_warning_and_one_that_touches_none(tmp_path):
    static(tmp_path, "Elevation", landscape(), transform=from_origin(6e5, 5.4e6, 100, 100), **UTM)
    static(tmp_path, "X", landscape(1), transform=from_origin(6e5 + 100 * (SIZE + 1), 5.4e6, 100, 100), **UTM)
    assert brief(found(tmp_path, X, check="grid")) == [("warning", "X", "")]
    static(tmp_path, "X", landscape(1), transform=from_origin(6e5 + 100 * (SIZE - 1), 5.4e6, 100, 100), **UTM)
    assert found(tmp_path, X, check="grid") == []


def test_missing_steps_inside_a_bands_range_warn_and_those_outside_are_notes(tmp_path):
    for number in (2010, 2011, 2013, 2014):
        yearly(tmp_path, "LAI", number, landscape(number))
    study = Study(year_from=2012, year_to=2015, time_before=3)  # reads 2010 to 2015
    between, outside = found(tmp_path, Band(name="LAI"), check="gaps", study=study)
    assert (between.severity, between.found) == (
        "warning",
        "1 of 6 steps of the study are missing, between others: 2012",
    )
    assert (outside.severity, outside.found[-4:]) == ("note", "2015")
    complete = Study(year_from=2014, year_to=2014, time_before=2)
    assert found(tmp_path, Band(name="LAI"), check="gaps", study=complete) == []


def test_a_raster_that_was_set_aside_is_a_warning_with_its_reason(tmp_path):
    for number in (2010, 2011):
        yearly(tmp_path, "LAI", number, landscape(number))
    (tmp_path / "yearly/LAI/LAI_2012.tif").write_bytes(b"no raster")
    [finding] = found(tmp_path, Band(name="LAI"), check="files")
    assert (finding.severity, finding.path[-12:]) == ("warning", "LAI_2012.tif")


@pytest.mark.parametrize(("pixels", "severities"), [(3, ["warning"]), (0.5, ["warning"]), (0.001, []), (SIZE, [])])
def test_a_step_that_lies_beside_the_others_is_a_warning(tmp_path, pixels, severities):
    static(tmp_path, "Elevation", landscape(size=3 * SIZE), transform=from_origin(6e5, 5.4e6, 100, 100), **UTM)
    for number in (2010, 2011, 2012, 2013):
        west = 6e5 + 100 * pixels * (number == 2012)
        yearly(tmp_path, "LAI", number, landscape(number), transform=from_origin(west, 5.4e6, 100, 100), **UTM)
    findings = found(tmp_path, Band(name="LAI"), check="grid")
    assert [finding.severity for finding in findings] == severities
    assert all(finding.step == "2012" and f"{pixels:g} columns beside" in finding.found for finding in findings)


@pytest.mark.parametrize(("pixels", "severities"), [(1, ["warning"]), (0.5, ["warning"]), (0.001, []), (30, [])])
@pytest.mark.parametrize("numbers", [(2010, 2011), (2010, 2011, 2012, 2013)])
def test_half_of_the_steps_beside_the_others_are_a_warning_each(tmp_path, pixels, severities, numbers):
    static(tmp_path, "Elevation", landscape(size=3 * SIZE), transform=from_origin(6e5, 5.4e6, 100, 100), **UTM)
    later = numbers[len(numbers) // 2 :]
    for number in numbers:
        west = 6e5 + 100 * pixels * (number in later)
        yearly(tmp_path, "LAI", number, landscape(number), transform=from_origin(west, 5.4e6, 100, 100), **UTM)
    findings = found(tmp_path, Band(name="LAI"), check="grid")
    assert [finding.severity for finding in findings] == severities * len(later)
    assert all(f"the step 2010 but lies 0 rows and {pixels:g} columns beside it" in f.found for f in findings)


def test_a_second_file_of_a_step_is_told_without_saying_that_the_step_is_missing(tmp_path):
    for name in ("LAI_2010_v1", "LAI_2010_v2"):
        write_raster(tmp_path / f"yearly/LAI/{name}.tif", landscape())
    [finding] = found(tmp_path, Band(name="LAI", pattern="yearly/LAI/LAI_{year}_*.tif"), check="files")
    assert "LAI_2010_v1.tif, which is used" in finding.found
    assert finding.cure == "Take out the one that is not meant."


def test_tiles_of_a_band_may_lie_beside_each_other(tmp_path):
    static(tmp_path, "Elevation", landscape(size=3 * SIZE), transform=from_origin(6e5, 5.4e6, 100, 100), **UTM)
    for number, west in enumerate((6e5, 6e5 + 3000, 6e5 + 6000)):
        place = from_origin(west, 5.4e6, 100, 100)
        yearly(tmp_path, "LAI", 2012, landscape(number), transform=place, **UTM)
        (tmp_path / "yearly/LAI/LAI_2012.tif").rename(tmp_path / f"yearly/LAI/LAI_2012_{number}.tif")
    assert found(tmp_path, Band(name="LAI", pattern="yearly/LAI/LAI_{year}_{tile}.tif"), check="grid") == []


@pytest.mark.parametrize(("east", "severities"), [(0, ["warning"]), (40, []), (80, [])])
def test_a_tile_that_lies_on_another_of_its_step_is_a_warning(tmp_path, east, severities):
    """`night` is taken for a tile of LST; tiles that overlap by half, or side by side, are as they should be."""
    band = Band(name="LST", pattern="LST_{tile}_{year}.tif")
    static(tmp_path, "Elevation", landscape(size=160), transform=from_origin(6e5, 5.4e6, 250, 250), **UTM)
    for name, left in (("day", 0), ("night", east)):
        place = from_origin(6e5 + 250 * left, 5.4e6, 250, 250)
        write_raster(tmp_path / f"LST_{name}_2012.tif", landscape(1), transform=place, **UTM)
    findings = found(tmp_path, band, check="grid")
    assert [finding.severity for finding in findings] == severities
    assert all("LST_day_2012.tif" in finding.found and "night" in finding.path for finding in findings)


def test_gaps_of_a_seasonal_band_are_counted_in_seasons(tmp_path):
    for step in ("2011_autumn", "2012_winter", "2012_summer", "2012_autumn"):
        write_raster(tmp_path / f"seasonal/N/N_{step}.tif", landscape(len(step)))
    study = Study(year_from=2012, year_to=2012, time_before=2)  # reads autumn 2011 to autumn 2012
    [finding] = found(tmp_path, Band(name="N", kind="seasonal"), check="gaps", study=study)
    assert finding.found == "1 of 5 steps of the study are missing, between others: 2012_spring"
