"""Disks, folders and ports: what would stop a run is found, and nothing is left behind."""

import pytest

from soc_assets.diagnostics import machine
from soc_assets.runtime import ports
from soc_assets_tests.faults import disks


def states(found):
    return {each.subject: each.state for each in found}


def test_folders_that_can_be_written_are_ok_and_left_as_they_were(tmp_path):
    found = machine.look_at_folders([("data", tmp_path), ("mlruns", tmp_path / "later/mlruns")])
    assert [each.state for each in found if each.subject in ("data", "mlruns")] == ["ok", "ok"]
    assert found[0].found == str(tmp_path)
    assert next(each for each in found if each.subject == "mlruns").found.endswith("mlruns (will be made)")
    assert list(tmp_path.iterdir()) == []


def test_space_is_told_once_for_each_disk(tmp_path):
    subjects = [each.subject for each in machine.look_at_folders([("data", tmp_path), ("mlruns", tmp_path)])]
    assert subjects.count("space for data") == 1 and "space for mlruns" not in subjects


def test_full_and_read_only_disks_are_found(tmp_path):
    with disks.disk(tmp_path / "data", 1):
        with disks.full(tmp_path / "data"):
            found = machine.look_at_folders([("data", tmp_path / "data")])
        assert states(found)["data"] == states(found)["space for data"] == "error"
        assert "No space left" in found[0].found
        with disks.read_only(tmp_path / "data"):
            found = machine.look_at_folders([("data", tmp_path / "data/below")])
        assert states(found)["data"] == "error" and "Read-only" in found[0].found


@pytest.mark.parametrize(("free", "state"), [(0.49, "error"), (0.5, "warning"), (4.99, "warning"), (5.0, "ok")])
def test_little_space_is_a_warning_and_hardly_any_an_error(free, state, tmp_path):
    assert machine.judge_space("data", tmp_path, free).state == state
    assert machine.judge_space(machine.TEMPORARY, tmp_path, free).state == "ok"  # hardly anything is written there


def test_file_in_the_place_of_a_folder_is_found(tmp_path):
    (tmp_path / "data").touch()
    for folder in (tmp_path / "data", tmp_path / "data/below"):
        [verdict] = machine.look_at_folders([("data", folder)])
        assert verdict.state == "error" and verdict.found == f"{tmp_path / 'data'} is a file, not a folder"


def test_without_a_folder_for_temporary_files_that_is_said(monkeypatch):
    def none() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(machine.tempfile, "gettempdir", none)
    [verdict] = machine.look_at_temporary_files()
    assert verdict.state == "error" and "TMPDIR" in verdict.cure


def test_ports_that_are_in_use_are_told_with_a_free_one(monkeypatch):
    with ports.bind(0) as held, ports.bind(0) as other:
        taken, free = held.getsockname()[1], other.getsockname()[1]
        held.listen()
        other.close()
        monkeypatch.setattr(machine, "PORTS", {"soc ui": taken, "soc view": free})
        used, unused = machine.look_at_ports()
    assert used.state == "warning" and used.found == f"Port {taken} of this machine is in use."
    assert used.cure.startswith("soc ui --port ")
    assert (unused.state, unused.found) == ("ok", "free for `soc view`")


def test_memory_is_told():
    verdict = machine.look_at_memory()
    assert verdict.state == "ok" and "CPU cores" in verdict.found
