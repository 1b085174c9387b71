"""The result of a query as a table for the terminal."""

from typing import Any

import duckdb
from rich.markup import escape
from rich.table import Table

from soc_assets.reporting.as_text import one_line

_CELL = 60  # characters of a cell of a query's result


def query_table(connection: duckdb.DuckDBPyConnection, query: str, rows: int, width: int) -> tuple[Table, int]:
    """Run a query.

    Returns:
        The first rows as a table (a column per row, where the columns would not fit into `width` characters), and how
        many rows there were; rows + 1 stands for more.
    """
    result = connection.execute(query)
    names = [escape(one_line(str(column[0]))) for column in result.description or []]
    fetched = result.fetchmany(rows + 1)
    cells = [[escape(_cell(value)) for value in row] for row in fetched[:rows]]
    needed = sum(max(map(len, column)) + 3 for column in zip(names, *cells, strict=True))
    if needed <= width or not cells:
        table = Table(*names)
        for row in cells:
            table.add_row(*row)
    else:
        table = Table("", *[str(n) for n in range(1, len(cells) + 1)], show_lines=False)
        for name, column in zip(names, zip(*cells, strict=True), strict=True):
            table.add_row(name, *column)
    return table, len(fetched)


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    text = str(value[:8])[:-1] + ", ...]" if isinstance(value, list) and len(value) > 8 else one_line(str(value))
    return text if len(text) <= _CELL else text[: _CELL - 3] + "..."
