"""A reader holds data/soc.duckdb open while it is rebuilt: neither waits, and each sees one database, whole."""

import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from soc_assets.cli import runner
from soc_assets.features.sql.database import open_database, read_info

pytestmark = pytest.mark.usefixtures("undrawn", "unserved")

_SPAWN = multiprocessing.get_context("spawn")


def read(database: Path, told: Connection) -> None:
    """Open the database and read a row; when told to go on, read the others and look again."""
    with open_database(database) as connection:
        rows = connection.execute("SELECT sample_id, features FROM features ORDER BY sample_id")
        first = rows.fetchone()
        told.send("open")
        told.recv()
        others = rows.fetchall()
        info = dict(connection.execute("SELECT key, value FROM build_info").fetchall())
        again = connection.execute("SELECT count(*) FROM features").fetchone()
        told.send((first, len(others), info["missing"], again))


def missing_of(database: Path) -> str:
    return read_info(database)["missing"]


def test_database_is_built_anew_while_a_reader_holds_it_open(with_features):
    fresh = with_features
    database = fresh.project.database
    ours, theirs = _SPAWN.Pipe()
    reader = _SPAWN.Process(target=read, args=(database, theirs))
    reader.start()
    try:
        assert ours.poll(300) and ours.recv() == "open"
        fresh.config.write_text(fresh.config.read_text() + '\n[features]\nmissing = "null"\n')
        assert fresh.run("features").failures == [], "the reader does not stop the builder"
        ours.send("go on")
        assert ours.poll(300)
        first, others, missing, again = ours.recv()
    finally:
        reader.kill()
        reader.join()
    assert (len(first[1]), others, missing, again) == (19_968, 59, "zero", (60,)), "the reader keeps what it opened"
    assert missing_of(database) == "null", "a new reader sees the new one"
    assert [path.name for path in database.parent.glob("*soc.duckdb*")] == ["soc.duckdb"]


def test_reader_and_builder_in_one_process(with_features):
    """A notebook that runs the pipeline: its connection keeps the old database, and the pipeline sees the new."""
    fresh = with_features
    database = fresh.project.database
    with open_database(database) as reader:
        fresh.config.write_text(fresh.config.read_text() + '\n[features]\nmissing = "null"\n')
        assert fresh.run("features").failures == []
        old = reader.execute("SELECT value FROM build_info WHERE key = 'missing'").fetchone()
        assert old == ("zero",)
        assert missing_of(database) == "null"
        assert [item.state for item in runner.assess(fresh.use(), "features")] == ["fresh"] * 5
