"""A database that another process is about to make is not damaged; one that stays empty is."""

import os
import sqlite3
import threading
import time
from contextlib import closing

import pytest

from soc_assets.storage import sqlite_files
from soc_assets.storage.sqlite_files import fault_of, header_fault


@pytest.mark.parametrize("look", [fault_of, header_fault])
def test_database_that_is_being_made_is_waited_for(look, tmp_path):
    path = tmp_path / "run.db"
    path.touch()  # as SQLite leaves it before the first transaction ends

    def make() -> None:
        time.sleep(0.3)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("CREATE TABLE event_logs (id INTEGER)")

    maker = threading.Thread(target=make)
    maker.start()
    assert look(path) is None
    maker.join()


@pytest.mark.parametrize("look", [fault_of, header_fault])
def test_database_that_stays_empty_is_damaged_and_one_that_went_away_is_not(look, tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_files, "_REST", 0.2)
    path = tmp_path / "run.db"
    path.touch()
    started = time.monotonic()
    assert look(path) == "it is empty"
    assert time.monotonic() - started >= 0.15
    path.unlink()
    assert look(path) is None


def test_damaged_database_of_the_future_or_under_change_is_not_waited_for_without_end(tmp_path, monkeypatch):
    path = tmp_path / "run.db"
    path.touch()
    os.utime(path, (time.time() + 3600,) * 2)  # of another clock
    started = time.monotonic()
    assert header_fault(path) == "it is empty"
    monkeypatch.setattr(sqlite_files, "_PATIENCE", 0.2)
    monkeypatch.setattr(sqlite_files, "_REST", 1e9)  # as if it changed all the time
    assert header_fault(path) == "it is empty"
    assert time.monotonic() - started < 2
