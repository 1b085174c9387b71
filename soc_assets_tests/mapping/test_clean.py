"""Maps of models that are no longer in use: what counts as such, and what is left behind by whom."""

import pytest

from soc_assets.mapping.clean import leftovers, model_maps, remove
from soc_assets.runtime.process import mark_of_files
from soc_assets_tests.map_folder import DIGEST, write_map


def test_maps_of_the_present_model_are_in_use_and_all_where_there_is_none(tmp_path):
    maps = write_map(tmp_path, "2023").parents[1]
    write_map(tmp_path, "2015_winter", digest="another")
    (maps / "another/tiles").mkdir()
    (maps / "another/tiles/2015_winter_r0000_c0000.npz").write_bytes(bytes(1000))
    other, own = sorted(model_maps(maps, DIGEST), key=lambda each: each.in_use)
    assert (other.path.name, other.periods, other.tiles, other.in_use) == ("another", ("2015_winter",), 1, "")
    assert (own.periods, own.tiles, own.in_use) == (("2023",), 0, "current")
    assert other.size == sum(path.stat().st_size for path in (maps / "another").rglob("*") if path.is_file())
    assert [bool(each.in_use) for each in model_maps(maps, None)] == [True, True]
    with pytest.raises(ValueError, match="in use"):
        remove(own)
    remove(other)
    assert [path.name for path in maps.iterdir()] == [DIGEST]
    assert model_maps(tmp_path / "nothing", DIGEST) == []


def test_what_is_being_written_is_no_leftover(tmp_path):
    maps = write_map(tmp_path, "2023").parents[1]
    own, dead = mark_of_files(), mark_of_files().split("-")[0] + "-999999999-1."
    for mark in (own, dead):
        (maps / DIGEST / f".2023.{mark}ab12.tmp").mkdir()
    (maps / ".removing-old").mkdir()
    assert leftovers(maps) == [maps / ".removing-old", maps / DIGEST / f".2023.{dead}ab12.tmp"]
