"""Fill in the answers of docs/sql.md: run it in a project's folder, `python docs/snippets/answers.py docs/sql.md`.

Each block of SQL is asked of data/soc.duckdb and its first rows are put below it; each block of Python is run, and the
pictures that it saves go to the folder images/ beside the page.
"""

import io
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

ROWS = 6
BLOCK = re.compile(r"```(?P<kind>sql|python)\n(?P<code>.*?)```\n(?:\n```text\n.*?```\n)?", re.S)


def answer(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """The first rows as text."""
    result = connection.execute(query)
    table = Table(*[column[0] for column in result.description or []], box=None, pad_edge=False)
    rows = result.fetchmany(ROWS)
    for row in rows:
        table.add_row(*["NULL" if value is None else str(value) for value in row])
    console = Console(width=116, record=True, file=io.StringIO())
    console.print(table if rows else "(no rows)")
    return "\n".join(line.rstrip() for line in console.export_text().rstrip().splitlines())


def main() -> None:
    """Rewrite the page."""
    page = Path(sys.argv[1]).resolve()
    names: dict[str, Any] = {}
    connection = duckdb.connect("data/soc.duckdb", read_only=True)

    def filled(match: re.Match[str]) -> str:
        kind, code = match["kind"], match["code"]
        if kind == "python":
            exec(compile(code, str(page), "exec"), names)
            return f"```python\n{code}```\n"
        return f"```sql\n{code}```\n\n```text\n{answer(connection, code)}\n```\n"

    page.write_text(BLOCK.sub(filled, page.read_text()))
    for picture in re.findall(r'savefig\("([^"]+)"', page.read_text()):
        shutil.move(picture, page.parent / "images" / picture)


if __name__ == "__main__":
    main()
