"""MLflow's database in a folder: what it holds cannot be derived again, so it has a second copy, made after each run.

Before it is opened it is checked: one that is missing or damaged is restored from the copy, with a warning; one that
lacks or contradicts what the copy knows of finished runs is refused, and so is its loss without a copy. MLflow itself
would create an empty one, or retry for minutes.
"""

import sqlite3
import warnings
from contextlib import closing
from datetime import datetime
from pathlib import Path

from soc_assets.errors import SocWarning, StorageError
from soc_assets.storage import digest, files
from soc_assets.storage.sqlite_files import fault_of, open_existing, set_aside
from soc_assets.storage.write_errors import translate_write_errors

LOCK = ".mlflow.db.lock"
_NEEDED = "experiments"  # a table of every MLflow database
_SHA256 = 64  # digits
_KNOWN = {"runs": "run_uuid", "latest_metrics": "value", "params": "value"}  # tables and columns that are compared
_looked: set[tuple[Path, int]] = set()  # databases, with their inodes, that this process has looked at


def copy_of(database: Path) -> Path:
    """Where the second copy is; its SHA-256 is next to it, as `sha256sum` writes it."""
    return database.with_name(f"{database.stem}.copy{database.suffix}")


def files_of(database: Path) -> list[Path]:
    """The files, there or not, that say what the database holds and whether it is believed."""
    copy = copy_of(database)
    own = [database.with_name(database.name + ending) for ending in ("", "-wal", "-journal")]
    return [*own, copy, _checksum(copy)]


def is_there(database: Path) -> bool:
    """Whether there is, or was, a database: itself, its copy, or files of models."""
    return database.is_file() or copy_of(database).is_file() or bool(_models(database))


def require_whole(database: Path) -> None:
    """See that the database is the one that the last run left, before it is opened; once per process and file.

    Raises:
        StorageError: it is lost, or is an older or changed one; or it cannot be put back, as nothing can be written.
    """
    if database.is_file() and (database, database.stat().st_ino) in _looked:
        return
    copy = copy_of(database)
    fault = fault_of(database, _NEEDED) if database.is_file() else "it is missing"
    if fault and _is_whole(copy):
        _put_back(database, fault)
    elif fault and (models := _models(database)):
        raise StorageError(_lost(database, fault, models))
    elif fault and database.is_file():
        with translate_write_errors(database):
            aside = set_aside(database)
        warnings.warn(f"{database} is damaged ({fault}): it is now {aside.name}.", SocWarning, stacklevel=2)
    elif not fault and _is_whole(copy) and (words := _contradiction(database, copy)):
        raise StorageError(words)
    if database.is_file():
        _looked.add((database, database.stat().st_ino))


def keep_copy(database: Path) -> None:
    """Make the second copy of an intact database.

    Raises:
        StorageError: it cannot be written.
    """
    from filelock import FileLock

    copy = copy_of(database)
    with translate_write_errors(copy), FileLock(database.with_name(LOCK)):
        with files.replacing(copy) as temporary:
            with closing(open_existing(database)) as source, closing(sqlite3.connect(temporary)) as target:
                source.backup(target)
            found = digest.of_file(temporary, _SHA256)
        files.write_text(_checksum(copy), f"{found}  {copy.name}\n")


def _checksum(copy: Path) -> Path:
    return copy.with_name(f"{copy.name}.sha256")


def _is_whole(copy: Path) -> bool:
    checksum = _checksum(copy)
    if not (copy.is_file() and checksum.is_file()):
        return False
    known = checksum.read_bytes().split(maxsplit=1)[:1]
    return known == [digest.of_file(copy, _SHA256).encode()]


def _put_back(database: Path, fault: str) -> None:
    from filelock import FileLock

    copy = copy_of(database)
    made = datetime.fromtimestamp(copy.stat().st_mtime).isoformat(" ", "seconds")
    with translate_write_errors(database), FileLock(database.with_name(LOCK)):
        aside = f" The damaged one is now {set_aside(database).name}." if database.is_file() else ""
        with files.replacing(database) as temporary:
            temporary.write_bytes(copy.read_bytes())
    warnings.warn(
        f"{database}: {fault}. Its copy of {made} was put in its place; what was changed in MLflow since is lost."
        f"{aside}",
        SocWarning,
        stacklevel=3,
    )


def _models(database: Path) -> list[Path]:
    """Folders of models that a database beside them knew."""
    return sorted(path.parent for path in (database.parent / "artifacts/models").glob("*/artifacts/MLmodel"))


def _lost(database: Path, fault: str, models: list[Path]) -> str:
    artifacts = database.parent / "artifacts"
    return (
        f"{database}: {fault}, and there is no copy of it. With it the runs and registered models are lost whose files "
        f"are in {artifacts} ({len(models)} models, the last one {models[-1].parent.name}). Put it back from a backup. "
        f"To begin without them, rename {artifacts}, for example to {artifacts.name}_before; then `soc run` trains "
        "again, and mlflow.pyfunc.load_model still reads the folders of models in it."
    )


def _contradiction(database: Path, copy: Path) -> str:
    """What the copy knows of finished runs and the database does not, as text; empty where they agree."""
    with closing(open_existing(database)) as connection:
        connection.execute("ATTACH ? AS kept", (str(copy),))
        if not all(_has(connection, schema, table) for schema in ("main", "kept") for table in _KNOWN):
            return ""  # of another version of MLflow
        lost = "SELECT run_uuid FROM kept.runs WHERE run_uuid NOT IN (SELECT run_uuid FROM main.runs)"
        missing = [run for (run,) in connection.execute(lost) if (database.parent / "artifacts" / run).is_dir()]
        changed = [row for table in ("latest_metrics", "params") for row in connection.execute(_differing(table))]
    if missing:
        found = f"it lacks {len(missing)} runs whose files are in {database.parent / 'artifacts'} (first {missing[0]})"
    elif changed:
        run, key, value, now = changed[0]
        found = f"{len(changed)} values of finished runs are others (first: {key} of run {run} was {value}, is {now})"
    else:
        return ""
    return (
        f"{database} is not the one that the last run left: {found}. It is an older copy, or damaged. To take what the "
        f"last run left, delete it: the next command puts {copy.name} in its place. To keep it, delete {copy}."
    )


def _differing(table: str) -> str:
    return (
        f"SELECT run_uuid, key, k.value, m.value FROM kept.{table} k JOIN kept.runs r USING (run_uuid) "
        f"LEFT JOIN main.{table} m USING (run_uuid, key) WHERE r.status = 'FINISHED' AND m.value IS NOT k.value "
        "AND run_uuid IN (SELECT run_uuid FROM main.runs)"
    )


def _has(connection: sqlite3.Connection, schema: str, table: str) -> bool:
    columns = {row[1] for row in connection.execute(f"PRAGMA {schema}.table_info({table})")}
    return {"run_uuid", _KNOWN[table]} <= columns
