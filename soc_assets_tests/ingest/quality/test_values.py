"""Constant rasters, copies, and steps unlike the others: what triggers each, and what nearly does."""

import numpy as np
import pytest
import rasterio

from soc_assets.ingest.quality.mixed_units import two_units
from soc_assets.settings import Band
from soc_assets_tests.ingest.quality.checking import SIZE, brief, found, static, year, yearly

LAI = Band(name="LAI")
YEARS = range(2010, 2016)


def write_years(folder, change=None, wrong=2012, **options) -> None:
    for number in YEARS:
        values = year(number, **options)
        yearly(folder, "LAI", number, change(values).astype("float32") if change and number == wrong else values)


def test_a_constant_step_among_varying_ones_is_an_error(tmp_path):
    write_years(tmp_path, lambda values: np.full_like(values, 7))
    [finding] = found(tmp_path, LAI, check="constant")
    assert brief([finding]) == [("error", "LAI", "2012")]
    assert finding.found == "every valid pixel is 7, while 5 other steps vary"


def test_a_constant_static_band_is_a_warning_and_one_other_pixel_none(tmp_path):
    values = np.full((SIZE, SIZE), 3.0, np.float32)
    static(tmp_path, "X", values)
    x = Band(name="X", kind="static")
    assert brief(found(tmp_path, x, check="constant")) == [("warning", "X", "")]
    values[4, 4] = 3.5
    static(tmp_path, "X", values)
    assert found(tmp_path, x, check="constant") == []


def test_a_copied_year_is_a_warning_that_names_its_original(tmp_path):
    write_years(tmp_path)
    folder = tmp_path / "yearly/LAI"
    (folder / "LAI_2014.tif").write_bytes((folder / "LAI_2011.tif").read_bytes())
    [finding] = found(tmp_path, LAI, check="copies")
    assert brief([finding]) == [("warning", "LAI", "2014")]
    assert finding.found == "the file is the same as that of 2011"


@pytest.mark.parametrize(
    ("factor", "words"),
    [(10, "about 10 times"), (0.1, "about 0.1 times"), (0.02, "about 0.02 times"), (50, "about 50 times")],
)
def test_a_scale_left_out_is_told_with_its_factor(tmp_path, factor, words):
    write_years(tmp_path, lambda values: values * factor)
    [finding] = found(tmp_path, LAI, check="outliers")
    assert brief([finding]) == [("warning", "LAI", "2012")]
    assert words in finding.found


def test_celsius_among_kelvin_is_told(tmp_path):
    write_years(tmp_path, lambda values: values - 273.15, low=275, high=305)
    [finding] = found(tmp_path, LAI, check="outliers")
    assert "degrees Celsius" in finding.found


@pytest.mark.parametrize("celsius", [(2013, 2014, 2015), (2010, 2011, 2012), (2014, 2015)])
def test_half_of_the_steps_in_another_unit_of_temperature_are_told_with_a_cure_that_works(tmp_path, celsius):
    for number in YEARS:
        values = year(number, low=275, high=305)
        yearly(tmp_path, "LST", number, values - np.float32(273.15) if number in celsius else values)
    lst = Band(name="LST")
    findings = found(tmp_path, lst, check="outliers")
    told = {finding.step for finding in findings}
    assert told in ({str(number) for number in celsius}, {str(number) for number in YEARS} - {*map(str, celsius)})
    for finding in findings:
        assert "degrees Celsius" in finding.found and "Kelvin" in finding.found
        cure = finding.cure.rpartition("in Python: ")[2].replace("FILE", repr(finding.path))
        exec(cure, {"rasterio": rasterio})
    assert found(tmp_path, lst, check="outliers") == []


@pytest.mark.parametrize(("factor", "since"), [(1e-4, 2013), (0.02, 2014), (10, 2012)])
def test_a_scale_that_changes_in_between_is_told_with_a_cure_that_works(tmp_path, factor, since):
    for number in YEARS:
        yearly(tmp_path, "LAI", number, (year(number) * (factor if number >= since else 1)).astype("float32"))
    findings = found(tmp_path, LAI, check="outliers")
    assert len(findings) in (YEARS.stop - since, since - YEARS.start)
    for finding in findings:
        cure = finding.cure.rpartition("in Python: ")[2].replace("FILE", repr(finding.path))
        exec(cure, {"rasterio": rasterio})
    assert found(tmp_path, LAI, check="outliers") == []


def test_two_steps_in_two_units_are_told_and_two_unlike_years_are_not(tmp_path):
    yearly(tmp_path, "LAI", 2010, year(2010))
    yearly(tmp_path, "LAI", 2011, year(2011) / np.float32(100))
    assert brief(found(tmp_path, LAI, check="outliers")) == [("warning", "LAI", "2011")]
    for factor in (0.4, 3, 6):
        yearly(tmp_path, "LAI", 2011, (year(2011) * factor).astype("float32"))
        assert found(tmp_path, LAI, check="outliers") == []


def test_kelvin_times_50_beside_degrees_celsius_is_told():
    told = two_units(np.array([14_250.0, 14_300.0, 11.9, 12.8]), np.array([350.0, 340.0, 7.0, 6.9]))
    assert told is not None
    assert (told.members, told.words) == ([2, 3], "as if in degrees Celsius, where the others are in Kelvin times 50")


def test_a_shifted_and_a_widened_step_are_warnings(tmp_path):
    write_years(tmp_path, lambda values: values + 2.5 * values.std())
    assert [finding.step for finding in found(tmp_path, LAI, check="outliers")] == ["2012"]
    write_years(tmp_path, lambda values: (values - values.mean()) * 6 + values.mean())
    assert [finding.step for finding in found(tmp_path, LAI, check="outliers")] == ["2012"]


def test_a_wet_year_is_no_outlier(tmp_path):
    write_years(tmp_path, lambda values: values * 1.15)
    assert found(tmp_path, LAI, check="outliers") == []


def test_fill_values_are_not_told_twice(tmp_path):
    def filled(values):
        values = values.copy()
        values[:12, :12] = -9999
        return values

    write_years(tmp_path, filled)
    assert len(found(tmp_path, LAI, check="fill_values")) == 1
    assert found(tmp_path, LAI, check="outliers") == []


def test_seasons_are_compared_with_the_same_season(tmp_path):
    from soc_assets_tests.ingest.conftest import write_raster

    for number in YEARS:
        for season, height in (("winter", 10), ("summer", 100)):
            values = year(number, low=height, high=2 * height)
            write_raster(tmp_path / f"seasonal/N/N_{number}_{season}.tif", values)
    assert found(tmp_path, Band(name="N", kind="seasonal"), check="outliers") == []


def test_accepted_findings_are_notes_that_say_so(tmp_path):
    write_years(tmp_path, lambda values: np.full_like(values, 7))
    for entry in ("constant:LAI", "constant:LAI_2012"):
        [finding] = found(tmp_path, LAI, check="constant", accept=(entry,))
        assert (finding.severity, finding.found[-22:]) == ("note", "(accepted in soc.toml)")
    assert found(tmp_path, LAI, check="constant", accept=("constant:LAI_2013",))[0].severity == "error"
