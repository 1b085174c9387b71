"""Building data/soc.duckdb: views over the Parquet files, macros, and the small tables that are made once.

The file is written to a temporary file, then atomically renamed, and never held open: readers keep what they opened.
Paths in views are absolute, so that it opens from any folder; memory limits are the connection's.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pandas as pd

from soc_assets.embedding.parquet import geo_metadata, schema_of, write_empty
from soc_assets.errors import SocWarning
from soc_assets.features import by_band as copies
from soc_assets.features.images import batch_paths
from soc_assets.features.sql import by_band, neighbours
from soc_assets.features.sql.components import fill_components
from soc_assets.features.sql.macros import macro_statements
from soc_assets.features.sql.opening import COPIED, MEMORY, hush, is_damage, open_database, unreadable
from soc_assets.features.sql.small_tables import TABLE_COMMENTS, make_small_tables
from soc_assets.features.sql.tables import (
    columns_of,
    duckdb_columns,
    literal,
    quoted,
    reaching,
    table_sql,
    write_empty_table,
    write_schema,
)
from soc_assets.features.sql.views import Columns, Contents, views_of
from soc_assets.integrity.schemas import TABLES
from soc_assets.storage import digest, files


def build_database(
    database: Path,
    contents: Contents,
    info: Mapping[str, str],
    batch_inputs: Mapping[str, tuple[str, str]] | None = None,
) -> None:
    """Write the database.

    Args:
        database: where it goes. Neighbours and components of an older one are kept as long as the batches are the same.
        contents: what it shows.
        info: kept in build_info, with what identifies the contents.
        batch_inputs: of each batch, the digests of its inputs and labels now.
    """
    write_schemas(contents)
    views = views_of(contents)
    batches = batch_paths(contents.folder)
    if by_band.exists(contents):
        copies.bring_up_to_date(contents.by_band, contents.spec, batches, contents.features.by_band_gb)
    former = read_info(database)
    index = index_of(contents, former)
    known = {"spec": contents.spec.digest, "weights": contents.spec.weights, "missing": contents.features.missing}
    known |= {"data": str(contents.data), **index, **info}
    reusable = database if former.get("index") == index["index"] and not unreadable(database) else None
    with files.replacing(database) as temporary:
        temporary.unlink()
        with duckdb.connect(temporary, config={"memory_limit": MEMORY}) as connection:
            hush(connection)
            reaching(connection, contents.data)
            make_small_tables(connection, contents, batch_inputs or {}, known)
            if reusable:
                _take_over(connection, reusable)
            else:
                _make_index(connection, contents, batches)
            connection.execute("BEGIN")  # a hundred comments would be written to disk one by one
            for name, view in views.items():
                connection.execute(f"CREATE VIEW {name} AS {view.sql}")
                _comment(connection, "VIEW", name, view.comment, view.columns)
            for name, (comment, columns) in TABLE_COMMENTS.items():
                _comment(connection, "TABLE", name, comment, columns)
            for statement in macro_statements():
                connection.execute(statement)
            connection.execute("COMMIT")


def read_info(database: Path) -> dict[str, str]:
    """The key-value pairs of build_info; empty without a database, or, with a warning, with one that is damaged."""
    if not database.is_file():
        return {}
    try:
        with open_database(database) as connection:
            return dict(connection.execute("SELECT key, value FROM build_info").fetchall())
    except duckdb.Error as error:  # as if it were missing: it is rebuilt
        if is_damage(error, database):
            warnings.warn(f"{database} is damaged: it is rebuilt.", SocWarning, stacklevel=2)
        return {}


def read_batch_inputs(database: Path) -> dict[str, tuple[str, str]]:
    """Digests of inputs and labels of each batch, as they were when the database was built."""
    try:
        with open_database(database) as connection:
            rows = connection.execute("SELECT batch, inputs, labels FROM batch_inputs").fetchall()
    except duckdb.Error:  # built by an older version, or damaged
        return {}
    return {batch: (inputs, labels) for batch, inputs, labels in rows}


def summary(database: Path) -> dict[str, int]:
    """Rows, vector length and missing images of the view `features`, without building a vector."""
    with open_database(database) as connection:
        row = connection.execute(
            "SELECT count(*), coalesce(sum(missing_images), 0), count(*) FILTER (missing_images > 0) FROM features"
        ).fetchone()
        length = connection.execute("SELECT count(*) FROM feature_index").fetchone()
    (samples, missing, incomplete), (features,) = row or (0, 0, 0), length or (0,)
    return {"samples": samples, "features": features, "missing_images": missing, "incomplete_samples": incomplete}


def index_of(contents: Contents, info: Mapping[str, str]) -> dict[str, str]:
    """What build_info keeps of the batches and splits, on which the tables depend that are made once.

    Args:
        contents: what the database shows.
        info: of the database as it is. While the batches' stamps are those that it knows none of them is opened.

    Returns:
        `stamps`, a digest of the batches' names and stamps; `batches`, of what each footer says (inputs, labels, when
        it was made), which a copy shares; `index`, of the latter, the spec and the splits.
    """
    paths = batch_paths(contents.folder)
    stamps = digest.of_values([(path.name, files.stamp(path)) for path in paths])
    known = info.get("batches") if info.get("stamps") == stamps else None
    batches = known or digest.of_values([(path.name, path.stat().st_size, files.read_metadata(path)) for path in paths])
    tables = [contents.data / TABLES[name].path for name in ("balanced", "ledger")]
    content = [files.read_metadata(path).get("soc.content") for path in tables]
    return {
        "stamps": stamps,
        "batches": batches,
        "index": digest.of_values([contents.spec.digest, batches, content]),
    }


def write_schemas(contents: Contents) -> None:
    """Write the files without rows that the views read first; those that are there and whole stay as they are."""
    for name in TABLES:
        write_schema(contents.data, name, columns_of(contents.data, name))
    schema = schema_of(contents.spec)
    nobody = pd.DataFrame({"longitude": [0.0], "latitude": [0.0]}).iloc[:0]
    if contents.folder.is_dir():
        write_empty(contents.folder, contents.spec)
    empty = schema.with_metadata({"geo": geo_metadata(nobody)}).empty_table()
    write_empty_table(contents.data, contents.without_rows("embeddings").stem, empty)
    write_empty_table(
        contents.data, contents.without_rows(by_band.SCHEMA).stem, copies.schema_of(contents.spec).empty_table()
    )


def _make_index(connection: duckdb.DuckDBPyConnection, contents: Contents, batches: list[Path]) -> None:
    balanced, ledger = (table_sql(contents.data, name, duckdb_columns(TABLES[name])) for name in ("balanced", "ledger"))
    connection.execute(
        f"CREATE TEMP TABLE studied_batches AS SELECT sample_id, l.batch, b.split "
        f"FROM ({balanced}) b JOIN ({ledger}) l USING (sample_id)"
    )
    neighbours.fill_index(connection, batches, contents.spec)
    fill_components(connection, len(contents.spec.slots))


def _take_over(connection: duckdb.DuckDBPyConnection, database: Path) -> None:
    connection.execute(f"ATTACH {literal(str(database))} AS older (READ_ONLY)")
    for name in COPIED:
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM older.{name}")
    connection.execute("DETACH older")


def _comment(connection: duckdb.DuckDBPyConnection, kind: str, name: str, comment: str, columns: Columns) -> None:
    connection.execute(f"COMMENT ON {kind} {name} IS {literal(comment)}")
    for column, words in columns.items():
        connection.execute(f"COMMENT ON COLUMN {name}.{quoted(column)} IS {literal(words)}")
