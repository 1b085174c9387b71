"""An answer is given again only while every file that decides it is as it was."""

import os

import pytest

from soc_assets.storage import remembered
from soc_assets.storage.remembered import Remembered, stamps_of


@pytest.fixture
def known(tmp_path, monkeypatch):
    monkeypatch.setattr(remembered, "SETTLED_NS", -(10**12))  # what is written here counts as settled
    (tmp_path / "folder").mkdir()
    for name in ("one", "folder/two"):
        (tmp_path / name).write_text("text")
    roots = [tmp_path / "one", tmp_path / "folder", tmp_path / "not there"]
    Remembered(tmp_path / "answers.json").note("name", ["question", 1], {"a": 1}, roots)
    return tmp_path


def ask(folder, question=("question", 1)):
    return Remembered(folder / "answers.json").ask("name", list(question))


def test_an_answer_is_that_of_its_question(known):
    assert ask(known) == {"a": 1}
    assert ask(known, ("question", 2)) is None
    assert Remembered(known / "answers.json").ask("another", ["question", 1]) is None


@pytest.mark.parametrize("change", ["edited", "time put back", "removed", "added", "appeared", "emptied"])
def test_a_change_of_a_file_that_decides_makes_it_unknown(known, change):
    one, two = known / "one", known / "folder/two"
    before = one.stat()
    if change == "added":
        (known / "folder/three").write_text("text")
    elif change == "appeared":
        (known / "not there").write_text("text")
    elif change == "removed":
        two.unlink()
    else:
        one.write_text("" if change == "emptied" else "TEXT")
        if change == "time put back":
            os.utime(one, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert ask(known) is None


def test_a_damaged_file_of_answers_is_ignored(known):
    path = known / "answers.json"
    content = path.read_text()
    for spoilt in (content.replace('"a": 1', '"a": 2'), content[:-10], "", "[]", "{}"):
        path.write_text(spoilt)
        assert ask(known) is None
    path.write_text(content)
    assert ask(known) == {"a": 1}


def test_nothing_is_kept_while_a_file_is_being_changed(tmp_path):
    (tmp_path / "one").write_text("text")
    Remembered(tmp_path / "answers.json").note("name", ["question", 1], 1, [tmp_path / "one"])
    assert ask(tmp_path) is None
    assert stamps_of([tmp_path / "one"], 0) is None
