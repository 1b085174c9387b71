"""Rasters that fit the pattern of no band: told, and a warning where a step may be missing for its name alone."""

from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.ingest.quality.unmatched import rasters_not_read
from soc_assets.settings import Band, Rasters
from soc_assets_tests.ingest.conftest import write_raster
from soc_assets_tests.ingest.quality.checking import ELEVATION, landscape, static, year, yearly

RASTERS = Rasters(bands=(ELEVATION, Band(name="LAI")))


def told(folder) -> list[tuple[str, str, str]]:
    catalog = scan_rasters(RASTERS, folder)
    findings = rasters_not_read(folder, catalog.frame, catalog.problems, RASTERS)
    return [(item.severity, item.band, item.found) for item in findings]


def test_a_step_whose_name_does_not_fit_is_a_warning_and_other_rasters_a_note(tmp_path):
    static(tmp_path, "Elevation", landscape())
    yearly(tmp_path, "LAI", 2012, year(2012))
    assert told(tmp_path) == []
    write_raster(tmp_path / "yearly/LAI/LAI-2013.tif", year(2013))
    write_raster(tmp_path / "yearly/LAI/LAI_2012_old.tif", year(2012))
    write_raster(tmp_path / "static/Slope.tif", landscape())
    (tmp_path / "static/._Elevation.tif").touch()
    words = "the pattern of no band and"
    assert sorted(told(tmp_path)) == [
        ("note", "", f"2 rasters fit {words} are not looked at: static/Slope.tif, yearly/LAI/LAI_2012_old.tif"),
        ("warning", "LAI", f"1 raster fits {words} is not looked at: yearly/LAI/LAI-2013.tif"),
    ]
