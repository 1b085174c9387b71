"""Shared by all tests: nothing leaks in from the environment, and one finished project to look at."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from soc_assets_tests.small_project import SmallProject, clean_environment, write_project


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


@pytest.fixture
def fresh(tmp_path: Path) -> SmallProject:
    """A project of one's own in which nothing was computed yet."""
    return write_project(tmp_path / "project")
