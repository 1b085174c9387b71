"""The real daemon: files dropped in become a model; dead, cancelled and endless runs are cleared away."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from soc_assets_tests.dagster_dev import DagsterDev, watchful
from soc_assets_tests.small_project import BATCHES, SmallProject, write_project

pytestmark = pytest.mark.slow

AUTOMATION = "\n[automation]\nsensor_seconds = 2\nbatches_per_run = 3\n"
SLOW = '[embedding]\nstage = "encoder"\nmodel = "vit_large_patch8_128"'


@pytest.fixture
def made(tmp_path) -> SmallProject:
    return write_project(tmp_path / "project")


@pytest.fixture
def dev(made) -> Iterator[DagsterDev]:
    """Automation is on, looking every two seconds."""
    made.config.write_text(made.config.read_text() + AUTOMATION)
    running = DagsterDev(made.root)
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def slow_dev(made) -> Iterator[DagsterDev]:
    """Automation is off, a batch takes minutes, and the daemon looks after its runs every second."""
    made.config.write_text(made.config.read_text() + "\n[automation]\nactive = false\n")
    made.set("[embedding]", SLOW)
    assert made.run("balanced_samples").failures == []
    running = DagsterDev(made.root, watchful())
    try:
        running.wait_until_up()
        yield running
    finally:
        running.stop()


def finished_models(dev: DagsterDev) -> int:
    return sum(run["status"] == "SUCCESS" and ["mlp_model"] in paths(run) for run in dev.runs())


def paths(run: dict) -> list[list[str]]:
    return [key["path"] for key in run["assetSelection"] or ()]


def test_files_become_partitions_embeddings_features_and_a_model_without_a_hand(made, dev):
    dev.wait(lambda: finished_models(dev) == 1)
    assert dev.partitions() == (list(BATCHES), 4)
    runs = dev.runs()
    assert {run["status"] for run in runs} == {"SUCCESS"}
    assert [run["jobName"] for run in runs][:3] == ["prepare", "embed", "embed"]
    assert [run["tags"]["soc/batches"] for run in runs[1:3]] == ["batch_0001 to batch_0003 (3)", "batch_0004"]
    learnt = [run for run in runs if ["features"] in paths(run)]
    assert len(learnt) == 1, "features follow the last batch, not each"
    assert made.query("SELECT count(*) n FROM features")["n"].item() == 60
    before = {batch: path.stat().st_mtime_ns for batch, path in made.batch_files().items()}

    table = pd.read_csv(made.root / "data/soil/a.csv").head(5)
    table.assign(survey_date="2014-01-05").to_csv(made.root / "data/soil/c.csv", index=False)
    dev.wait(lambda: finished_models(dev) == 2)
    assert dev.partitions() == ([*BATCHES, "batch_0005"], 5)
    added = dev.runs()[len(runs) :]
    assert {run["status"] for run in added} == {"SUCCESS"}
    assert added[0]["tags"]["soc/reason"] == "1 new (c.csv)"
    assert [run["tags"].get("soc/batches") for run in added if run["jobName"] == "embed"] == ["batch_0005"]
    after = {batch: path.stat().st_mtime_ns for batch, path in made.batch_files().items()}
    assert {batch: after[batch] for batch in before} == before
    assert made.query("SELECT count(*) n FROM features")["n"].item() == 65
    assert made.run().launched == [], "what the daemon did is fresh for `soc run` too"


def test_dead_run_is_started_again_cancelled_run_frees_the_device_and_endless_run_is_ended(slow_dev):
    batch = {"dagster/partition": "batch_0001"}
    first = slow_dev.launch("embed", batch)
    slow_dev.wait(lambda: slow_dev.device_held_by() == [first] and bool(slow_dev.processes_of(first)))
    kill_with_children(slow_dev.processes_of(first))
    slow_dev.wait(lambda: slow_dev.run(first)["status"] == "FAILURE")
    slow_dev.wait(lambda: any(run["parentRunId"] == first for run in slow_dev.runs()))
    [again] = [run for run in slow_dev.runs() if run["parentRunId"] == first]
    slow_dev.wait(lambda: slow_dev.device_held_by() == [again["runId"]])

    slow_dev.cancel(again["runId"])
    slow_dev.wait(lambda: slow_dev.run(again["runId"])["status"] == "CANCELED")
    slow_dev.wait(lambda: slow_dev.device_held_by() == [])

    endless = slow_dev.launch("embed", {**batch, "dagster/max_runtime": "5", "dagster/max_retries": "0"})
    slow_dev.wait(lambda: slow_dev.run(endless)["status"] == "FAILURE")
    slow_dev.wait(lambda: slow_dev.device_held_by() == [])
    assert [run["parentRunId"] for run in slow_dev.runs() if run["jobName"] == "embed"] == [None, first, None]


def kill_with_children(processes: set[int]) -> None:
    """End a run's worker and its step processes at once, as the kernel does when memory is short."""
    assert processes
    for each in processes | {child for process in processes for child in _children(process)}:
        os.kill(each, signal.SIGKILL)


def _children(process: int) -> list[int]:
    found = [int(child) for path in Path(f"/proc/{process}/task").glob("*/children") for child in _text(path).split()]
    return [*found, *(grandchild for child in found for grandchild in _children(child))]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended meanwhile
        return ""
