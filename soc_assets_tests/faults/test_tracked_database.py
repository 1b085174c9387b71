"""MLflow's database lost, damaged, or older than what the last run left: put back, or refused with the cure."""

import os
import shutil
import sqlite3
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from soc_assets.errors import SocWarning, StorageError
from soc_assets.storage import tracked_database
from soc_assets.storage.tracked_database import copy_of, is_there, keep_copy, require_whole

RUN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """With two finished runs, the files of a model, and a second copy."""
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE experiments (experiment_id INTEGER)")
        connection.execute("CREATE TABLE runs (run_uuid TEXT, status TEXT)")
        connection.execute("CREATE TABLE latest_metrics (run_uuid TEXT, key TEXT, value REAL)")
        connection.execute("CREATE TABLE params (run_uuid TEXT, key TEXT, value TEXT)")
    add_run(path, "first", 0.25)
    shutil.copyfile(path, tmp_path / "older.db")
    add_run(path, RUN, 0.5)
    model = tmp_path / "artifacts/models/m-1/artifacts/MLmodel"
    model.parent.mkdir(parents=True)
    model.touch()
    (tmp_path / "artifacts" / RUN).mkdir()
    keep_copy(path)
    return path


def add_run(path: Path, run: str, r2: float) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO runs VALUES (?, 'FINISHED')", (run,))
        connection.execute("INSERT INTO latest_metrics VALUES (?, 'test_r2', ?)", (run, r2))
        connection.execute("INSERT INTO params VALUES (?, 'epochs', '50')", (run,))


def runs(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT run_uuid FROM runs")]


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def flipped(path: Path) -> None:
    """The kind of the second page."""
    content = bytearray(path.read_bytes())
    content[4096] ^= 0xFF
    path.write_bytes(content)


def without_tables(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE other (a)")


DAMAGES = [Path.unlink, empty, cut, zeroed, flipped, without_tables]


@pytest.mark.parametrize("spoil", DAMAGES)
def test_damaged_database_is_put_back_with_a_warning_and_kept_aside(database, spoil: Callable[[Path], None]):
    spoil(database)
    with pytest.warns(SocWarning, match=r"mlflow\.db.*Its copy of .* was put in its place"):
        require_whole(database)
    assert runs(database) == ["first", RUN]
    assert database.with_name("mlflow.db.damaged").is_file() == (spoil is not Path.unlink)


@pytest.mark.parametrize("spoil", DAMAGES)
def test_loss_without_a_copy_says_what_it_means(database, spoil):
    copy_of(database).unlink()
    spoil(database)
    assert is_there(database)
    with pytest.raises(StorageError, match=r"(?s)mlflow\.db.*no copy.*1 models.*m-1.*rename .*artifacts"):
        require_whole(database)
    (database.parent / "artifacts").rename(database.parent / "artifacts_before")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SocWarning)
        require_whole(database)
    assert not database.is_file()  # MLflow begins a new one


def test_damaged_copy_is_not_believed(database):
    flipped(copy_of(database))
    database.unlink()
    with pytest.raises(StorageError, match="no copy"):
        require_whole(database)


def test_older_database_is_refused_and_each_of_the_two_cures_works(database):
    shutil.copyfile(database.with_name("older.db"), database)
    with pytest.raises(StorageError, match=rf"lacks 1 runs .*{RUN}.*delete it.*To keep it, delete .*mlflow\.copy\.db"):
        require_whole(database)
    shutil.copyfile(database, database.with_name("taken.db"))
    database.unlink()
    with pytest.warns(SocWarning, match="put in its place"):
        require_whole(database)
    assert runs(database) == ["first", RUN]
    database.with_name("taken.db").replace(database)
    copy_of(database).unlink()
    require_whole(database)
    assert runs(database) == ["first"]


def test_changed_value_of_a_finished_run_is_refused(database):
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE latest_metrics SET value = 0.75 WHERE run_uuid = ?", (RUN,))
    with pytest.raises(StorageError, match=rf"test_r2 of run {RUN} was 0\.5, is 0\.75"):
        require_whole(database)


def test_new_runs_and_runs_removed_with_their_files_are_no_contradiction(database):
    add_run(database, "third", 0.6)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM runs WHERE run_uuid = 'first'")
    require_whole(database)
    assert set(runs(database)) == {RUN, "third"}, "neither refused nor put back"


def test_a_process_looks_once_at_a_database(database, monkeypatch):
    looked: list[Path] = []
    monkeypatch.setattr(tracked_database, "fault_of", lambda path, *_: looked.append(path) or "")
    require_whole(database)
    once = len(looked)
    require_whole(database)
    assert once and len(looked) == once
