"""Building data/soc.duckdb: views over the Parquet files, the feature index and what it was built from.

The file is written beside its place and renamed over it, and is never held open: readers keep what they opened. Paths
in views are absolute, so that it opens from any folder; memory limits are the reader's to set.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from soc_assets import files
from soc_assets.embedding.spec import Spec
from soc_assets.features.vector import Segment, images_sql, segments, vector_sql
from soc_assets.settings import Features, Study

COMMENTS = {
    "samples": "soil samples with split, multiplicity in training and batch",
    "embeddings": "one row per embedded sample, the columns of the Parquet files",
    "folds": "scheme, sample_id, fold over training and validation samples",
    "features": "the flattened feature vector of each studied sample, with its split",
    "feature_index": "position in features (from 0; in SQL features[position + 1]): what, band, lag, row, dimension",
    "build_info": "what this database was built from",
}


def build_database(
    database: Path,
    spec: Spec,
    batches: Sequence[Path],
    tables: Mapping[str, Path],
    features: Features,
    study: Study,
    inputs: str,
) -> None:
    """Write the database.

    Args:
        database: where it goes.
        spec: the spec whose embeddings it shows.
        batches: the files of the batches; one without rows where there is none yet.
        tables: paths of samples, balanced, folds and batches.
        features: how missing images and steps are treated.
        study: gives the years when steps are aligned by calendar.
        inputs: the digest of all inputs, kept in build_info.
    """
    info = {"inputs": inputs, "spec": spec.digest, "weights": spec.weights, "missing": features.missing}
    with files.replacing(database) as temporary:
        temporary.unlink()
        with duckdb.connect(temporary) as connection:
            for statement in _statements(spec, batches, tables, features, study):
                connection.execute(statement)
            connection.execute("CREATE TABLE build_info (key VARCHAR, value VARCHAR)")
            connection.executemany("INSERT INTO build_info VALUES (?, ?)", [list(pair) for pair in info.items()])
            for name, comment in COMMENTS.items():
                kind = "TABLE" if name in ("feature_index", "build_info") else "VIEW"
                connection.execute(f"COMMENT ON {kind} {name} IS '{comment}'")


def open_database(database: Path, memory: str = "4GB") -> duckdb.DuckDBPyConnection:
    """A read-only connection to the database as it is now; memory_limit is the connection's, not stored in the file.

    The file is attached, not connected to: DuckDB gives a process that already has a path open the same database
    again, also where the file was replaced since.
    """
    connection = duckdb.connect(config={"memory_limit": memory})
    connection.execute("SET enable_progress_bar = false")
    try:
        connection.execute(f"ATTACH {_sql(str(database))} AS soc (READ_ONLY)")
        connection.execute("USE soc")
    except duckdb.Error:
        connection.close()
        raise
    return connection


def read_info(database: Path) -> dict[str, str]:
    """The key-value pairs of build_info; empty without a database, or with one that is damaged."""
    if not database.is_file():
        return {}
    try:
        with open_database(database) as connection:
            return dict(connection.execute("SELECT key, value FROM build_info").fetchall())
    except (duckdb.IOException, duckdb.CatalogException, duckdb.SerializationException):
        return {}  # as if it were missing: it is built anew


def summary(database: Path) -> dict[str, int]:
    """Rows, vector length and missing images of the view `features`, without building a vector."""
    with open_database(database) as connection:
        row = connection.execute(
            "SELECT count(*), coalesce(sum(missing_images), 0), count(*) FILTER (missing_images > 0) FROM features"
        ).fetchone()
        length = connection.execute("SELECT count(*) FROM feature_index").fetchone()
    (samples, missing, incomplete), (features,) = row or (0, 0, 0), length or (0,)
    return {"samples": samples, "features": features, "missing_images": missing, "incomplete_samples": incomplete}


def _statements(
    spec: Spec, batches: Sequence[Path], tables: Mapping[str, Path], features: Features, study: Study
) -> list[str]:
    return [
        f"""CREATE VIEW samples AS
            SELECT s.*, b.location_id, b.split, b.bin, b.multiplicity, b.weight, l.batch
            FROM {_parquet(tables["samples"])} s
            LEFT JOIN {_parquet(tables["balanced"])} b USING (sample_id)
            LEFT JOIN {_parquet(tables["batches"])} l USING (sample_id)""",
        f"CREATE VIEW folds AS SELECT * FROM {_parquet(tables['folds'])}",
        f"CREATE VIEW embeddings AS SELECT * FROM {_parquet(*batches)}",
        f"""CREATE VIEW features AS
            SELECT e.sample_id, b.location_id, b.split, b.multiplicity, b.weight, e.longitude, e.latitude, e.year,
              e.organic_carbon, e.missing_images, e.features
            FROM (SELECT sample_id, longitude, latitude, year, organic_carbon,
                len(list_filter({images_sql(spec, features, study)}, lambda image: image IS NULL)) AS missing_images,
                {vector_sql(spec, features, study)} AS features
              FROM embeddings) e
            JOIN {_parquet(tables["balanced"])} b USING (sample_id)""",
        f"""CREATE TABLE feature_index AS
            SELECT (first + n)::INTEGER AS position, what, band, lag, year, season,
              (n // width)::INTEGER AS "row", (n % width)::INTEGER AS dimension
            FROM (SELECT *, unnest(range(length)) AS n FROM (VALUES {_index_sql(segments(spec, features, study))})
              AS s(what, band, lag, year, season, first, length, width))
            ORDER BY position""",
    ]


def _index_sql(parts: list[Segment]) -> str:
    rows, first = [], 0
    for part in parts:
        facts = (part.what, part.band, part.lag, part.step.year, part.step.season, first, part.length, part.width)
        rows.append(f"({', '.join(map(_sql, facts))})")
        first += part.length
    return ", ".join(rows)


def _parquet(*paths: Path) -> str:
    return f"read_parquet([{', '.join(_sql(str(path)) for path in paths)}])"


def _sql(value: int | str | None) -> str:
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
