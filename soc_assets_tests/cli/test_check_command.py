"""`soc check`: what it prints, what it writes, and its exit code."""

import numpy as np
import pandas as pd
import rasterio
from click.testing import CliRunner

from soc_assets.cli.check_report import rasters_table
from soc_assets.cli.main import main
from soc_assets_tests.small_project import SmallProject, write_project


def check(made: SmallProject):
    return CliRunner().invoke(main, ["check", "--config", str(made.config)])


def test_a_sound_project_is_described_and_passes(tmp_path):
    made = write_project(tmp_path)
    result = check(made)
    assert result.exit_code == 0, result.stdout
    for words in ("Elevation", "EPSG:25832", "64 x 64", "float32", "-9999", "north-up"):
        assert words in result.stdout
    assert "images there, of 60 samples" in result.stdout  # of the 62 usable rows one is of 2005, one above max_oc
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


def test_bands_without_a_usable_file_are_told_once_each_and_no_raster_is_a_copy_of_itself(tmp_path):
    made = write_project(tmp_path)
    for band in ("LAI", "LST"):
        for path in (made.root / f"data/rasters/yearly/{band}").iterdir():
            with rasterio.open(path) as dataset:
                values, place = dataset.read(), dataset.profile | {"crs": None}
            with rasterio.open(path, "w", **place) as dataset:
                dataset.write(values)
    result = check(made)
    errors = [line for line in result.stdout.splitlines() if line.startswith("error")]
    assert [line[:16] for line in errors] == ["error files LAI:", "error files LST:"]
    assert "the same step as" not in result.stdout
    assert 'accept = ["files:LAI"]' not in result.stdout  # it would not help


def test_what_stops_a_run_is_an_error_in_the_words_of_the_run(tmp_path):
    made = write_project(tmp_path)
    table = pd.read_csv(tmp_path / "data/soil/a.csv")
    table.loc[3, "OC"] = 9999
    table.to_csv(tmp_path / "data/soil/a.csv", index=False)
    (tmp_path / "data/soil/lab.csv.gz").write_bytes(b"")
    made.config.write_text(made.config.read_text() + "[study]\nmax_oc = 0.001\n")
    made.set("[embedding]", '[embedding]\ncheckpoint = "data/gone.pth"')
    result = check(made)
    assert result.exit_code == 1
    assert "error samples: The checkpoint" in result.stdout
    assert "error samples: The filters of [study] exclude all" in result.stdout
    assert "(a.csv row 5): organic_carbon is 9999.0, expected between 0 and 1000" in result.stdout
    assert "1 file is not looked at: lab.csv.gz" in result.stdout


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
