"""`soc view`: what it refuses, and the file that it writes. The running server is in `serving/test_browser.py`."""

import re
import socket

import pytest

from soc_assets_tests.command_line import refused, soc
from soc_assets_tests.map_folder import write_map
from soc_assets_tests.small_project import SmallProject


@pytest.fixture
def made(tmp_path) -> SmallProject:
    made = SmallProject(tmp_path)
    made.config.write_text("")
    return made


def test_without_a_map_it_says_how_to_make_one(made):
    assert re.search(r"There is no map in \S+/data/maps: run `soc map` first", refused("view", at=made))
    (made.root / "data/maps/abc/2023").mkdir(parents=True)  # not finished: it has no map.json
    assert "There is no map" in refused("view", at=made)


def test_port_that_is_taken_is_named_with_one_that_is_free(made):
    write_map(made.project.data)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refused("view", "--port", str(port), at=made)
    other = re.fullmatch(rf"Error: Port {port} of this machine is in use. Choose another: --port (\d+)", said)
    assert other and int(other[1]) != port


def test_export_writes_one_file(made, tmp_path):
    write_map(made.project.data)
    said = soc("view", "--export", tmp_path / "map.html", at=made)
    assert said.exit_code == 0 and "MB in" in said.output
    assert (tmp_path / "map.html").read_bytes().startswith(b"<!doctype html>")


def test_samples_are_a_choice_of_the_export_alone(made):
    write_map(made.project.data)
    assert "--with-samples goes with --export" in refused("view", "--with-samples", at=made)


def test_export_is_html(made, tmp_path):
    write_map(made.project.data)
    assert "Name a file that ends in .html" in refused("view", "--export", tmp_path / "map.pdf", at=made)


def test_damaged_map_is_named(made):
    (write_map(made.project.data) / "map.json").write_text("{")
    assert "map.json is damaged" in refused("view", at=made)
