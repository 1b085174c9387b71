"""SQLite files of others (MLflow's, Dagster's, Optuna's): whether they are intact, as text, and setting them aside.

What a loss means, and what is done about it, is decided where the file is used.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

_MAGIC, _HEADER = b"SQLite format 3\0", 100
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_COMPANIONS = ("-wal", "-shm", "-journal")
_REST, _PAUSE = 2.0, 0.05  # seconds without a change after which a file is believed to be finished, and between looks
_PATIENCE = 60  # seconds that another process's change may take


def fault_of(path: Path, needed: str | None = None) -> str | None:
    """What is wrong with a database; None where it is intact, or nothing can be said while another process holds it.

    Flipped bits inside a value do not show: SQLite has no checksums. One that has just changed is looked at until it
    has rested for two seconds: another process may be making it.

    Args:
        path: of the file, which is there.
        needed: a table that it must have.
    """
    return _at_rest(path, lambda: _fault_of(path, needed))


def header_fault(path: Path) -> str | None:
    """What the first bytes and the size tell, without opening it; of one that has just changed as in `fault_of`."""
    return _at_rest(path, lambda: _header_fault(path))


def _at_rest(path: Path, look: Callable[[], str | None]) -> str | None:
    """What is seen of a file that has not changed for a while, or changes on for a minute; None where it is gone."""
    try:
        end = time.monotonic() + _PATIENCE
        while (words := look()) and abs(time.time() - path.stat().st_mtime) < _REST and time.monotonic() < end:
            time.sleep(_PAUSE)
    except FileNotFoundError:
        return None
    return words


def _fault_of(path: Path, needed: str | None) -> str | None:
    if words := _header_fault(path):
        return words
    try:
        with closing(open_existing(path)) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError as error:
        if _is_damage(error):
            return str(error)
        if isinstance(error, sqlite3.OperationalError):  # locked, or cannot be opened: nothing can be said about it
            return None
        raise
    if found[0] != "ok":
        return str(found[0]).splitlines()[-1]
    if not tables:
        return "it has no tables"
    return f"it has no table {needed!r}" if needed and needed not in tables else None


def _header_fault(path: Path) -> str | None:
    size = path.stat().st_size
    if not size:
        return "it is empty"
    with path.open("rb") as file:
        header = file.read(_HEADER)
    if not header.startswith(_MAGIC) or len(header) < _HEADER:
        return "it is not a SQLite database"
    page = int.from_bytes(header[16:18], "big")
    pages, known = int.from_bytes(header[28:32], "big"), header[24:28] == header[92:96]
    if known and size < pages * (65_536 if page == 1 else page):
        return "its end is missing"
    return None


def open_existing(path: Path) -> sqlite3.Connection:
    """A connection to a database that is there; none is made."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_PATIENCE)
    connection.text_factory = lambda content: content.decode(errors="replace")  # damage is reported, not raised
    return connection


def set_aside(path: Path) -> Path:
    """Rename a damaged database, with what SQLite keeps beside it; returns its new place."""
    number, target = 1, path.with_name(f"{path.name}.damaged")
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.damaged-{number}")
    path.replace(target)
    for ending in _COMPANIONS:
        companion = path.with_name(path.name + ending)
        if companion.is_file():
            companion.replace(target.with_name(target.name + ending))
    return target


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGED
