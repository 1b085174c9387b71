"""`soc check`: what it prints, what it writes, and its exit code."""

import numpy as np
import pandas as pd
import rasterio
from click.testing import CliRunner

from soc_assets.check_report import rasters_table
from soc_assets.cli import main
from soc_assets_tests.small_project import SmallProject, write_project


def check(made: SmallProject):
    return CliRunner().invoke(main, ["check", "--config", str(made.config)])


def test_a_sound_project_is_described_and_passes(tmp_path):
    made = write_project(tmp_path)
    result = check(made)
    assert result.exit_code == 0, result.stdout
    for words in ("Elevation", "EPSG:25832", "64 x 64", "float32", "-9999", "north-up"):
        assert words in result.stdout
    assert "images there, of 61 samples" in result.stdout  # of the 62 usable rows one is of 2005
    assert "1 of 16 steps of the study are missing, between others: 2010" in result.stdout
    assert "0 errors" in result.stdout
    assert (tmp_path / "data/catalog/coverage.png").read_bytes()[:4] == b"\x89PNG"


def test_nothing_but_previews_and_the_picture_is_written(tmp_path):
    made = write_project(tmp_path)
    before = made.stamps()
    check(made)
    new = {name for name in made.stamps() if name not in before}
    assert {name for name in new if not name.startswith("data/catalog/previews/")} == {"data/catalog/coverage.png"}
    assert {name: made.stamps()[name] for name in before} == before


def test_errors_exit_with_1_and_name_file_and_cure(tmp_path):
    made = write_project(tmp_path)
    path = made.raster("MODIS_NPP", 2013)
    with rasterio.open(path, "r+") as dataset:
        values = dataset.read(1)
        values[:9, :9] = 65535
        dataset.write(values, 1)
    result = check(made)
    assert result.exit_code == 1
    assert "error fill_values MODIS_NPP 2013" in result.stdout
    assert str(path) in result.stdout
    assert "fill_values = [65535]" in result.stdout
    assert 'accept = ["fill_values:MODIS_NPP"]' in result.stdout


def test_a_band_without_a_usable_file_does_not_hide_what_the_others_have(tmp_path):
    made = write_project(tmp_path)
    for path in (made.root / "data/rasters/yearly/LAI").iterdir():
        path.unlink()
    with rasterio.open(made.raster("LST", 2013), "r+") as dataset:
        dataset.write(np.full(dataset.shape, 5, "float32"), 1)
    result = check(made)
    assert result.exit_code == 1
    assert "error files LAI: The yearly band LAI has no raster" in result.stdout
    assert "error constant LST 2013" in result.stdout


def test_without_soil_tables_the_rasters_are_reported_all_the_same(tmp_path):
    made = write_project(tmp_path)
    for path in (made.root / "data/soil").iterdir():
        path.unlink()
    result = check(made)
    assert result.exit_code == 1
    assert "error samples" in result.stdout
    assert "64 x 64" in result.stdout


def test_without_rasters_it_says_where_they_belong(tmp_path):
    made = SmallProject(tmp_path)
    made.config.write_text("")
    result = check(made)
    assert result.exit_code == 1
    assert "error files Elevation: The folder of rasters" in result.stdout


def test_tiles_of_one_band_are_one_line_of_the_table():
    place = {"crs": "EPSG:25832", "layer": 1, "dtype": "int16", "nodata": -1.0, "valid_share": 1.0, "valid_count": 4}
    place |= {"min": 1.0, "mean": 2.0, "max": 3.0, "width": 2, "height": 2, "shape": [2, 2]}
    rows = [
        {**place, "band": "DEM", "tile": name, "transform": [250.0, 0.0, left, 0.0, -250.0, 5e6]}
        for name, left in (("a", 7e5), ("b", 7e5 + 500))
    ]
    rows.append({**place, "band": "LAI", "tile": None, "transform": [250.0, 0.0, 7e5, 0.0, -250.0, 5e6]})
    table = rasters_table(pd.DataFrame(rows))
    assert [list(column.cells) for column in table.columns[:4:3]] == [["DEM", "LAI"], ["2 tiles", "2 x 2"]]
