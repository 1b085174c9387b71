"""MLflow's database after its folder was copied or moved: it stores absolute paths of runs and models.

Without this a copy would write into the folder that it is a copy of, and a moved project would create
the old one again.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from soc_assets.storage.write_errors import translate_write_errors
from soc_assets.tracking.artifacts import folder_of

_PLACES = (  # of MLflow 2 and 3; a version may lack some
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("trace_tags", "value"),
)
_ARTIFACTS = "artifacts"  # folder of our experiments
_PATIENCE = 60  # seconds that a process waits for another one's change


def follow_the_folder(database: Path) -> bool:
    """Rewrite the places that lie in the folder in which the database was before; returns whether it was elsewhere.

    Places that the user chose, and those whose files stayed where they were while the database was moved, are kept.

    Args:
        database: mlflow.db, absolute.

    Raises:
        StorageError: the database cannot be written.
    """
    if not database.is_file():
        return False
    with closing(sqlite3.connect(database, timeout=_PATIENCE)) as connection:
        left = sorted(_left(connection, database.parent))
        if left:
            with translate_write_errors(database), connection:
                for former in left:
                    _rewrite(connection, former, database.parent)
    return bool(left)


def _left(connection: sqlite3.Connection, now: Path) -> set[Path]:
    """Folders, other than that of today, in which the database was when experiments were made.

    Those whose runs have files here, and those of experiments of ours (by their tag) that are gone.
    """
    existing = set(_existing(connection))
    if ("experiments", "artifact_location") not in existing:
        return set()
    asked = "SELECT experiment_id FROM experiment_tags WHERE key = 'mlflow.experimentKind'"
    ours, found = {row[0] for row in connection.execute(asked)}, set()
    for number, location in connection.execute("SELECT experiment_id, artifact_location FROM experiments").fetchall():
        place = folder_of(location or "")
        if place is None or place.name != _ARTIFACTS or place.parent == now:
            continue
        runs = connection.execute("SELECT run_uuid FROM runs WHERE experiment_id = ?", (number,))
        here = any((now / _ARTIFACTS / run).is_dir() for (run,) in runs)
        if here or (number in ours and not place.is_dir()):
            found.add(place.parent)
    return found


def _rewrite(connection: sqlite3.Connection, former: Path, now: Path) -> None:
    for table, column in _existing(connection):
        for old, new in ((former.as_uri(), now.as_uri()), (str(former), str(now))):
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                (f"{new}/", len(old) + 2, len(old) + 1, f"{old}/"),
            )


def _existing(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    for table, column in _PLACES:
        if column in {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}:
            yield table, column
