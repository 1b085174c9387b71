"""Dagster's history of runs in a project's instance folder: SQLite files, on which no result depends.

One that is damaged is renamed, with a warning, and Dagster begins a new one. Where the instance is elsewhere
(PostgreSQL) there are none of these files.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster_shared.serdes.errors import DeserializationError
from sqlalchemy.exc import DatabaseError
from yaml import YAMLError

from soc_assets.errors import SocError, SocWarning, StorageError
from soc_assets.storage.sqlite_files import fault_of, header_fault, set_aside
from soc_assets.storage.write_errors import cannot_write

_LOST = {  # what each file holds
    "history/runs.db": "the list of runs",
    "history/runs/index.db": "the history of assets and the list of batches",
    "schedules/schedules.db": "the state of schedules and sensors",
}


def set_damaged_aside(home: Path) -> list[Path]:
    """Rename what is damaged, so that Dagster starts over; returns where it was.

    Of the log that each run has to itself only the header and the size are looked at: there may be thousands.

    Args:
        home: DAGSTER_HOME; nobody else may be opening it.
    """
    found = []
    for name, lost in _LOST.items():
        path = home / name
        if path.is_file() and (fault := fault_of(path)):
            found.append(_aside(path, fault, lost))
    of_runs = set((home / "history/runs").glob("*.db")) - {home / name for name in _LOST}
    for path in sorted(of_runs):
        if fault := header_fault(path):
            found.append(_aside(path, fault, "the log of one run"))
    return found


def opened(home: Path) -> dg.DagsterInstance:
    """Dagster's instance in the folder.

    Raises:
        StorageError: its dagster.yaml is not one.
    """
    try:
        return dg.DagsterInstance.get()
    except (YAMLError, UnicodeDecodeError, dg.DagsterInvalidConfigError) as error:
        raise StorageError(
            f"{home / 'dagster.yaml'} cannot be used ({str(error).splitlines()[0]}). Mend it, or delete it: the next "
            "command writes the one that comes with this package."
        ) from error


@contextmanager
def told_of(home: Path) -> Iterator[None]:
    """Tell what Dagster cannot read of its history, with the fix.

    Raises:
        StorageError: its files hold what it did not write.
    """
    try:
        yield
    except SocError:
        raise
    except (DatabaseError, DeserializationError, UnicodeDecodeError) as error:
        if cannot_write(error, home):
            raise  # a disk that is full or read-only says nothing of what it holds
        raise StorageError(
            f"Dagster's history in {home / 'history'} cannot be read ({str(error).splitlines()[0]}). No number "
            "depends on it: rename that folder, and Dagster begins a new one. If several commands run at once, try "
            "again first."
        ) from error


def _aside(path: Path, fault: str, lost: str) -> Path:
    now = set_aside(path)
    warnings.warn(
        f"{path} is damaged ({fault}): it is now {now.name}, and Dagster begins a new one. It held {lost}; no number "
        "depends on it.",
        SocWarning,
        stacklevel=3,
    )
    return path
