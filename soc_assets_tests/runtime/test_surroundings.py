"""Other programs' variables, signs in folder names, files of other editors: no traceback, and nothing elsewhere."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import rasterio

from soc_assets.errors import SettingsError
from soc_assets.project import load_project
from soc_assets.runtime.surroundings import ignore_other_programs

OWN = Path(rasterio.__file__).parent


def proj_folder(folder: Path, major: int, minor: int) -> Path:
    """What PROJ of another version has."""
    folder.mkdir()
    with closing(sqlite3.connect(folder / "proj.db")) as connection:
        connection.execute("CREATE TABLE metadata (key TEXT, value TEXT)")
        rows = [("DATABASE.LAYOUT.VERSION.MAJOR", str(major)), ("DATABASE.LAYOUT.VERSION.MINOR", str(minor))]
        connection.executemany("INSERT INTO metadata VALUES (?, ?)", rows)
        connection.commit()
    return folder


@pytest.mark.parametrize("name", ["PROJ_LIB", "PROJ_DATA", "GDAL_DATA"])
def test_variables_of_other_programs_are_ignored_and_usable_ones_stay(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "defect").mkdir()
    (tmp_path / "defect/proj.db").write_bytes(b"no database")
    older = proj_folder(tmp_path / "older", 1, 0)
    for folder in (tmp_path / "empty", tmp_path / "missing", tmp_path / "defect", older):
        environment = {name: str(folder), "OTHER": "1"}
        assert ignore_other_programs(environment, OWN) == [name]
        assert environment == {"OTHER": "1"}
    usable = OWN / ("gdal_data" if name == "GDAL_DATA" else "proj_data")
    environment = {name: os.pathsep.join([str(tmp_path / "empty"), str(usable)])}
    assert ignore_other_programs(environment, OWN) == []
    assert list(environment) == [name]


def test_without_data_of_its_own_rasterio_keeps_what_the_environment_says(tmp_path):
    environment = {"PROJ_LIB": "/opt/conda/share/proj", "GDAL_DATA": "/opt/conda/share/gdal"}
    assert ignore_other_programs(environment, tmp_path) == []


def test_package_is_imported_and_knows_its_systems_whatever_proj_lib_says(tmp_path):
    code = "import soc_assets.geo.grid as g; from rasterio.crs import CRS; print(CRS.from_epsg(25832).to_epsg())"
    environment = {**os.environ, "PROJ_LIB": str(tmp_path), "PROJ_DATA": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "25832\n"), done.stderr


@pytest.mark.parametrize("name", ["what?", "soil%20data", "a{b}"])
def test_sign_in_the_path_that_databases_misread_is_named(tmp_path, name):
    (tmp_path / name / "project").mkdir(parents=True)
    config = tmp_path / name / "project/soc.toml"
    config.write_text("")
    with pytest.raises(SettingsError) as refused:
        load_project(config)
    assert f"Rename the folder {name!r}" in str(refused.value)
    (tmp_path / "plain").mkdir()
    settings = tmp_path / "plain/soc.toml"
    for key in ("data", "mlruns"):
        settings.write_text(f'[paths]\n{key} = "../{name}/{key}"')
        with pytest.raises(SettingsError, match=rf"\[paths\] {key}"):
            load_project(settings)


def test_usual_signs_in_the_path_are_taken(tmp_path):
    folder = tmp_path / "Böden 100% [neu] #2 & mehr, 'alt' (1)"
    folder.mkdir()
    (folder / "soc.toml").write_text("")
    assert load_project(folder / "soc.toml").root == folder


def test_byte_order_mark_is_no_part_of_the_settings(tmp_path):
    config = tmp_path / "soc.toml"
    config.write_bytes(b"\xef\xbb\xbf[study]\nyear_from = 2003\n")
    assert load_project(config).settings.study.year_from == 2003


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        (
            "cp1252",
            r"is not in UTF-8: line 2 holds the byte 0xF6, which is 'ö' in Windows' encoding\. Save it as UTF-8",
        ),
        ("utf-16", r"is in UTF-16, which TOML does not allow\. Save it as UTF-8"),
    ],
)
def test_other_encoding_is_told_in_one_sentence(tmp_path, encoding, expected):
    config = tmp_path / "soc.toml"
    config.write_bytes('[soil.columns]\nid = "Probenkörper"\n'.encode(encoding))
    with pytest.raises(SettingsError, match=expected):
        load_project(config)


def test_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", "~/instance")
    (tmp_path / "soc.toml").write_text('[paths]\ndata = "~/d"\nrasters = "~/r"\nsoil = "~/s"\nmlruns = "~/m"\n')
    project = load_project(tmp_path / "soc.toml")
    home = tmp_path / "home"
    assert project.dagster_home == home / "instance"
    assert [project.data, project.rasters, project.soil, project.mlruns] == [home / name for name in "drsm"]
