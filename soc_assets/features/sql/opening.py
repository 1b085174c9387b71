"""Opening data/soc.duckdb for reading, and detecting damage: it is derived, and can be rebuilt.

DuckDB compares the checksum of a block when it reads it. Building the file is in `soc_assets.features.sql.database`.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from soc_assets.errors import DatabaseError
from soc_assets.features.sql.tables import literal, reaching

MEMORY = "3GB"  # of a connection: with what DuckDB does not count, a query stays below 4 GB
COPIED = ("neighbour_index", "pca_scores", "pca_variance")  # taken over while the batches are the same


def open_database(database: Path) -> duckdb.DuckDBPyConnection:
    """A read-only connection to the database as it is now; memory_limit is the connection's, not stored in the file.

    The file is attached, not connected to: DuckDB gives a process that already has a path open the same database
    again, also where the file was replaced since.
    """
    connection = duckdb.connect(config={"memory_limit": MEMORY})
    hush(connection)
    try:
        connection.execute(f"ATTACH {literal(str(database))} AS soc (READ_ONLY)")
        connection.execute("USE soc")
        reaching(connection, _data_of(connection))
    except duckdb.Error:
        connection.close()
        raise
    return connection


def _data_of(connection: duckdb.DuckDBPyConnection) -> str:
    """Where the files are that the views show."""
    try:
        rows = connection.execute("SELECT value FROM build_info WHERE key = 'data'").fetchall()
    except duckdb.CatalogException:  # built by an older version
        return ""
    return str(rows[0][0]) if rows else ""


@contextmanager
def reading(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """As `open_database`, for a block; damage of the file is reported with the fix.

    Raises:
        DatabaseError: the file is damaged.
    """
    try:
        with open_database(database) as connection:
            yield connection
    except duckdb.Error as error:
        if is_damage(error, database):
            raise damaged(database, error) from error
        raise


def is_damage(error: duckdb.Error, database: Path) -> bool:
    """Whether an error says that the database itself, and not a Parquet file that it shows, is damaged."""
    text = str(error)
    own = "not a valid DuckDB database" in text or ("Could not read enough bytes" in text and str(database) in text)
    return "Corrupt database file" in text or own


def damaged(database: Path, error: duckdb.Error) -> DatabaseError:
    """What a user can do about a damaged database."""
    words = str(error).splitlines()[0]
    return DatabaseError(f"{database} is damaged ({words}). Delete it and try again: it is rebuilt from the batches.")


def unreadable(database: Path) -> DatabaseError | None:
    """Read every block of the tables that were made once; None where all of them can be read."""
    try:
        with reading(database) as connection:
            for name in COPIED:
                connection.execute(f"SELECT bit_xor(hash(COLUMNS(*))) FROM {name}").fetchall()
    except DatabaseError as error:
        return error
    except duckdb.Error:  # of another version, or in use: nothing can be said about it
        return None
    return None


def hush(connection: duckdb.DuckDBPyConnection) -> None:
    """No progress bar; a notebook without ipywidgets has none and refuses the setting."""
    with suppress(duckdb.InvalidInputException):
        connection.execute("SET enable_progress_bar = false")
