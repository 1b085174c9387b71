"""Which dead runs the daemon may end: those whose process was one of its own machine."""

import json
import subprocess
import sys

import dagster as dg
import pytest

from soc_assets.definitions import defs
from soc_assets.defs.launcher import WatchedRunLauncher
from soc_assets.runtime.process import MACHINE_TAG, PROCESS_TAG, marks


@pytest.fixture
def gone() -> str:
    """The number of a process that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return str(ended.pid)


def health(tags: dict[str, str], event_pid: str | None = None) -> str:
    """What the launcher says of a started run with these tags."""
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(defs.resolve_job_def("prepare"), tags=tags)
        instance.report_dagster_event(dg.DagsterEvent("PIPELINE_START", run.job_name), run.run_id)
        if event_pid:
            metadata = {"pid": dg.MetadataValue.text(event_pid)}
            instance.report_engine_event("started", run, dg._core.events.EngineEventData(metadata))
        launcher = WatchedRunLauncher()
        launcher.register_instance(instance)
        run = instance.get_run_by_id(run.run_id)
        assert run
        return launcher.check_run_worker_health(run).status.value


def test_only_a_dead_process_of_this_machine_ends_its_run(gone):
    dead = {**marks(), PROCESS_TAG: gone}
    assert health(marks()) == "RUNNING"
    assert health(dead) == "FAILED"
    assert health({**dead, MACHINE_TAG: "00000000"}) == "RUNNING"


def test_run_that_a_daemon_launched_is_judged_by_the_machine_of_the_daemon(gone):
    server = {".dagster/grpc_info": json.dumps({"host": "localhost"})}
    here = {MACHINE_TAG: marks()[MACHINE_TAG]}
    assert health({**server, **here}, gone) == "FAILED"
    assert health({**server, MACHINE_TAG: "00000000"}, gone) == "RUNNING"
    assert health(server, gone) == "RUNNING"
