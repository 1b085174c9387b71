"""Fixtures of the faults: a daemon of a prepared project, and a small world."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from soc_assets_tests.dagster_dev import DagsterDev, watchful
from soc_assets_tests.embedding.world import World
from soc_assets_tests.small_project import SmallProject

ONE_BY_ONE = "\n[automation]\nactive = false\nbatches_per_run = 1\n"


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


@pytest.fixture
def dev(prepared: SmallProject) -> Iterator[DagsterDev]:
    """Of the project `prepared`, whose batches are known and not embedded; each is a run of its own.

    The daemon looks after its runs every second.
    """
    prepared.config.write_text(prepared.config.read_text() + ONE_BY_ONE)
    running = DagsterDev(prepared.root, watchful())
    try:
        running.wait_until_up()
        yield running
    finally:
        running.stop()


@pytest.fixture
def made(finished: SmallProject, tmp_path: Path) -> SmallProject:
    """A finished project of one's own, without its models."""
    shutil.copytree(finished.root, tmp_path / "own", ignore=shutil.ignore_patterns("mlruns", ".dagster"))
    return SmallProject(tmp_path / "own")
