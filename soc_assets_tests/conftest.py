"""Shared by all tests: nothing leaks in from the environment, and one finished project to look at."""

import os

# A process of tests has one core; libraries that share its work among threads let these wait for each other. It is set
# before any of them is imported, and holds in the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import signal
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage

from soc_assets.cli.runner import Outcome
from soc_assets_tests import figures, migrations
from soc_assets_tests.small_project import SmallProject, clean_environment
from soc_assets_tests.templates import Templates

# Where tests run in the background signals are ignored, and so they would be by every command that a test starts.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(_number, _handler)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


@pytest.fixture(autouse=True)
def no_settings_from_outside() -> Iterator[None]:
    with clean_environment():
        yield


@pytest.fixture(scope="session", autouse=True)
def engines_are_kept() -> Iterator[None]:
    """Dagster makes an engine for every event that it stores in SQLite; without a pool one serves all as well."""

    known: dict[str, sqlalchemy.Engine] = {}

    def engine(url: str, **arguments: Any) -> sqlalchemy.Engine:
        if url not in known:
            known[url] = sqlalchemy.create_engine(url, **arguments)
        return known[url]

    with pytest.MonkeyPatch.context() as patched:
        for module in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
            patched.setattr(module, "create_engine", engine)
        yield


@pytest.fixture(scope="session", autouse=True)
def databases_are_not_synced() -> Iterator[None]:
    """SQLite would wait for the disk at every event that Dagster and MLflow store; no test cuts the power."""

    def unsynced(connection: Any, _: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")

    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", unsynced)
    yield
    sqlalchemy.event.remove(sqlalchemy.Engine, "connect", unsynced)


@pytest.fixture(scope="session", autouse=True)
def migrations_are_known() -> Iterator[None]:
    """Alembic would read all migrations of Dagster and MLflow, and go through them, for every database."""
    with migrations.known():
        yield


@pytest.fixture(scope="module")
def undrawn() -> Iterator[None]:
    """Figures are composed and not drawn: for modules in which nobody looks at them."""
    with figures.undrawn():
        yield


@pytest.fixture(scope="module")
def unserved() -> Iterator[None]:
    """Registered models are exported once: for modules in which nobody asks one for a prediction."""
    from soc_assets_tests import graphs

    with graphs.shared():
        yield


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """The small project in each of its states, shared by the test processes."""
    own = tmp_path_factory.getbasetemp()
    return Templates(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)


@pytest.fixture(scope="session")
def finished(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> SmallProject:
    """A project after `soc run`; look, but do not change it."""
    made = templates.copy("finished", tmp_path_factory.mktemp("finished") / "project")
    with clean_environment():
        assert made.run() == Outcome([], [])  # it has followed its move
    return made


@pytest.fixture(scope="session")
def empty_instance(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Dagster instance on disk in which nothing ran yet."""
    return templates.copy("empty", tmp_path_factory.mktemp("instance") / "project").root / ".dagster"


@pytest.fixture
def fresh(templates: Templates, tmp_path: Path) -> SmallProject:
    """A project of one's own in which nothing was computed yet."""
    return templates.copy("empty", tmp_path / "project")


@pytest.fixture
def with_a_catalog(templates: Templates, tmp_path: Path) -> SmallProject:
    """A project of one's own whose rasters were read, and nothing else."""
    return templates.copy("with a catalog", tmp_path / "project")


@pytest.fixture
def prepared(templates: Templates, tmp_path: Path) -> SmallProject:
    """A project of one's own with its tables."""
    return templates.copy("prepared", tmp_path / "project")


@pytest.fixture
def embedded(templates: Templates, tmp_path: Path) -> SmallProject:
    """A project of one's own with its tables and embeddings."""
    return templates.copy("embedded", tmp_path / "project")


@pytest.fixture
def with_features(templates: Templates, tmp_path: Path) -> SmallProject:
    """A project of one's own with everything but a model."""
    return templates.copy("with features", tmp_path / "project")
