"""Requirements that are not met are found, also those of what is needed indirectly."""

import pytest

from soc_assets.diagnostics.packages import follow_requirements, look_at_packages


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
    versions, unmet = follow_requirements("soc-study")
    assert versions == {"soc-network": "2.12.0", "soc-vision": "0.28"}
    assert [(owner, str(each)) for owner, each in unmet] == [("soc-vision", "soc-network==2.13.0")]
    [shown] = look_at_packages("soc-study")[1:]
    assert shown.state == "error"
    assert shown.found == "2.12.0 is installed; soc-vision needs soc-network==2.13.0"
    assert shown.cure == "pip install 'soc-network==2.13.0'"


def test_what_is_missing_is_found_but_not_what_an_extra_or_another_system_needs(installed):
    installed("soc-study", "1.0", "soc-gone>=1", "soc-more; extra == 'all'", "soc-win; sys_platform == 'none'")
    versions, unmet = follow_requirements("soc-study")
    assert versions == {} and [str(each) for _, each in unmet] == ["soc-gone>=1"]
    [shown] = look_at_packages("soc-study")[1:]
    assert (shown.state, shown.found) == ("error", "is not installed; soc-study needs soc-gone>=1")


def test_extras_that_a_package_asks_for_are_followed(installed):
    installed("soc-study", "1", "soc-query[http]")
    installed("soc-query", "1", "soc-tools; extra == 'http'", "soc-gone; extra == 'more'")
    installed("soc-tools", "3")
    assert follow_requirements("soc-study") == ({"soc-query": "1", "soc-tools": "3"}, [])


def test_circles_of_requirements_end(installed):
    installed("soc-a", "1", "soc-b")
    installed("soc-b", "1", "soc-a")
    assert follow_requirements("soc-a") == ({"soc-b": "1", "soc-a": "1"}, [])


def test_a_build_for_another_device_is_the_version_asked_for(installed):
    installed("soc-study", "1", "soc-network==2.13.0")
    installed("soc-network", "2.13.0+cpu")
    assert follow_requirements("soc-study")[1] == []


def test_this_environment_is_whole():
    assert {each.state for each in look_at_packages()} == {"ok"}
