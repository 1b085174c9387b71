"""Whether two versions of the code give the same results: `python -m benchmarks.same_results BEFORE AFTER`.

Each argument is the folder of a finished project, made from the same inputs in the same place (copy the first away
before the second is made: paths are among the inputs). Compared are every Parquet file (all columns and the digests in
its metadata), the views of soc.duckdb and the metrics of the registered model. Times, run ids and paths are left out.
Prints what differs, and exits with 1 where something does.
"""

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

_TIMES = {
    "seconds",
    "fit_seconds",
    "mtime_ns",
    "stamp",
    "run_id",
    "started",
    "finished",
    "duration",
    "created",
    "ended",
}
_OF_FILES = {
    "soc.siblings",
    "soc.seal",
    "soc.mlflow_run",
    "pandas",
    "ARROW:schema",
}  # of the files' bytes, or of how they are read
_VIEWS = ("samples", "embeddings", "features", "feature_index", "folds", "batches", "predictions", "evaluation")


def main(before: Path, after: Path) -> int:
    """Print the differences; returns how many there are."""
    found = [*_files(before, after), *_views(before, after), *_metrics(before, after)]
    print("\n".join(found) or "Everything is the same.")
    return len(found)


def _files(before: Path, after: Path) -> Iterator[str]:
    names = [
        {path.relative_to(root).as_posix() for path in (root / "data").rglob("*.parquet")} for root in (before, after)
    ]
    yield from (f"{name}: only in one of them" for name in sorted(names[0] ^ names[1]))
    for name in sorted(names[0] & names[1]):
        tables = [pq.read_table(root / name) for root in (before, after)]
        yield from (f"{name}: {words}" for words in _difference(*[table.to_pandas() for table in tables]))
        told = [
            {
                key.decode(): value
                for key, value in (table.schema.metadata or {}).items()
                if key.decode() not in _OF_FILES
            }
            for table in tables
        ]
        yield from (
            f"{name}: {key} of the metadata"
            for key in sorted(told[0])
            if _timeless(told[0][key]) != _timeless(told[1].get(key))
        )


def _views(before: Path, after: Path) -> Iterator[str]:
    for view in _VIEWS:
        answers = []
        for root in (before, after):
            with closing(duckdb.connect(root / "data/soc.duckdb", read_only=True)) as connection:
                answers.append(connection.sql(f"SELECT * FROM {view} ORDER BY ALL").df())
        yield from (f"view {view}: {words}" for words in _difference(*answers))


def _metrics(before: Path, after: Path) -> Iterator[str]:
    tables = []
    for root in (before, after):
        with closing(sqlite3.connect(root / "mlruns/mlflow.db")) as connection:
            query = "SELECT key, step, value FROM metrics WHERE key NOT LIKE '%second%' AND key NOT LIKE 'system/%'"
            tables.append(pd.read_sql(query, connection).sort_values(["key", "step", "value"], ignore_index=True))
    yield from (f"metrics in MLflow: {words}" for words in _difference(*tables))


def _difference(one: pd.DataFrame, other: pd.DataFrame) -> Iterator[str]:
    if list(one.columns) != list(other.columns):
        yield f"columns {sorted({*one.columns} ^ {*other.columns})}"
    elif len(one) != len(other):
        yield f"{len(one)} and {len(other)} rows"
    else:
        for name in one.columns.difference([*_TIMES]):
            if not all(map(_same, one[name], other[name])):
                yield f"column {name}"


def _timeless(value: Any) -> Any:
    """A value, or text that is JSON, without the seconds that something took."""
    if isinstance(value, (str, bytes)):
        try:
            return _timeless(json.loads(value))
        except ValueError:
            return value
    if isinstance(value, dict):
        return {key: _timeless(each) for key, each in value.items() if "second" not in key}
    if isinstance(value, list) and value and isinstance(value[0], tuple):  # a map of Arrow
        return _timeless(dict(value))
    return [_timeless(each) for each in value] if isinstance(value, list) else value


def _same(one: Any, other: Any) -> bool:
    one, other = _timeless(one), _timeless(other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and one.dtype != object != other.dtype:
        return bool(np.array_equal(one, other, equal_nan=one.dtype.kind == "f"))
    if isinstance(one, (list, tuple, np.ndarray)) and isinstance(other, (list, tuple, np.ndarray)):
        return len(one) == len(other) and all(map(_same, one, other))
    missing = [bool(pd.isna(item)) for item in (one, other)]
    return all(missing) or (not any(missing) and bool(one == other))


if __name__ == "__main__":
    sys.exit(1 if main(*map(Path, sys.argv[1:3])) else 0)
