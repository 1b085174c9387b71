"""Dagster's instance as the command line opens it: dead runs are marked as failed, the device has its pool."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from soc_assets.embedding.inputs import known_embeddings
from soc_assets.project import Project
from soc_assets.runtime.process import MACHINE_TAG, is_gone, this_machine
from soc_assets.storage.write_errors import translate_write_errors

if TYPE_CHECKING:
    import dagster as dg


def fail_orphaned_runs(instance: "dg.DagsterInstance") -> None:
    """A `soc run` that was killed must not keep the device: end its run and release its slot, as the daemon would."""
    import dagster as dg

    under_way = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], tags={MACHINE_TAG: this_machine()})
    for record in instance.get_run_records(under_way):
        run = record.dagster_run
        if is_gone(run.tags, record.start_time):  # for other runs the daemon asks its launcher
            instance.report_run_failed(run, "The process of this run was killed.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def give_pool_its_slots(instance: "dg.DagsterInstance", project: Project) -> None:
    """A slot of the pool `gpu` for each device of the settings."""
    from soc_assets.defs.execution import set_pool_limit

    set_pool_limit(instance, project.settings.execution)


def prepare_instance(project: Project) -> None:
    """Make the project's instance ready for the daemon: a slot of the pool `gpu` per device, and the known batches."""
    from soc_assets.defs.partitions import register

    with open_instance() as instance:
        give_pool_its_slots(instance, project)
        if (inputs := known_embeddings(project)) is not None:
            register(instance, inputs.keys)


def holder_of_the_device(instance: "dg.DagsterInstance") -> str | None:
    """The short id of the run that holds the last device; None while one is free."""
    info = instance.event_log_storage.get_concurrency_info("gpu")
    return info.claimed_slots[0].run_id[:8] if info.active_slot_count >= max(info.slot_count, 1) else None


@contextmanager
def open_instance() -> Iterator["dg.DagsterInstance"]:
    """The instance of `use_project`; what is damaged is set aside, what cannot be read or written is reported."""
    from filelock import FileLock

    from soc_assets.defs import history

    home = Path(os.environ["DAGSTER_HOME"])
    with translate_write_errors(home, "DAGSTER_HOME"), history.told_of(home):
        with FileLock(home / ".opening.lock"):  # two first processes would both create its databases, and fail
            history.set_damaged_aside(home)
            instance = history.opened(home)
            instance.get_dynamic_partitions("batch")
        with instance:
            yield instance
