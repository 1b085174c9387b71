"""A damaged soc.duckdb: rebuilt, or named with a cure that works."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from soc_assets.cli import runner
from soc_assets.errors import DatabaseError, SocWarning
from soc_assets.features.sql.database import read_info
from soc_assets.features.sql.opening import reading, unreadable
from soc_assets.regression.design.data import load_features
from soc_assets_tests.command_line import soc
from soc_assets_tests.small_project import SmallProject

pytestmark = [
    pytest.mark.filterwarnings("always::soc_assets.errors.SocWarning"),
    pytest.mark.usefixtures("undrawn"),
]
QUERY = "SELECT bit_xor(hash(n)) FROM neighbour_index n"


@pytest.fixture(scope="module")
def built(finished: SmallProject, tmp_path_factory: pytest.TempPathFactory) -> SmallProject:
    made = SmallProject(tmp_path_factory.mktemp("damaged") / "project")
    shutil.copytree(finished.root, made.root, ignore=shutil.ignore_patterns(".dagster", "mlruns"))
    assert soc("sql", QUERY, at=made).exit_code == 0  # moved: built once
    shutil.copytree(made.root / "data", made.root / "whole")
    return made


@pytest.fixture
def own(built: SmallProject) -> Iterator[SmallProject]:
    """A project with a whole database; afterwards its files are what they were."""
    yield built
    shutil.rmtree(built.root / "data")
    shutil.copytree(built.root / "whole", built.root / "data")


def spoil(path: Path, how: str) -> None:
    content = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "zeroed": bytes(len(content))}[how])


def spoil_a_block(database: Path) -> None:
    """Flip a byte in the block of a table that is read late."""
    with duckdb.connect(database, read_only=True) as connection:
        [(block,)] = connection.execute(
            "SELECT max(block_id) FROM pragma_storage_info('neighbour_index') WHERE block_id >= 0"
        ).fetchall()
    with database.open("r+b") as file:
        file.seek(3 * 4096 + block * 262_144 + 1000)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 0xFF]))


@pytest.mark.parametrize("how", ["empty", "cut", "zeroed"])
def test_query_builds_a_damaged_database_anew_and_says_so(own, how):
    before = soc("sql", QUERY, at=own).stdout
    spoil(own.project.database, how)
    after = soc("sql", QUERY, at=own)
    assert (after.exit_code, after.stdout) == (0, before)
    assert "soc.duckdb is damaged" in after.stderr
    assert read_info(own.project.database)


@pytest.mark.parametrize(
    ("path", "view"),
    [
        ("data/catalog/gaps.parquet", "gaps"),
        ("data/samples/rejected.parquet", "rejected"),
        ("data/samples/folds.parquet", "folds"),
        ("data/catalog/rasters.parquet", "rasters"),
        ("data/results/predictions.parquet", "predictions"),
    ],
)
def test_query_says_that_a_table_is_gone_whose_view_is_empty(own, path, view):
    (own.root / path).unlink()
    answer = soc("sql", f"SELECT count(*) FROM {view}", at=own)
    assert answer.exit_code == 0
    assert f"Warning: {own.root / path} is missing: its view is empty. `soc run` makes it again." in answer.stderr


def test_damaged_block_is_found_named_and_built_anew(own):
    database, before = own.project.database, soc("sql", QUERY, at=own).stdout
    spoil_a_block(database)
    assert read_info(database)
    assert isinstance(unreadable(database), DatabaseError)
    with pytest.raises(DatabaseError, match=r"soc\.duckdb is damaged .*Delete it"), reading(database) as connection:
        connection.execute(QUERY).fetchall()
    after = soc("sql", QUERY, at=own)
    assert (after.exit_code, after.stdout) == (0, before)
    assert unreadable(database) is None


def test_run_builds_a_database_with_a_damaged_block_anew_and_goes_on(own, monkeypatch):
    project, database, ran = own.project, own.project.database, []

    def execute(instance, job, selection):
        ran.append((job, selection))
        if job == "learn" and selection == ["features"]:
            assert soc("sql", QUERY, at=own).exit_code == 0
            return []
        return [str(error)] if (error := unreadable(database)) else []

    monkeypatch.setattr(runner, "execute", execute)
    assert runner._made(project, None, "evaluate", ["baselines"]) == []
    assert ran == [("evaluate", ["baselines"])]
    spoil_a_block(database)
    with pytest.warns(SocWarning, match=r"soc\.duckdb is damaged \(.*\)\. It is derived: it is rebuilt"):
        assert runner._made(project, None, "evaluate", ["baselines"]) == []
    assert ran[1:] == [("evaluate", ["baselines"]), ("learn", ["features"]), ("evaluate", ["baselines"])]
    monkeypatch.setattr(runner, "execute", lambda *_: ["of something else"])
    assert runner._made(project, None, "evaluate", []) == ["of something else"] and database.is_file()


def test_training_names_a_database_that_is_none(own):
    spoil(own.project.database, "zeroed")
    with pytest.raises(DatabaseError, match=r"soc\.duckdb is damaged"):
        load_features(own.project.database)
