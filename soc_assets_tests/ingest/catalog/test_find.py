"""Which file is which step, by its name."""

import numpy as np
import pytest
from pydantic import ValidationError

from soc_assets.ingest.catalog.dates import step_of_text
from soc_assets.ingest.catalog.find import find_rasters
from soc_assets.ingest.catalog.gaps import missing_steps
from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.settings import Band, Rasters, Study
from soc_assets_tests.ingest.conftest import write_raster


def steps(folder, kind, pattern, names):
    """Year, season and tile by file name, of files that nobody opens."""
    for name in ("Elevation.tif", *names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    bands = (Band(name="Elevation", kind="static"), Band(name="NDVI", kind=kind, pattern=pattern))
    found = find_rasters(Rasters(static_pattern="{band}.tif", bands=bands), folder)
    return {file.name: (file.year, file.season, file.tile) for file in found if file.band.name == "NDVI"}


def test_date_in_the_name_decides_year_and_season(tmp_path):
    names = ("NDVI_20141202.tif", "NDVI_2015-01-31.tif", "NDVI_20150301.tif", "NDVI_20151130.tif")
    assert steps(tmp_path, "seasonal", "{band}_{date}.tif", names) == {
        "NDVI_20141202.tif": (2015, "winter", None),
        "NDVI_2015-01-31.tif": (2015, "winter", None),
        "NDVI_20150301.tif": (2015, "spring", None),
        "NDVI_20151130.tif": (2015, "autumn", None),
    }
    assert set(steps(tmp_path, "yearly", "{band}_{date}.tif", names).values()) == {
        (2014, None, None),
        (2015, None, None),
    }


def test_middle_of_a_period_decides(tmp_path):
    names = ("s_20141202_20150320_x.tif", "s_20150321_20150624_x.tif", "s_20150625_20150912_x.tif")
    assert list(steps(tmp_path, "seasonal", "s_{start}_{end}_x.tif", names).values()) == [
        (2015, "winter", None),
        (2015, "spring", None),
        (2015, "summer", None),
    ]
    assert steps(tmp_path / "y", "yearly", "s_{start}_{end}_x.tif", ("s_20141001_20150930_x.tif",)) == {
        "s_20141001_20150930_x.tif": (2015, None, None)
    }


@pytest.mark.parametrize("name", ["NDVI_20150230.tif", "NDVI_20151301.tif"])
def test_date_that_does_not_exist_is_a_problem_of_that_file_alone(tmp_path, name):
    write_raster(tmp_path / "Elevation.tif", np.ones((4, 4), "uint8"))
    for file in (name, "NDVI_20150601.tif"):
        write_raster(tmp_path / file, np.ones((4, 4), "uint8"))
    bands = (Band(name="Elevation", kind="static"), Band(name="NDVI", pattern="{band}_{date}.tif"))
    catalog = scan_rasters(Rasters(static_pattern="{band}.tif", bands=bands), tmp_path)
    assert catalog.frame["year"].dropna().to_list() == [2015]
    (problem,) = catalog.problems["problem"]
    assert name in problem
    assert "no date that exists" in problem


def test_period_that_ends_before_it_starts_is_a_problem(tmp_path):
    (tmp_path / "Elevation.tif").touch()
    (tmp_path / "20150301_20150201.tif").touch()
    bands = (Band(name="Elevation", kind="static"), Band(name="NDVI", pattern="{start}_{end}.tif"))
    (_, file) = find_rasters(Rasters(static_pattern="{band}.tif", bands=bands), tmp_path)
    assert file.problem
    assert "before it starts" in file.problem


def test_tile_is_any_text_without_a_slash(tmp_path):
    names = ("h18v03/NDVI_2015.tif", "h18 v04/NDVI_2015.tif", "a/b/NDVI_2015.tif")
    assert steps(tmp_path, "yearly", "{tile}/{band}_{year}.tif", names) == {
        "h18v03/NDVI_2015.tif": (2015, None, "h18v03"),
        "h18 v04/NDVI_2015.tif": (2015, None, "h18 v04"),
    }


@pytest.mark.parametrize(
    ("band", "expected"),
    [
        ({"pattern": "{start}.tif"}, "needs both {start} and {end}"),
        ({"pattern": "{yaer}.tif"}, "has {yaer}; known are {band}, {year}"),
        ({"pattern": "{year}.tif", "layers": ("2007",)}, "already says which step"),
        ({"pattern": "a.tif", "layer": 2}, "put {year} into the pattern"),
        ({"pattern": "a.tif", "layer": 2, "layers": ("2007",)}, "both layer and layers"),
        ({"pattern": "a.tif", "layers": ("2007", "2007")}, "names one twice"),
        ({"kind": "static", "pattern": "{year}.tif"}, "static band NDVI has {year}"),
        ({"kind": "static", "layers": ("2007",)}, "has no steps"),
        ({"valid_range": (3, 1)}, "must be [low, high]"),
        ({"classes": (1, 1)}, "names one twice"),
        ({"classes": (2**25,)}, "less than or equal to 16777216"),
        ({"name": "Elevation", "kind": "static", "classes": (1,)}, "cannot have classes"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(band, expected):
    def settings():
        made = Band.model_validate({"name": "NDVI", **band})
        bands = (made,) if made.name == "Elevation" else (Band(name="Elevation", kind="static"), made)
        return Rasters(bands=bands)

    with pytest.raises(ValidationError) as error:
        settings()
    assert expected in str(error.value)


def test_band_of_a_class_may_not_have_the_name_of_another():
    bands = (
        Band(name="Elevation", kind="static"),
        Band(name="Cover", kind="static", classes=(1, 2)),
        Band(name="Cover_2", kind="static"),
    )
    with pytest.raises(ValidationError, match="bands named twice: Cover_2"):
        Rasters(bands=bands)


@pytest.mark.parametrize(
    ("text", "kind", "known", "expected"),
    [
        ("2007", "yearly", {}, (2007, None)),
        ("LAI_2007_mean of 500 m", "yearly", {}, (2007, None)),
        ("2007_winter", "seasonal", {}, (2007, "winter")),
        ("Summer 2007", "seasonal", {}, (2007, "summer")),
        ("autumn", "seasonal", {"year": 2012}, (2012, "autumn")),
        ("2006-12-15", "seasonal", {}, (2007, "winter")),
        ("2011", "seasonal", {"season": "spring"}, (2011, "spring")),
    ],
)
def test_text_of_a_band_says_its_step(text, kind, known, expected):
    assert step_of_text(text, kind, **known) == expected


@pytest.mark.parametrize(
    ("text", "kind"), [("", "yearly"), ("2007 to 2009", "yearly"), ("20075", "yearly"), ("2007", "seasonal")]
)
def test_text_that_does_not_say_one_step_is_refused(text, kind):
    with pytest.raises(ValueError, match="names"):
        step_of_text(text, kind)


def test_missing_steps_are_those_that_the_study_reads(bands, region):
    """Samples of 2012 read two steps: LAI of 2012 and 2011, NDVI from autumn 2011 to autumn 2012."""
    study = Study(year_from=2012, year_to=2012, time_before=2)
    frame = missing_steps(scan_rasters(bands, region).frame, study)
    listed = [tuple(row) for row in frame.astype(object).where(frame.notna(), None).to_numpy()]
    assert listed == [("NDVI", 2011, "autumn"), ("NDVI", 2012, "spring"), ("NDVI", 2012, "autumn")]
    earlier = missing_steps(scan_rasters(bands, region).frame, study.model_copy(update={"first_lag": 1}))
    assert ("LAI", 2010) in list(zip(earlier["band"], earlier["year"], strict=True))
    assert ("LAI", 2012) not in list(zip(earlier["band"], earlier["year"], strict=True))
