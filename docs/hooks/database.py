"""The views, tables and macros of soc.duckdb with their columns, from the database of a project without data."""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb

from soc_assets.features import refresh
from soc_assets.features.sql.listing import Item, list_database
from soc_assets.project import load_project

_TITLES = {"view": "Views", "table": "Tables", "macro": "Macros"}


def views_and_macros() -> str:
    """Their description, as Markdown, from the comments that the database itself has."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "soc.toml"
        settings.touch()
        project = load_project(settings)
        refresh.ensure(project)
        with duckdb.connect(project.database, read_only=True) as connection:
            items = list_database(connection)
            parts = [part for kind, title in _TITLES.items() for part in _group(connection, items, kind, title)]
    return "\n".join(parts)


def _group(connection: duckdb.DuckDBPyConnection, items: list[Item], kind: str, title: str) -> Iterator[str]:
    yield from (f"## {title}", "")
    for item in items:
        if item.kind == kind:
            yield from (f"### `{item.name}{item.parameters}`", "", _sentence(item.comment), "")
            yield from _columns_of_macro(connection, item) if kind == "macro" else _table(item.columns)


def _table(columns: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    rows = [f"| `{name}` | `{kind.lower()}` | {_cell(comment)} |" for name, kind, comment in columns]
    if rows:
        yield from ("| column | type | meaning |", "|---|---|---|", *rows, "")


def _columns_of_macro(connection: duckdb.DuckDBPyConnection, macro: Item) -> Iterator[str]:
    """What a macro returns where it is a table."""
    is_table = "SELECT 1 FROM duckdb_functions() WHERE function_name = ? AND function_type = 'table_macro'"
    if connection.execute(is_table, [macro.name]).fetchall():
        called = f"{macro.name}({', '.join(_argument(name) for name in macro.parameters.strip('()').split(', '))})"
        columns = [f"`{name}`" for name, *_ in connection.execute(f"DESCRIBE FROM {called}").fetchall()]
        yield from (f"Columns: {', '.join(columns)}.", "")


def _argument(parameter: str) -> str:
    """Any value of its type: columns do not depend on it."""
    return "1" if parameter in ("k", "n", "lon", "lat", "km", "lag1", "lag2") else "NULL"


def _sentence(comment: str) -> str:
    return f"{comment[:1].upper()}{comment[1:].rstrip('.')}."


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
