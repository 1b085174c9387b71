"""Which assets failed last, from Dagster's history; known from before where the history has not changed since."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from soc_assets.cli.instance import open_instance
from soc_assets.pipeline.assets import ASSETS
from soc_assets.project import Project
from soc_assets.storage.remembered import Remembered

if TYPE_CHECKING:
    import dagster as dg

_NAME = "failed assets"


def failed_assets(project: Project) -> set[str]:
    """Assets whose last Dagster run failed.

    Raises:
        StorageError: Dagster's history cannot be read.
    """
    home = project.dagster_home
    if not (home / "history").is_dir():
        return set()
    remembered, question = Remembered(project.answers), [str(home.resolve()), list(ASSETS)]
    if (known := remembered.ask(_NAME, question)) is not None:
        return set(known)
    with open_instance() as instance:
        found, here = _failed(instance), _is_kept_in(instance, home)
    if here:
        remembered.note(_NAME, question, sorted(found), _history(home))
    return found


def _failed(instance: "dg.DagsterInstance") -> set[str]:
    import dagster as dg

    failed = set()
    for record in instance.get_asset_records([dg.AssetKey(name) for name in ASSETS]):
        run_id = record.asset_entry.last_run_id
        name = record.asset_entry.asset_key.to_user_string()
        steps = instance.get_run_step_stats(run_id, [name]) if run_id else []
        if any(step.status is not None and step.status.value == "FAILURE" for step in steps):
            failed.add(name)
    return failed


def _is_kept_in(instance: "dg.DagsterInstance", home: Path) -> bool:
    """Whether runs and events are in SQLite files of the folder, and not in a database elsewhere."""
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

    events = instance.event_log_storage
    if not isinstance(events, SqliteEventLogStorage) or not instance.root_directory:
        return False
    return Path(instance.root_directory).resolve() == home.resolve() and (home / "history/runs/index.db").is_file()


def _history(home: Path) -> list[Path]:
    """The instance's settings and its databases; logs of runs, and what SQLite keeps beside an open database."""
    logs = home / "history" / "runs"
    own = [home / "history" / "runs.db", home / "schedules" / "schedules.db"]
    beside = [path.with_name(f"{path.name}-wal") for path in own]
    of_runs = [Path(entry.path) for entry in os.scandir(logs) if not entry.name.endswith("-shm")]
    return [home / "dagster.yaml", *own, *beside, *of_runs, logs / "index.db-wal"]
