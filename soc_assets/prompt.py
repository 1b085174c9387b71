"""`soc sql`: one query, or a prompt. The database is opened read-only, for one query at a time."""

import sys
from pathlib import Path

import duckdb
from rich.console import Console

from soc_assets import terminal
from soc_assets.errors import SocError
from soc_assets.features.database import open_database


def answer(database: Path, query: str | None, rows: int, console: Console) -> None:
    """Print the answer to a query, or hold a conversation where there is none.

    Raises:
        SocError: there is no database, or the query is wrong.
    """
    if not database.is_file():
        raise SocError(f"{database} does not exist: `soc run --to features` builds it.")
    if query is not None:
        _print(database, query, rows, console)
    else:
        _converse(database, rows, console)


def _converse(database: Path, rows: int, console: Console) -> None:
    if sys.stdin.isatty():
        import readline  # noqa: F401 - gives input() its history

        console.print(f"{database} (read-only). End a query with ; - leave with Ctrl-D.", markup=False)
    lines: list[str] = []
    while True:
        try:
            lines.append(input("   ... " if lines else "soc> "))
        except (EOFError, KeyboardInterrupt):
            console.print()
            return
        if lines == [""]:
            lines = []
        elif lines[-1].rstrip().endswith(";"):
            query, lines = "\n".join(lines), []
            try:
                _print(database, query, rows, console)
            except SocError as error:
                console.print(str(error), style="red", markup=False)


def _print(database: Path, query: str, rows: int, console: Console) -> None:
    try:
        connection = open_database(database)
    except duckdb.Error as error:
        raise SocError(f"{database} cannot be opened ({error}). `soc run --to features` builds it anew.") from None
    with connection:
        try:
            table, found = terminal.query_table(connection, query, rows, console.width)
        except duckdb.Error as error:
            raise SocError(f"DuckDB: {error}") from None
    console.print(table)
    if found > rows:
        console.print(f"The first {rows} rows; --rows shows more.")
