"""Which folders are maps, and in what order they are shown."""

import os

import pytest

from soc_assets.errors import StateError
from soc_assets.serving.maps import find_maps, opened
from soc_assets_tests.map_folder import write_map


def test_newest_model_comes_first_and_its_periods_in_the_order_of_time(tmp_path):
    for period in ("2015_winter", "2014_autumn", "2015_summer", "2014"):
        write_map(tmp_path, period, digest="new")
    os.utime(write_map(tmp_path, "2020", digest="old") / "map.json", (1, 1))
    assert list(find_maps(tmp_path)) == [
        ("new", "2014"),
        ("new", "2014_autumn"),
        ("new", "2015_winter"),
        ("new", "2015_summer"),
        ("old", "2020"),
    ]


def test_folders_without_map_json_and_those_that_are_no_period_are_no_maps(tmp_path):
    write_map(tmp_path, "2020")
    (write_map(tmp_path, "2021") / "map.json").unlink()
    write_map(tmp_path, ".2022.abc.tmp")
    write_map(tmp_path, "tiles")
    write_map(tmp_path, "2023_monsoon")
    going = tmp_path / "maps/model/2024"
    going.mkdir(parents=True)
    (going / "map.json").symlink_to("what was replaced between listing and reading")
    assert [period for _, period in find_maps(tmp_path)] == ["2020"]
    assert find_maps(tmp_path / "nowhere") == {}


def test_a_map_that_is_made_again_has_another_stamp(tmp_path):
    folder = write_map(tmp_path, "2020")
    before = next(iter(find_maps(tmp_path).values())).stamp
    os.utime(folder / "map.json", (5, 5))
    assert next(iter(find_maps(tmp_path).values())).stamp != before


def test_damaged_files_are_named_with_the_way_out(tmp_path):
    folder = write_map(tmp_path, "2020")
    (folder / "lower.tif").write_bytes(b"")
    with pytest.raises(StateError, match=r"lower.tif cannot be read .* run `soc map` again"):
        opened(folder / "lower.tif")
    (folder / "map.json").write_text("[]")
    assert next(iter(find_maps(tmp_path).values())).title
    (folder / "map.json").write_text("{")
    with pytest.raises(StateError, match=r"map.json is damaged"):
        find_maps(tmp_path)
