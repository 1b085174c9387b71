"""Upside-down rasters: against the other steps of the band, whatever their grid, and against other bands as a hint."""

import numpy as np
import pytest
from rasterio.transform import from_origin
from rasterio.warp import Resampling, reproject

from soc_assets.settings import Band
from soc_assets_tests.ingest.conftest import NORTH, PIXEL, WEST
from soc_assets_tests.ingest.quality.checking import SIZE, brief, found, landscape, static, year, yearly

LAI = Band(name="LAI")


@pytest.mark.parametrize("wrong", [2011, 2013, 2014])
def test_a_step_turned_about_among_upright_ones_is_an_error(tmp_path, wrong):
    for number in range(2011, 2015):
        values = year(number)
        yearly(tmp_path, "LAI", number, values[::-1] if number == wrong else values)
    [finding] = found(tmp_path, LAI, check="orientation")
    assert brief([finding]) == [("error", "LAI", str(wrong))]
    assert finding.path.endswith(f"LAI_{wrong}.tif")
    assert "numpy.flipud" in finding.cure


def test_a_south_up_file_whose_georeferencing_says_so_is_right(tmp_path):
    for number in range(2011, 2014):
        yearly(tmp_path, "LAI", number, year(number))
    south = NORTH - SIZE * PIXEL
    yearly(tmp_path, "LAI", 2014, year(2014)[::-1], transform=from_origin(WEST, south, PIXEL, -PIXEL))
    assert found(tmp_path, LAI, check="orientation") == []


def test_steps_on_another_grid_and_crs_are_compared_at_the_same_places(tmp_path):
    here = from_origin(WEST, NORTH, PIXEL, PIXEL)
    there = from_origin(640_000, 5_440_000, 1200, 1200)
    for number in range(2011, 2016):
        moved = np.full((SIZE, SIZE), -9999, np.float32)
        options = {"src_transform": here, "src_crs": "EPSG:4326", "dst_transform": there, "dst_crs": "EPSG:25832"}
        reproject(year(number), moved, dst_nodata=-9999, resampling=Resampling.nearest, **options)
        if number == 2012:
            yearly(tmp_path, "LAI", number, moved, transform=there, crs="EPSG:25832", nodata=-9999)
        elif number == 2014:
            yearly(tmp_path, "LAI", number, moved[::-1], transform=there, crs="EPSG:25832", nodata=-9999)
        else:
            yearly(tmp_path, "LAI", number, year(number))
    assert [finding.step for finding in found(tmp_path, LAI, check="orientation")] == ["2014"]


def test_fill_values_do_not_hide_a_step_turned_about(tmp_path):
    for number in range(2011, 2015):
        values = year(number)
        if number == 2012:
            values = values[::-1].copy()
        values[:20, :30] = -9999
        yearly(tmp_path, "LAI", number, values)
    assert brief(found(tmp_path, LAI, check="orientation")) == [("error", "LAI", "2012")]


def test_years_that_merely_differ_and_noise_are_left_alone(tmp_path):
    for number in range(2011, 2019):
        yearly(tmp_path, "LAI", number, landscape(number))  # smooth, and unrelated to each other
        noise = np.random.default_rng(number).normal(0, 1, (SIZE, SIZE)).astype("float32")
        yearly(tmp_path, "Noise", number, noise)
    findings = found(tmp_path, LAI, Band(name="Noise"), check="orientation")
    assert [finding for finding in findings if finding.severity == "error" or finding.band == "Noise"] == []


def test_of_two_steps_neither_is_blamed_beyond_a_warning(tmp_path):
    yearly(tmp_path, "LAI", 2011, year(2011))
    yearly(tmp_path, "LAI", 2012, year(2012)[::-1])
    findings = found(tmp_path, LAI, check="orientation")
    assert brief(findings) == [("warning", "LAI", "2011"), ("warning", "LAI", "2012")]
    assert "one of the two" in findings[0].found


def test_a_single_raster_unlike_all_other_bands_is_a_hint(tmp_path):
    names = ("A", "B", "C")
    static(tmp_path, "Elevation", year(0))
    for place, name in enumerate(names, start=1):
        sense = -1 if name == "C" else 1
        static(tmp_path, name, sense * year(place))
    bands = [Band(name=name, kind="static") for name in names]
    assert found(tmp_path, *bands, check="orientation") == []
    static(tmp_path, "B", year(2)[::-1])
    assert brief(found(tmp_path, *bands, check="orientation")) == [("warning", "B", "")]


def test_steps_in_utm_are_compared_though_most_of_the_global_reference_has_no_place_in_utm(tmp_path):
    static(tmp_path, "Elevation", landscape(99, size=180), transform=from_origin(-180, 90, 2, 1))
    for number in range(2011, 2015):
        values = year(number)[:: -1 if number == 2013 else 1]
        place = {"crs": "EPSG:25832", "transform": from_origin(-2e6, 9e6, 80_000, 80_000)}
        yearly(tmp_path, "LAI", number, values, **place)
    assert brief(found(tmp_path, LAI, check="orientation")) == [("error", "LAI", "2013")]
