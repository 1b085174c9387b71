"""What a database holds, from its own comments: views, tables and macros."""

from dataclasses import dataclass

import duckdb


@dataclass(frozen=True)
class Item:
    """A view, table or macro.

    Attributes:
        kind: view, table or macro.
        parameters: of a macro, `(sample_id, k)`.
        columns: name, type and comment of each column.
    """

    kind: str
    name: str
    comment: str
    parameters: str = ""
    columns: tuple[tuple[str, str, str], ...] = ()


def list_database(connection: duckdb.DuckDBPyConnection) -> list[Item]:
    """Views, then tables, then macros, each by name."""
    columns: dict[str, list[tuple[str, str, str]]] = {}
    described = "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal"
    for table, column, kind, comment in connection.execute(f"{described} ORDER BY column_index").fetchall():
        columns.setdefault(table, []).append((column, kind, comment or ""))
    found = []
    for kind in ("view", "table"):
        query = f"SELECT {kind}_name, comment FROM duckdb_{kind}s() WHERE NOT internal ORDER BY 1"
        rows = connection.execute(query).fetchall()
        found += [Item(kind, name, comment or "", columns=tuple(columns.get(name, ()))) for name, comment in rows]
    macros = connection.execute(
        """SELECT function_name, comment, parameters FROM duckdb_functions()
        WHERE NOT internal AND function_type IN ('macro', 'table_macro') ORDER BY 1"""
    ).fetchall()
    return [*found, *(Item("macro", name, words or "", f"({', '.join(given)})") for name, words, given in macros)]
