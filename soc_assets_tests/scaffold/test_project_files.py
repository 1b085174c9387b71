"""A new project: its settings load, and nothing of the user's is written over."""

import tomllib

import pytest
import yaml

from soc_assets.project import load_project
from soc_assets.scaffold.project_files import EXAMPLES, FOLDERS, write_scaffold
from soc_assets.settings.loading import Settings
from soc_assets_tests.command_line import refused, soc


def test_settings_of_a_new_project_are_the_defaults(tmp_path):
    write_scaffold(tmp_path / "study")
    project = load_project(tmp_path / "study/soc.toml")
    assert project.settings.model_dump() == Settings().model_dump()
    assert all((tmp_path / "study" / name).is_dir() for name in FOLDERS)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_its_settings_and_where_its_data_are(example, tmp_path):
    made = write_scaffold(tmp_path, example)
    assert {"soc.toml", "data.md", "README.md"} <= set(made.written)
    assert load_project(tmp_path / "soc.toml").settings.rasters.bands != Settings().rasters.bands
    assert (tmp_path / "data.md").read_text().startswith("# The data of ")


def test_both_examples_are_known():
    assert EXAMPLES == ("macedonia", "meuse")


def test_what_is_there_stays_as_it_is(tmp_path):
    (tmp_path / "soc.toml").write_text("[study]\nmax_oc = 100.0\n")
    (tmp_path / "README.md").symlink_to("elsewhere.md")  # which is not there
    made = write_scaffold(tmp_path, "meuse")
    assert set(made.kept) == {"soc.toml", "README.md"}
    assert (tmp_path / "soc.toml").read_text() == "[study]\nmax_oc = 100.0\n"
    assert not (tmp_path / "elsewhere.md").exists()
    again = write_scaffold(tmp_path, "meuse")
    assert again.written == [] and set(again.kept) == {*made.kept, *made.written}


@pytest.mark.parametrize(
    ("title", "name"), [("Böden in Bayern", "b-den-in-bayern"), ("soil", "soil"), ("土", "soc-project")]
)
def test_name_of_the_folder_is_that_of_the_project(title, name, tmp_path):
    write_scaffold(tmp_path / title)
    assert tomllib.loads((tmp_path / title / "pyproject.toml").read_text())["project"]["name"] == name
    assert (tmp_path / title / "README.md").read_text().startswith(f"# {title}\n")


def test_dagster_and_dg_are_told_the_same_code_location(tmp_path):
    write_scaffold(tmp_path)
    tool = tomllib.loads((tmp_path / "pyproject.toml").read_text())["tool"]
    [location] = yaml.safe_load((tmp_path / "workspace.yaml").read_text())["load_from"]
    module = location["python_module"]["module_name"]
    assert module == tool["dg"]["project"]["code_location_target_module"] == tool["dagster"]["module_name"]
    assert (tmp_path / module.replace(".", "/")).with_suffix(".py").is_file()


def test_init_says_what_it_wrote_and_what_comes_next(tmp_path):
    folder = tmp_path / "study"
    said = soc("init", folder).stdout
    assert f"written  {folder / 'soc.toml'}" in said
    assert f"cd {folder} && soc check" in said
    assert f"kept     {folder / 'soc.toml'} (it was there)" in soc("init", folder).stdout


def test_init_with_demo_writes_a_region_that_check_reads(tmp_path):
    assert "All of it is synthetic" in soc("init", tmp_path, "--demo").stdout
    assert (tmp_path / "data/rasters/static/Elevation.tif").is_file()
    assert "only written into empty folders" in refused("init", tmp_path, "--demo")  # and not twice


def test_an_example_has_no_demo(tmp_path):
    result = soc("init", tmp_path, "--demo", "--example", "meuse")
    assert result.exit_code == 2 and not (tmp_path / "soc.toml").exists()


def test_a_folder_that_is_a_file_is_a_usage_error(tmp_path):
    (tmp_path / "study").write_text("")
    assert soc("init", tmp_path / "study").exit_code == 2
    assert "below" in soc("init", tmp_path / "study/below").output
