"""Nobody sees half a file."""

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from soc_assets.runtime.process import this_machine
from soc_assets.storage import files, folders


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with files.replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.name.startswith(".")  # not found by a glob for data
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), files.replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_folders_are_made_and_others_may_read(tmp_path):
    path = tmp_path / "new/folder/a.txt"
    files.write_text(path, "Böden")
    assert path.read_text(encoding="utf-8") == "Böden"
    assert path.stat().st_mode & 0o444 == 0o444


@pytest.mark.parametrize(("umask", "mode"), [(0o002, 0o664), (0o022, 0o644), (0o077, 0o600)])
def test_new_file_has_the_permissions_that_the_umask_leaves_and_one_that_is_replaced_keeps_its_own(
    tmp_path, umask, mode
):
    former = os.umask(umask)
    try:
        files.write_text(tmp_path / "a.txt", "1")
        assert (tmp_path / "a.txt").stat().st_mode & 0o777 == mode
        (tmp_path / "a.txt").chmod(0o640)
        files.write_text(tmp_path / "a.txt", "2")
        assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(former)


def test_table_keeps_types_and_metadata(tmp_path):
    frame = pd.DataFrame({"name": ["a", None], "n": pd.array([1, None], "Int32"), "x": [0.5, float("nan")]})
    files.write_table(tmp_path / "t.parquet", frame, {"soc.inputs": "digest"})
    stored = files.read_metadata(tmp_path / "t.parquet")
    assert stored["soc.inputs"] == "digest"
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), frame, check_dtype=False)
    assert pd.read_parquet(tmp_path / "t.parquet")["n"].dtype == "Int32"


def test_file_that_is_not_there_has_no_metadata(tmp_path):
    assert files.read_metadata(tmp_path / "none.parquet") == {}


def test_json_is_indented_and_holds_what_was_given(tmp_path):
    files.write_json(tmp_path / "a.json", {"path": tmp_path, "n": [1, 2]})
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text) == {"path": str(tmp_path), "n": [1, 2]}
    assert text.endswith("}\n")
    assert "\n  " in text


def test_folder_takes_the_others_place_when_it_is_whole_and_two_writers_do_not_meet(tmp_path):
    path = tmp_path / "a.zarr"
    path.mkdir()
    (path / "old").touch()
    with folders.replacing_folder(path) as first, folders.replacing_folder(path) as second:
        assert first != second
        (first / "first").touch()
        (second / "second").touch()
        assert names(path) == ["old"]
    assert names(path) == ["first"]
    with pytest.raises(KeyboardInterrupt), folders.replacing_folder(path) as temporary:
        (temporary / "half").touch()
        raise KeyboardInterrupt
    assert (names(path), names(tmp_path)) == (["first"], ["a.zarr"])


def test_folder_that_cannot_take_its_place_leaves_what_was_there(tmp_path, monkeypatch):
    path, replace = tmp_path / "a.zarr", Path.replace
    path.mkdir()
    (path / "old").touch()

    def fails(self, to):
        if self.suffix == ".tmp":
            raise OSError("the disk is gone")
        return replace(self, to)

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(OSError, match="the disk is gone"), folders.replacing_folder(path):
        pass
    assert (names(path), names(tmp_path)) == (["old"], ["a.zarr"])


def test_folder_that_a_killed_process_had_moved_aside_is_put_back(tmp_path):
    former = tmp_path / f".a.zarr.{this_machine()}-{2**22 + 1}-0.former"
    former.mkdir()
    (former / "old").touch()
    with pytest.raises(KeyboardInterrupt), folders.replacing_folder(tmp_path / "a.zarr"):
        raise KeyboardInterrupt
    assert (names(tmp_path), names(tmp_path / "a.zarr")) == (["a.zarr"], ["old"])
