"""The tables that the database shows as SQL: reading their files, whatever is there, with typed columns.

A view over a Parquet file must exist before the file does, and must go on when the file is replaced, gains a column or
goes away. So each view reads, at query time, a file with the columns and no rows (`data/.schemas/`) and then the
table, if it is there.
"""

import io
import re
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from soc_assets.integrity.schemas import TABLES, Table
from soc_assets.storage import files
from soc_assets.storage.access import is_stored, source
from soc_assets.storage.objects import file_system

SCHEMAS = ".schemas"  # folder of the files without rows, in the data folder


_TYPES = {
    "string": "VARCHAR",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "bool": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "list<int64>": "BIGINT[]",
    "list<float64>": "DOUBLE[]",
    "map<string, float64>": "MAP(VARCHAR, DOUBLE)",
    "map<string, string>": "MAP(VARCHAR, VARCHAR)",
}

Columns = dict[str, tuple[str, str]]  # name -> DuckDB type, comment


def duckdb_columns(table: Table) -> Columns:
    """The columns of a schema in DuckDB's types."""
    return {column.name: (_TYPES[column.type], column.description) for column in table}


def columns_of(data: Path, name: str) -> Columns:
    """Columns of a table: those of its schema, then what else the file has today (without a comment)."""
    columns, path = duckdb_columns(TABLES[name]), data / TABLES[name].path
    if not path.is_file():
        return columns
    try:
        described = _described(path)
    except (duckdb.Error, pa.ArrowException):  # damaged: its asset rewrites it
        return columns
    return columns | {row[0]: (row[1], "") for row in described if row[0] not in columns}


def _described(path: Path) -> list[tuple[str, ...]]:
    """Name and type of the columns of a file; of one on storage by Arrow, which asks for less of it than DuckDB."""
    if is_stored(path):
        rows = pq.read_schema(source(path)).empty_table()
        described = duckdb.connect().from_arrow(rows).query("file", "DESCRIBE file")
        return described.fetchall() if described else []
    return _relation(f"DESCRIBE SELECT * FROM read_parquet({literal(glob_of(path))})").fetchall()


def table_sql(data: Path, name: str, columns: Mapping[str, tuple[str, str]]) -> str:
    """A query that reads a table as it is when it runs: typed columns, no rows where the file is not there."""
    schema = data / SCHEMAS / f"{name}.parquet"
    listed = ", ".join(f"{quoted(column)}::{kind} AS {quoted(column)}" for column, (kind, _) in columns.items())
    paths = f"[{literal(glob_of(schema))}, {literal(f'{glob_of(data)}/{TABLES[name].path}')}]"
    return f"SELECT {listed} FROM read_parquet({paths}, allow_empty = true, union_by_name = true)"


def quoted(name: str) -> str:
    """A column's name in SQL: names of soil tables may hold quotation marks."""
    return '"' + name.replace('"', '""') + '"'


def write_schema(data: Path, name: str, columns: Mapping[str, tuple[str, str]]) -> None:
    """Write the file without rows that `table_sql` reads first."""
    nothing = ", ".join(f"NULL::{kind} AS {quoted(column)}" for column, (kind, _) in columns.items())
    write_empty_table(data, name, _relation(f"SELECT {nothing} WHERE false").to_arrow_table())


def reaching(connection: duckdb.DuckDBPyConnection, path: Path | str) -> duckdb.DuckDBPyConnection:
    """Let a connection read the files at a path or URL: DuckDB asks fsspec for the ranges of those on storage."""
    if "://" in str(path):
        connection.register_filesystem(file_system(str(path).partition("://")[0], exact=True))
    return connection


def _relation(query: str) -> duckdb.DuckDBPyRelation:
    relation = duckdb.connect().sql(query)
    assert relation is not None
    return relation


def write_empty_table(data: Path, name: str, table: pa.Table) -> None:
    """Keep a table without rows among the schemas; one that is there already stays as it is."""
    path, written = data / SCHEMAS / f"{name}.parquet", io.BytesIO()
    pq.write_table(table, written)  # Parquet has names of its own for what is in lists
    if not files.is_whole(path) or not pq.read_schema(source(path)).equals(
        pq.read_schema(written), check_metadata=True
    ):
        files.write_table(path, table)


def glob_of(path: Path) -> str:
    """A pattern that DuckDB matches with this path alone: characters with a meaning are put in brackets."""
    return re.sub(r"([\[*?])", r"[\1]", str(path))


def literal(text: str) -> str:
    """A string in SQL."""
    return "'" + text.replace("'", "''") + "'"
