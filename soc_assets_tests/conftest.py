"""Shared by all tests: nothing leaks in from the environment, and one finished project to look at."""

import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from soc_assets_tests.small_project import SmallProject, clean_environment, write_project

# Where tests run in the background signals are ignored, and so they would be by every command that a test starts.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(_number, _handler)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


@pytest.fixture(autouse=True)
def no_settings_from_outside() -> Iterator[None]:
    with clean_environment():
        yield


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> SmallProject:
    """A project after `soc run`; look, but do not change it."""
    made = write_project(tmp_path_factory.mktemp("finished"))
    with clean_environment():
        outcome = made.run()
    assert (outcome.launched, outcome.failures) == (["prepare", "embed", "learn"], [])
    return made


@pytest.fixture(scope="session")
def empty_instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Dagster instance on disk in which nothing ran yet; its databases take a second to make."""
    made = write_project(tmp_path_factory.mktemp("instance"))
    with clean_environment():
        home = made.use().dagster_home
        with dg.DagsterInstance.get() as instance:
            instance.get_runs()
            instance.get_asset_records([dg.AssetKey("none")])
            instance.get_dynamic_partitions("batch")
    return home


@pytest.fixture
def fresh(tmp_path: Path, empty_instance: Path) -> SmallProject:
    """A project of one's own in which nothing was computed yet."""
    made = write_project(tmp_path / "project")
    shutil.copytree(empty_instance, made.root / ".dagster")
    return made
