"""A new project: its settings load, and nothing of the user's is written over."""

import shlex
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
    found, defaults = project.settings.model_dump(), Settings().model_dump()
    assert found["training"].pop("scale_input_rate") and not defaults["training"].pop("scale_input_rate")
    assert found == defaults
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
    ("title", "name"),
    [
        ("Böden in Bayern", "boden-in-bayern"),
        ("soil", "soil"),
        ("土", "soc-project"),
        ("soc_assets", "soc-assets-project"),
    ],
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
    assert "is a file" in refused("init", tmp_path / "study/below")
    (tmp_path / "data").touch()
    assert f"{tmp_path / 'data/rasters'} cannot be made" in refused("init", tmp_path)


@pytest.mark.parametrize("name", ["a[/b]", "[study]", "my study", "Bjarne's"])
def test_what_comes_next_can_be_pasted_whatever_the_folder_is_called(name, tmp_path):
    said = soc("init", tmp_path / name).stdout
    assert f"written  {tmp_path / name / 'soc.toml'}" in said
    assert f"Next: cd {shlex.quote(str(tmp_path / name))} && soc check" in said


@pytest.mark.parametrize("name", ["st{udy}", "what?"])
def test_a_folder_that_no_command_could_open_is_refused_before_anything_is_written(name, tmp_path):
    assert name in refused("init", tmp_path / name, "--demo")
    assert list(tmp_path.iterdir()) == []


def test_settings_named_elsewhere_are_warned_of(tmp_path, monkeypatch):
    write_scaffold(tmp_path / "one")
    monkeypatch.setenv("SOC_CONFIG", str(tmp_path / "one/soc.toml"))
    result = soc("init", tmp_path / "two")
    assert "SOC_CONFIG is set" in result.stderr and "one/soc.toml" in result.stderr


def test_settings_are_explained():
    assert "| `max_oc` |" in soc("settings").stdout
