"""`dagster dev` of a project on a fresh instance, asked and told through GraphQL as the UI does."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

import soc_assets
from soc_assets_tests.ports import free_port

REPOSITORY = Path(soc_assets.__file__).parents[1]
_RUNS = """{ runsOrError(limit: 100) { ... on Runs { results {
    runId parentRunId jobName status assetSelection { path } tags { key value } startTime endTime } } } }"""
_PARTITIONS = """{ assetNodeOrError(assetKey: {path: ["embeddings"]}) { ... on AssetNode {
    partitionKeys partitionStats { numMaterialized numFailed } } } }"""
BACKFILL = """mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
_LAUNCH = """mutation($p: ExecutionParams!) { launchPipelineExecution(executionParams: $p) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""


def watchful() -> str:
    """The shipped dagster.yaml, but the daemon looks after its runs every second."""
    instance = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())
    instance["run_monitoring"] |= {"poll_interval_seconds": 1, "free_slots_after_run_end_seconds": 1}
    return yaml.safe_dump(instance)


class DagsterDev:
    """The daemon, the webserver and the code server of the project in `root`."""

    def __init__(self, root: Path, instance: str = "") -> None:
        """Start them; `instance` is added to the shipped dagster.yaml."""
        self.port = free_port()
        home = root / ".dagster"
        home.mkdir(exist_ok=True)
        shipped = (REPOSITORY / "dagster.yaml").read_text()
        (home / "dagster.yaml").write_text(instance or shipped)
        self.log = root / "dev.log"
        self._root = root
        self.start()

    def start(self) -> None:
        """Start them, on the instance as it is."""
        command = ["-W", "ignore", "-m", "dagster", "dev", "-m", "soc_assets.definitions", "-h", "127.0.0.1"]
        home = self._root / ".dagster"
        own = {"SOC_CONFIG": str(self._root / "soc.toml"), "DAGSTER_HOME": str(home), "PYTHONPATH": str(REPOSITORY)}
        self._process = subprocess.Popen(
            [sys.executable, *command, "-p", str(self.port)],
            cwd=self._root,
            env={**os.environ, **own},
            stdout=self.log.open("a"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def ask(self, query: str, variables: dict[str, Any] | None = None) -> Any:
        """The answer of GraphQL, or None while the server is not up."""
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        url, kind = f"http://127.0.0.1:{self.port}/graphql", {"content-type": "application/json"}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, kind), timeout=120) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from None
        except (urllib.error.URLError, ConnectionError):
            return None
        if answer.get("errors"):
            raise RuntimeError(answer["errors"])
        return answer["data"]

    def runs(self) -> list[dict]:
        """Runs, the first one first."""
        answer = self.ask(_RUNS)
        found = answer["runsOrError"]["results"][::-1] if answer else []
        return [run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]

    def run(self, run_id: str) -> dict:
        """One run."""
        return next(run for run in self.runs() if run["runId"] == run_id)

    def partitions(self) -> tuple[list[str], int]:
        """Batches that Dagster knows, and how many of them are materialised."""
        answer = self.ask(_PARTITIONS)
        node = answer["assetNodeOrError"] if answer else {}
        return node.get("partitionKeys", []), (node.get("partitionStats") or {}).get("numMaterialized", 0)

    def launch(self, job: str, tags: dict[str, str]) -> str:
        """Launch a job; returns the run's id."""
        where = {"repositoryName": "__repository__", "repositoryLocationName": "soc_assets.definitions"}
        given = [{"key": key, "value": value} for key, value in tags.items()]
        asked = {"selector": {**where, "jobName": job}, "executionMetadata": {"tags": given}, "mode": "default"}
        answer = self.ask(_LAUNCH, {"p": asked})["launchPipelineExecution"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return answer["run"]["runId"]

    def told(self, run_id: str) -> str:
        """What the run's log says."""
        query = f'{{ logsForRun(runId: "{run_id}") {{ ... on EventConnection {{ events {{ ... on MessageEvent '
        events = self.ask(query + "{ message } } } } }")["logsForRun"]["events"]
        return "\n".join(event.get("message", "") for event in events)

    def processes_of(self, run_id: str) -> set[int]:
        """The processes of the run's worker, as the run's log tells them."""
        return {int(process) for process in re.findall(r"[(]pid: ([0-9]+)[)]", self.told(run_id))}

    def cancel(self, run_id: str) -> None:
        """What the button *Terminate* does."""
        self.ask(f'mutation {{ terminateRun(runId: "{run_id}") {{ __typename }} }}')

    def device_held_by(self) -> list[str]:
        """Runs that hold a slot of the pool `gpu`."""
        answer = self.ask('{ instance { concurrencyLimit(concurrencyKey: "gpu") { claimedSlots { runId } } } }')
        return [slot["runId"] for slot in answer["instance"]["concurrencyLimit"]["claimedSlots"]]

    def start_backfill(self, keys: list[str]) -> str:
        """Launch a backfill of `embeddings` over these partitions as the UI does; returns its id."""
        asked = {"partitionNames": keys, "assetSelection": [{"path": ["embeddings"]}], "title": "all batches"}
        return self.ask(BACKFILL, {"p": asked})["launchPartitionBackfill"]["backfillId"]

    def status_of(self, backfill: str) -> str:
        """Of a backfill: REQUESTED, IN_PROGRESS, COMPLETED_SUCCESS, ..."""
        query = f'{{ partitionBackfillOrError(backfillId: "{backfill}") {{ ... on PartitionBackfill {{ status }} }} }}'
        answer = self.ask(query)
        return answer["partitionBackfillOrError"]["status"] if answer else "UNKNOWN"

    def backfill(self, keys: list[str]) -> None:
        """Launch a backfill and wait until it is done."""
        backfill = self.start_backfill(keys)
        while (status := self.status_of(backfill)) in ("REQUESTED", "IN_PROGRESS"):
            time.sleep(0.5)
        if status != "COMPLETED_SUCCESS":
            raise RuntimeError(f"The backfill ended as {status}")

    def wait(self, what: Callable[[], bool], seconds: int = 900) -> None:
        """Until something is so; the log is shown where it never comes (a loaded machine takes minutes for a run)."""
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, f"{self.runs()}\n{self.log.read_text()[-4000:]}"
            assert self._process.poll() is None, self.log.read_text()[-4000:]
            time.sleep(0.5)

    def wait_until_up(self) -> None:
        """Until GraphQL answers."""
        self.wait(lambda: self.ask("{ version }") is not None)

    def kill(self) -> None:
        """End the daemon, the servers and every run at once, as a machine without power does."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def kill_daemon(self) -> None:
        """End the daemon at once, and the servers as they end then; its runs go on."""
        commands = {path.parent.name: path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")}
        for process, command in commands.items():
            if b"daemon" in command and os.getpgid(int(process)) == self._process.pid:
                os.kill(int(process), signal.SIGKILL)
        self._process.wait(120)

    def stop(self) -> None:
        """End all processes."""
        os.killpg(self._process.pid, signal.SIGINT)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
