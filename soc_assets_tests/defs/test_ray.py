"""Eight batches on a Ray head that is told it has two GPUs: two steps at once, each on its own, one of them killed."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from soc_assets.embedding.inputs import known_embeddings
from soc_assets_tests.dagster_dev import REPOSITORY, DagsterDev
from soc_assets_tests.ray_head import RayHead
from soc_assets_tests.small_project import SmallProject, write_project

pytestmark = pytest.mark.slow

_STARTED = ("ExecutionStepStartEvent", "ExecutionStepRestartEvent")
KEYS = [f"batch_{number:04}" for number in range(1, 9)]
SETTINGS = """
[automation]
active = false
batches_per_run = 2

[execution]
executor = "ray"
ray_address = "{address}"
devices = 2
"""
_EVENTS = """{{ logsForRun(runId: "{run}") {{ ... on EventConnection {{ events {{ __typename
    ... on MessageEvent {{ timestamp stepKey }}
    ... on MaterializationEvent {{ metadataEntries {{ label ... on TextMetadataEntry {{ text }} }} }} }} }} }} }}"""


@pytest.fixture
def ray() -> Iterator[RayHead]:
    head = RayHead(gpus=2, cpus=4)
    try:
        head.wait_until_up()
        yield head
    finally:
        head.stop()


@pytest.fixture
def on_ray(ray, tmp_path) -> Iterator[tuple[SmallProject, DagsterDev]]:
    """A project prepared on this machine, whose steps then run on Ray."""
    made = write_project(tmp_path / "project")
    made.set("batch_size = 16", "batch_size = 8")
    made.set('image_size = 16\ndevice = "cpu"', 'image_size = 16\ndevice = "cpu"\nstage = "encoder"')
    made.config.write_text(made.config.read_text() + SETTINGS.format(address=ray.address))
    assert made.run("balanced_samples").failures == []
    instance = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())
    dev = DagsterDev(made.root, yaml.safe_dump(instance))
    try:
        dev.wait_until_up()
        yield made, dev
    finally:
        dev.stop()


def test_backfill_uses_both_devices_at_once_and_survives_a_killed_worker(on_ray):
    made, dev = on_ray
    dev.start_backfill(KEYS)
    dev.wait(lambda: len(step_processes(made.root)) == 2)
    killed = step_processes(made.root)[0]
    os.kill(killed, signal.SIGKILL)
    dev.wait(lambda: dev.partitions()[1] == 8, seconds=400)
    dev.wait(lambda: all(run["status"] == "SUCCESS" for run in dev.runs()))

    steps = [step for run in dev.runs() if run["jobName"] != "prepare" for step in steps_of(dev, run["runId"])]
    assert {device for device, _, _ in steps} == {"0", "1"}
    pairs = [(a, b) for a in steps for b in steps if a[0] != b[0] and a[1] < b[2] and b[1] < a[2]]
    assert pairs, "no two steps ran at once on different devices"
    same = [(a, b) for a in steps for b in steps if a is not b and a[0] == b[0] and a[1] < b[2] and b[1] < a[2]]
    assert not same, "two steps shared a device"
    inputs = known_embeddings(made.project)
    assert inputs is not None
    assert set(inputs.states().values()) == {"fresh"}
    assert len(made.embeddings()) == 60
    assert made.embeddings()["sample_id"].is_unique


def step_processes(root: Path) -> list[int]:
    """Processes that execute a step of this project, not their parents, which pass its command on."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_text().split("\0")
            if "execute_step" in command and str(root) in (path / "environ").read_text():
                found.append(int(path.name))
        except OSError:  # it has ended meanwhile
            continue
    return found


def steps_of(dev: DagsterDev, run: str) -> list[tuple[str, float, float]]:
    """The device lent to the run's successful step, and when it started and ended (ms)."""
    events = dev.ask(_EVENTS.format(run=run))["logsForRun"]["events"]
    made = [event for event in events if event["__typename"] == "MaterializationEvent"]
    starts = [float(event["timestamp"]) for event in events if event["__typename"] in _STARTED]
    ends = [float(event["timestamp"]) for event in events if event["__typename"] == "ExecutionStepSuccessEvent"]
    facts = {entry["label"]: entry.get("text") for event in made for entry in event["metadataEntries"]}
    return [(facts["device_lent"], starts[-1], ends[-1])]
