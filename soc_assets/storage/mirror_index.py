"""What a copy knows of each file: how it was here and there when both were last equal. SQLite, for all processes.

Deciding what follows from it is in `soc_assets.storage.mirror_plan`.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from soc_assets.storage.mirror_plan import Kept, Row

_TABLE = """CREATE TABLE IF NOT EXISTS files
    (name TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, version TEXT, removed INTEGER) WITHOUT ROWID"""
_PATIENCE = 60  # seconds that a process waits for another one's change


@dataclass(frozen=True)
class Index:
    """The rows of a copy, in the file `path`."""

    path: Path

    def rows(self) -> dict[str, Row]:
        """All of them, by the file's name below the copy."""
        with self._changing() as connection:
            found = connection.execute("SELECT name, size, mtime_ns, version, removed FROM files").fetchall()
        return {name: Row(Kept(size, time), version, bool(removed)) for name, size, time, version, removed in found}

    def note(self, name: str, row: Row) -> None:
        """Write the row of a file."""
        values = (name, row.kept.size, row.kept.mtime_ns, row.version, int(row.removed))
        with self._changing() as connection:
            connection.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", values)

    def mark_removed(self, names: Iterable[str]) -> None:
        """Note that files are being removed here, which storage is not told yet."""
        with self._changing() as connection:
            connection.executemany("UPDATE files SET removed = 1 WHERE name = ?", [(name,) for name in names])

    def forget(self, name: str) -> None:
        """Remove the row of a file."""
        with self._changing() as connection:
            connection.execute("DELETE FROM files WHERE name = ?", (name,))

    @contextmanager
    def replacing(self, name: str, expected: Row | None) -> Iterator["Change | None"]:
        """Change a file and its row in one piece, while no other process does; None where its row is not `expected`."""
        with self._changing() as connection:
            query = "SELECT size, mtime_ns, version, removed FROM files WHERE name = ?"
            found = connection.execute(query, (name,)).fetchone()
            row = Row(Kept(found[0], found[1]), found[2], bool(found[3])) if found else None
            yield Change(connection, name) if row == expected else None

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_TABLE)
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")


@dataclass(frozen=True)
class Change:
    """What `Index.replacing` lets its block write."""

    connection: sqlite3.Connection
    name: str

    def note(self, row: Row) -> None:
        """Write the row."""
        values = (self.name, row.kept.size, row.kept.mtime_ns, row.version, int(row.removed))
        self.connection.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", values)

    def forget(self) -> None:
        """Remove the row."""
        self.connection.execute("DELETE FROM files WHERE name = ?", (self.name,))
