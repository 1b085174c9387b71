"""`soc sql`: one query, or a prompt. The database is opened read-only, for one query at a time."""

import sys
import warnings
from pathlib import Path

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from soc_assets.cli import terminal
from soc_assets.cli.query_table import query_table
from soc_assets.errors import DatabaseError, SocError, SocWarning
from soc_assets.features import refresh
from soc_assets.features.sql.listing import list_database
from soc_assets.features.sql.opening import damaged, is_damage, open_database
from soc_assets.project import Project
from soc_assets.reporting.as_text import PlainConsole
from soc_assets.runtime import interrupts

_BATCHES_THERE = "SELECT count(*) FILTER (WHERE state <> 'missing'), count(*) FROM batches"


def answer(project: Project, query: str | None, rows: int, console: Console) -> None:
    """Print the answer to a query, or open a prompt where there is none; `.views` lists what can be queried.

    Raises:
        SocError: there is nothing to query, or the query is wrong.
    """
    if not project.data.exists():
        raise SocError(
            f"{project.database} does not exist, and there is no folder {project.data} to build it from: "
            "`soc run --to features` makes both."
        )
    with terminal.showing_progress(PlainConsole(stderr=True)):  # what is asked for goes to standard output alone
        _ensure(project)
    _tell_what_is_missing(project.database)
    if query is not None:
        try:
            _print(project.database, query, rows, console)
        except DatabaseError as error:
            _rebuild(project, error)
            _print(project.database, query, rows, console)
    else:
        _converse(project.database, rows, console)


def _tell_what_is_missing(database: Path) -> None:
    """One line where not all batches are there; to standard error, as it is not part of the answer."""
    try:
        with open_database(database) as connection:
            [(there, every)] = connection.sql(_BATCHES_THERE).fetchall()
    except (duckdb.Error, DatabaseError):  # told when the query is asked
        return
    if there < every:
        said = f"The answer is from {there} of {every} batches: `soc run --to features` computes the others."
        PlainConsole(stderr=True).print(said, style="yellow", markup=False, soft_wrap=True)


def _ensure(project: Project) -> None:
    refresh.ensure(project)


def _rebuild(project: Project, error: DatabaseError) -> None:
    """Rebuild a database with an unreadable block; those who have it open keep the old one."""
    warnings.warn(f"{error} This was done now.", SocWarning, stacklevel=2)
    project.database.unlink()
    with terminal.showing_progress(PlainConsole(stderr=True)):
        _ensure(project)


def _converse(database: Path, rows: int, console: Console) -> None:
    if sys.stdin.isatty():
        import readline  # noqa: F401 - gives input() its history

        console.print(
            f"{database} (read-only). End a query with ; - .views lists views - leave with Ctrl-D.", markup=False
        )
    lines: list[str] = []
    while True:
        try:
            with interrupts.asking():
                lines.append(input("   ... " if lines else "soc> "))
        except (EOFError, KeyboardInterrupt):
            console.print()
            return
        if lines == [""]:
            lines = []
        elif lines[-1].rstrip().endswith(";") or lines[0].startswith("."):
            query, lines = "\n".join(lines), []
            try:
                _print(database, query, rows, console)
            except SocError as error:
                for line in str(error).splitlines():
                    console.print(line, style="red", markup=False)


def _print(database: Path, query: str, rows: int, console: Console) -> None:
    try:
        connection = open_database(database)
    except duckdb.Error as error:
        raise SocError(f"{database} cannot be opened ({error}). `soc run --to features` rebuilds it.") from None
    with connection:
        if query.strip().startswith("."):
            _tell(connection, query.strip().rstrip(";"), console)
            return
        try:
            with interrupts.stopping(connection.interrupt):
                table, found = query_table(connection, query, rows, console.width)
        except duckdb.Error as error:
            interrupts.check()
            if is_damage(error, database):
                raise damaged(database, error) from None
            raise SocError(f"DuckDB: {error}") from None
    console.print(table)
    if found > rows:
        console.print(f"The first {rows} rows; --rows shows more.")


def _tell(connection: duckdb.DuckDBPyConnection, command: str, console: Console) -> None:
    """Answer `.views`: every view and table with its columns, then the macros; `.views NAME` shows one."""
    word, _, name = command.partition(" ")
    if word != ".views":
        raise SocError(f"{command} is not known here: .views lists what can be asked, .views NAME one of it.")
    found = [item for item in list_database(connection) if not name or item.name == name.strip()]
    if not found:
        raise SocError(f"There is no {name.strip()!r}: .views lists what can be asked.")
    for item in found:
        title = f"[bold]{escape(item.name)}[/]{escape(item.parameters)}  [dim]{item.kind}[/]  {escape(item.comment)}"
        console.print(title, soft_wrap=True)
        if item.columns:
            table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
            for column in item.columns:
                table.add_row(*map(escape, column))
            console.print(table)
