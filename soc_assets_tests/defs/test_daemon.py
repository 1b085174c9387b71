"""The control room end to end: `dagster dev` on a fresh instance, files dropped in, watched through GraphQL."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import soc_assets
from soc_assets_tests.small_project import BATCHES, SmallProject, write_project

REPOSITORY = Path(soc_assets.__file__).parents[1]
AUTOMATION = "\n[automation]\nsensor_seconds = 2\nbatches_per_run = 3\n"
_RUNS = """{ runsOrError(limit: 100) { ... on Runs { results {
    runId jobName status assetSelection { path } tags { key value } startTime endTime } } } }"""
_PARTITIONS = """{ assetNodeOrError(assetKey: {path: ["embeddings"]}) { ... on AssetNode {
    partitionKeys partitionStats { numMaterialized numFailed } } } }"""


class Dev:
    """`dagster dev` of a project."""

    def __init__(self, made: SmallProject) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        home = made.root / ".dagster"
        home.mkdir()
        shutil.copy(REPOSITORY / "dagster.yaml", home / "dagster.yaml")
        variables = {"SOC_CONFIG": str(made.config), "DAGSTER_HOME": str(home)}
        command = ["-W", "ignore", "-m", "dagster", "dev", "-m", "soc_assets.definitions", "-h", "127.0.0.1"]
        self.log = made.root / "dev.log"
        self._process = subprocess.Popen(
            [sys.executable, *command, "-p", str(self.port)],
            cwd=made.root,
            env=os.environ | variables | {"PYTHONPATH": str(REPOSITORY)},
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def ask(self, query: str) -> Any:
        """The answer of GraphQL, or None while the server is not up."""
        body = json.dumps({"query": query}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql", body, {"content-type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.load(response)["data"]
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return None

    def runs(self) -> list[dict]:
        """Runs, the first one first."""
        answer = self.ask(_RUNS)
        found = answer["runsOrError"]["results"][::-1] if answer else []
        return [run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]

    def partitions(self) -> tuple[list[str], int]:
        """Batches that Dagster knows, and how many of them are materialised."""
        answer = self.ask(_PARTITIONS)
        node = answer["assetNodeOrError"] if answer else {}
        return node.get("partitionKeys", []), (node.get("partitionStats") or {}).get("numMaterialized", 0)

    def wait(self, what: Callable[[], bool], seconds: int = 240) -> None:
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, f"{self.runs()}\n{self.log.read_text()[-4000:]}"
            assert self._process.poll() is None, self.log.read_text()[-4000:]
            time.sleep(1)

    def stop(self) -> None:
        os.killpg(self._process.pid, signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@pytest.fixture
def dev(tmp_path) -> Iterator[tuple[SmallProject, Dev]]:
    made = write_project(tmp_path / "project")
    made.config.write_text(made.config.read_text() + AUTOMATION)
    running = Dev(made)
    try:
        yield made, running
    finally:
        running.stop()


def finished_models(dev: Dev) -> int:
    return sum(run["status"] == "SUCCESS" and ["mlp_model"] in paths(run) for run in dev.runs())


def paths(run: dict) -> list[list[str]]:
    return [key["path"] for key in run["assetSelection"] or ()]


def test_files_become_partitions_embeddings_features_and_a_model_without_a_hand(dev):
    made, running = dev
    running.wait(lambda: finished_models(running) == 1)
    assert running.partitions() == (list(BATCHES), 4)
    runs = running.runs()
    assert {run["status"] for run in runs} == {"SUCCESS"}
    assert [run["jobName"] for run in runs][:3] == ["prepare", "embed", "embed"]
    assert [run["tags"]["soc/batches"] for run in runs[1:3]] == ["batch_0001 to batch_0003 (3)", "batch_0004"]
    learnt = [run for run in runs if ["features"] in paths(run)]
    assert len(learnt) == 1, "features follow the last batch, not each"
    assert made.query("SELECT count(*) n FROM features")["n"].item() == 60
    before = {batch: path.stat().st_mtime_ns for batch, path in made.batch_files().items()}

    table = pd.read_csv(made.root / "data/soil/a.csv").head(5)
    table.assign(survey_date="2014-01-05").to_csv(made.root / "data/soil/c.csv", index=False)
    running.wait(lambda: finished_models(running) == 2)
    assert running.partitions() == ([*BATCHES, "batch_0005"], 5)
    added = running.runs()[len(runs) :]
    assert {run["status"] for run in added} == {"SUCCESS"}
    assert added[0]["tags"]["soc/reason"] == "1 new (c.csv)"
    assert [run["tags"].get("soc/batches") for run in added if run["jobName"] == "embed"] == ["batch_0005"]
    after = {batch: path.stat().st_mtime_ns for batch, path in made.batch_files().items()}
    assert {batch: after[batch] for batch in before} == before
    assert made.query("SELECT count(*) n FROM features")["n"].item() == 65
    assert made.run().launched == [], "what the daemon did is fresh for `soc run` too"
