"""Launching runs as Dagster does, and noticing those that died with everything around them (dagster.yaml names it).

Dagster's own launcher hears of a dead run from the code server that started it. Where that is gone too (no power, no
memory, all was killed) such a run would count as started forever, keep the device and hold up its backfill.
"""

import json

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG

from soc_assets.runtime.process import (
    MACHINE_TAG,
    PROCESS_TAG,
    is_alive,
    is_gone,
    is_this_host,
    process_of,
    this_machine,
)


class WatchedRunLauncher(dg.DefaultRunLauncher):
    """Dagster's launcher; the daemon asks it of every run in progress whether its process is still there."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Asked by the daemon's run monitoring."""
        return True

    def launch_run(self, context: LaunchRunContext) -> None:
        """Launch, and record on which machine: on another one this PID is unused, or another process."""
        self._instance.add_run_tags(context.dagster_run.run_id, {MACHINE_TAG: this_machine()})
        super().launch_run(context)

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """FAILED where the run's process was one of this machine and is no more."""
        found = _process(self._instance, run)
        if found is None or is_alive(*found) or (PROCESS_TAG in run.tags and not is_gone(run.tags, found[1])):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, f"its process {found[0]} is no more")


def _process(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[int, float] | None:
    """The number of the run's process on this machine, and when it was there; None where that is not known."""
    record = instance.get_run_record_by_id(run.run_id)
    if record is None or record.start_time is None:
        return None
    if PROCESS_TAG in run.tags:  # of `soc run`, which is the process itself
        process = process_of(run.tags)
        return None if process is None else (process, record.start_time)
    server = json.loads(run.tags.get(GRPC_INFO_TAG, "{}"))
    if run.tags.get(MACHINE_TAG) != this_machine() or not server or not is_this_host(server.get("host")):
        return None
    for event in instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT).records:
        entry = event.event_log_entry
        process = entry.get_dagster_event().engine_event_data.metadata.get("pid")
        if process is not None:  # the first is the run's, later ones are of its steps
            return int(str(process.value)), entry.timestamp
    return None
