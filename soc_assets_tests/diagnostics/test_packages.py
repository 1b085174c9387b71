"""Requirements that are not met are found, also those of what is needed indirectly."""

import sys

import pytest

from soc_assets.diagnostics import packages
from soc_assets.diagnostics.packages import follow_requirements, install_command, look_at_packages


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs packages of which there is nothing but what they say of themselves."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(name: str, version: str, *requirements: str) -> None:
        folder = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        lines = [f"Requires-Dist: {each}" for each in requirements]
        text = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines])
        (folder / "METADATA").write_text(text + "\n")

    return install


def test_versions_that_do_not_go_together_are_found(installed):
    installed("soc-study", "1.0", "soc-network>=2", "soc-vision")
    installed("soc-network", "2.12.0")
    installed("soc-vision", "0.28", "soc-network==2.13.0")
    assert follow_requirements("soc-study")[0] == {"soc-network": "2.12.0", "soc-vision": "0.28"}
    [shown] = look_at_packages("soc-study")[1:]
    assert (shown.subject, shown.state) == ("soc-network", "error")
    assert shown.found == "2.12.0 is installed; soc-vision needs ==2.13.0"
    assert shown.cure == f"{sys.executable} -m pip install 'soc-network==2.13.0,>=2'"


def test_a_package_that_several_need_is_told_once_with_a_cure_that_suits_all(installed):
    installed("soc-study", "1", "soc-array>=2.0", "soc-tables")
    installed("soc-tables", "3", "soc-array[fast]>=2.0.2")
    installed("soc-array", "1.26.4")
    [shown] = look_at_packages("soc-study")[1:]
    assert shown.found == "1.26.4 is installed; soc-study needs >=2.0, soc-tables needs >=2.0.2"
    assert shown.cure.endswith(" install 'soc-array[fast]>=2.0,>=2.0.2'")


def test_cure_is_for_this_environment_also_where_it_has_no_pip(monkeypatch):
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    assert install_command("torch") == f"uv pip install --python {sys.executable} torch"


def test_what_is_missing_is_found_but_not_what_an_extra_or_another_system_needs(installed):
    installed("soc-study", "1.0", "soc-gone>=1", "soc-more; extra == 'all'", "soc-win; sys_platform == 'none'")
    assert follow_requirements("soc-study")[0] == {}
    [shown] = look_at_packages("soc-study")[1:]
    assert (shown.state, shown.found) == ("error", "is not installed; soc-study needs >=1")


def test_requirements_that_are_not_written_as_they_should_be_are_left_out(installed):
    installed("soc-study", "1", "soc-array (>=1.0.*)", "soc-tables")
    installed("soc-tables", "3")
    assert follow_requirements("soc-study") == ({"soc-tables": "3"}, {})


def test_extras_that_a_package_asks_for_are_followed(installed):
    installed("soc-study", "1", "soc-query[http]")
    installed("soc-query", "1", "soc-tools; extra == 'http'", "soc-gone; extra == 'more'")
    installed("soc-tools", "3")
    assert follow_requirements("soc-study") == ({"soc-query": "1", "soc-tools": "3"}, {})


def test_circles_of_requirements_end(installed):
    installed("soc-a", "1", "soc-b")
    installed("soc-b", "1", "soc-a")
    assert follow_requirements("soc-a") == ({"soc-b": "1", "soc-a": "1"}, {})


def test_a_build_for_another_device_is_the_version_asked_for(installed):
    installed("soc-study", "1", "soc-network==2.13.0")
    installed("soc-network", "2.13.0+cpu")
    assert follow_requirements("soc-study")[1] == {}


def test_this_environment_is_whole():
    assert {each.state for each in look_at_packages()} == {"ok"}
