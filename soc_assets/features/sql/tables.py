"""The tables that the database shows, where they are, and the comment of every column.

A view over a Parquet file must exist before the file does, and must go on when the file is replaced, gains a column or
goes away. So each view reads, at query time, a file with the columns and no rows (`data/.schemas/`) and then the
table, if it is there.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from soc_assets.storage import files

SCHEMAS = ".schemas"  # folder of the files without rows, in the data folder


@dataclass(frozen=True)
class Table:
    """A Parquet file that one asset writes.

    Attributes:
        path: below the data folder.
        comment: what a row is.
        columns: name -> (DuckDB type, comment).
    """

    path: str
    comment: str
    columns: Mapping[str, tuple[str, str]]


SAMPLE_ID = ("VARCHAR", "the sample")
BAND = ("VARCHAR", "raster variable, or group of them")
LONGITUDE, LATITUDE = ("DOUBLE", "WGS84 degrees"), ("DOUBLE", "WGS84 degrees")
CARBON = ("DOUBLE", "organic carbon, g/kg")
SPLIT = ("VARCHAR", "train, validation or test; null for samples that are not studied")

TABLES = {
    "soil_samples": Table(
        "samples/samples.parquet",
        "usable soil samples",
        {
            "sample_id": SAMPLE_ID,
            "longitude": LONGITUDE,
            "latitude": LATITUDE,
            "organic_carbon": CARBON,
            "survey_date": ("TIMESTAMP", "day of sampling, null where only the year is known"),
            "year": ("INTEGER", "of sampling"),
            "season": ("VARCHAR", "of sampling: winter, spring, summer or autumn"),
            "season_year": ("INTEGER", "year of the season; a winter has the year of its January"),
            "source": ("VARCHAR", "survey that the sample comes from"),
            "file": ("VARCHAR", "soil table"),
            "row": ("BIGINT", "row of the soil table"),
            "own_id": ("VARCHAR", "id that the soil table gives it; empty where it gives none"),
            "horizons": ("INTEGER", "how many horizons of a profile the value is made of"),
        },
    ),
    "balanced": Table(
        "samples/balanced.parquet",
        "samples studied, with split and balancing",
        {
            "sample_id": SAMPLE_ID,
            "location_id": ("VARCHAR", "samples of one place share it, and are in one split"),
            "split": SPLIT,
            "bin": ("INTEGER", "bin of organic carbon by which the training split is balanced"),
            "multiplicity": ("INTEGER", "how often training repeats the sample"),
            "weight": ("FLOAT", "of the sample in the loss"),
        },
    ),
    "ledger": Table(
        "samples/batches.parquet",
        "which batch embeds which sample",
        {"sample_id": SAMPLE_ID, "batch": ("VARCHAR", "key of the batch, batch_0001")},
    ),
    "folds": Table(
        "samples/folds.parquet",
        "parts of the cross-validation schemes, over training and validation samples",
        {
            "scheme": ("VARCHAR", "how the parts were cut"),
            "sample_id": SAMPLE_ID,
            "fold": ("INTEGER", "part, from 0"),
        },
    ),
    "rejected": Table(
        "samples/rejected.parquet",
        "rows of soil tables that are unusable in themselves",
        {
            "file": ("VARCHAR", "soil table"),
            "row": ("BIGINT", "row of the soil table"),
            "source": ("VARCHAR", "survey"),
            "reason": ("VARCHAR", "why the row is no sample"),
            "detail": ("VARCHAR", "the offending value as the file has it"),
        },
    ),
    "excluded": Table(
        "samples/excluded.parquet",
        "usable samples that the filters of the study leave out",
        {
            "sample_id": SAMPLE_ID,
            "filter": ("VARCHAR", "filter of [study]"),
            "detail": ("VARCHAR", "the value that it looked at"),
        },
    ),
    "rasters": Table(
        "catalog/rasters.parquet",
        "usable rasters: one row per file and step",
        {
            "band": BAND,
            "kind": ("VARCHAR", "static, yearly or seasonal"),
            "year": ("INTEGER", "null for static bands"),
            "season": ("VARCHAR", "null but for seasonal bands"),
            "path": ("VARCHAR", "file; from the folder of soc.toml where it lies in it"),
            "tile": ("VARCHAR", "where a step is cut into tiles"),
            "layer": ("BIGINT", "band of the file, from 1"),
            "crs": ("VARCHAR", "coordinate reference system"),
            "transform": ("DOUBLE[]", "affine transform, six numbers"),
            "shape": ("BIGINT[]", "rows and columns"),
            "height": ("BIGINT", "rows"),
            "width": ("BIGINT", "columns"),
            "dtype": ("VARCHAR", "type of the stored numbers"),
            "nodata": ("DOUBLE", "value that stands for none"),
            "bounds": ("DOUBLE[]", "west, south, east, north in the units of the CRS"),
            "valid_share": ("DOUBLE", "share of pixels with a value"),
            "mean": ("DOUBLE", "of the valid pixels"),
            "std": ("DOUBLE", "standard deviation of the valid pixels"),
            "min": ("DOUBLE", "of the valid pixels"),
            "max": ("DOUBLE", "of the valid pixels"),
            "valid_count": ("BIGINT", "pixels with a value"),
            "digest": ("VARCHAR", "of the file's bytes and of how they are read"),
            "size": ("BIGINT", "bytes of the file"),
            "mtime_ns": ("BIGINT", "time of the file's last change, nanoseconds since 1970"),
            "stamp": ("VARCHAR", "digest of size, times and inode of the files: by which a change is noticed"),
            "reading": ("VARCHAR", "settings that decide how the file is read, JSON"),
        },
    ),
    "gaps": Table(
        "catalog/gaps.parquet",
        "steps that samples of the study read and that have no raster",
        {"band": BAND, "year": ("INTEGER", "of the step"), "season": ("VARCHAR", "null for yearly bands")},
    ),
    "model_predictions": Table(
        "results/predictions.parquet",
        "what the newest model predicts for every sample",
        {
            "run_id": ("VARCHAR", "MLflow run"),
            "model": ("VARCHAR", "registered model, as mlflow.pyfunc.load_model takes it"),
            "sample_id": SAMPLE_ID,
            "split": SPLIT,
            "longitude": LONGITUDE,
            "latitude": LATITUDE,
            "observed": CARBON,
            "predicted": ("DOUBLE", "predicted organic carbon, g/kg"),
            "lower": ("DOUBLE", "lower end of the prediction's interval, g/kg"),
            "upper": ("DOUBLE", "upper end of the prediction's interval, g/kg"),
        },
    ),
    "out_of_fold": Table(
        "results/out_of_fold.parquet",
        "predictions of every model of the evaluation for samples that it was not fitted on",
        {
            "scheme": ("VARCHAR", "how folds were cut"),
            "model": ("VARCHAR", "what was fitted"),
            "features": ("VARCHAR", "what it was fitted on"),
            "fold": ("BIGINT", "part that the sample is in"),
            "sample_id": SAMPLE_ID,
            "unit": ("VARCHAR", "what the bootstrap draws it with: its location, block, source or year"),
            "observed": CARBON,
            "predicted": ("DOUBLE", "predicted organic carbon, g/kg"),
            "plain": ("DOUBLE", "prediction without the correction of the back-transform, g/kg"),
            "lower": ("DOUBLE", "lower end of the prediction's interval, g/kg"),
            "upper": ("DOUBLE", "upper end of the prediction's interval, g/kg"),
            "target": ("DOUBLE", "observed, in the transformed target"),
            "transformed": ("DOUBLE", "predicted, in the transformed target"),
            "scale": ("DOUBLE", "stated deviation, in the transformed target"),
            "dissimilarity": ("DOUBLE", "from the training samples, by the area of applicability"),
            "inside": ("BOOLEAN", "whether it lies inside the area of applicability"),
            "failed": ("BIGINT", "folds of the model that failed"),
            "baseline": ("BOOLEAN", "whether the model is one of the baselines"),
        },
    ),
    "evaluation": Table(
        "results/evaluation.parquet",
        "scores of models under the cross-validation schemes, one number per row",
        {
            "scheme": ("VARCHAR", "how folds were cut"),
            "model": ("VARCHAR", "what was fitted"),
            "features": ("VARCHAR", "what it was fitted on"),
            "scope": (
                "VARCHAR",
                "pooled (all out-of-fold predictions together), fold, fold_mean, block, or a kind of part: oc_stratum, "
                "region, year, source, a column of [evaluation] strata, applicability",
            ),
            "part": ("VARCHAR", "which fold, block, stratum, region, ..."),
            "scale": ("VARCHAR", "scale of the target that is scored"),
            "metric": ("VARCHAR", "r2, rmse, mae, ..."),
            "value": ("DOUBLE", "the score"),
            "low": ("DOUBLE", "lower end of its interval"),
            "high": ("DOUBLE", "upper end of its interval"),
            "n": ("BIGINT", "samples scored"),
            "failed": ("BIGINT", "folds that failed"),
            "baseline": ("BOOLEAN", "whether it is one of the baselines"),
        },
    ),
    "runs": Table(
        "results/runs.parquet",
        "runs of the MLflow experiment",
        {
            "run_id": ("VARCHAR", "MLflow run"),
            "name": ("VARCHAR", "the asset that made it"),
            "status": ("VARCHAR", "FINISHED, FAILED, KILLED or RUNNING"),
            "started": ("TIMESTAMP", "UTC"),
            "ended": ("TIMESTAMP", "UTC"),
            "model": ("VARCHAR", "registered model that came of it, as mlflow.pyfunc.load_model takes it"),
            "weights": ("VARCHAR", "random or pretrained weights behind the embeddings"),
            "spec": ("VARCHAR", "digest of the embedding spec"),
            "inputs": ("VARCHAR", "digest of everything that decided the result"),
            "test_r2": ("DOUBLE", "coefficient of determination on the test split"),
            "test_rmse": ("DOUBLE", "root mean squared error on the test split, g/kg"),
            "test_mae": ("DOUBLE", "mean absolute error on the test split, g/kg"),
            "validation_r2": ("DOUBLE", "coefficient of determination on the validation split"),
            "metrics": ("MAP(VARCHAR, DOUBLE)", "last value of every metric"),
            "params": ("MAP(VARCHAR, VARCHAR)", "settings"),
        },
    ),
}


def columns_of(data: Path, name: str) -> dict[str, tuple[str, str]]:
    """Columns of a table: those of `TABLES`, then what else the file has today (without a comment)."""
    table, path = TABLES[name], data / TABLES[name].path
    if not path.is_file():
        return dict(table.columns)
    try:
        described = _relation(f"DESCRIBE SELECT * FROM read_parquet({literal(glob_of(path))})").fetchall()
    except duckdb.Error:  # damaged: its asset writes it anew
        return dict(table.columns)
    return dict(table.columns) | {row[0]: (row[1], "") for row in described if row[0] not in table.columns}


def table_sql(data: Path, name: str, columns: Mapping[str, tuple[str, str]]) -> str:
    """A query that reads a table as it is when it runs: typed columns, no rows where the file is not there."""
    schema = data / SCHEMAS / f"{name}.parquet"
    listed = ", ".join(f"{quoted(column)}::{kind} AS {quoted(column)}" for column, (kind, _) in columns.items())
    paths = f"[{literal(glob_of(schema))}, {literal(glob_of(data / TABLES[name].path))}]"
    return f"SELECT {listed} FROM read_parquet({paths}, allow_empty = true, union_by_name = true)"


def quoted(name: str) -> str:
    """A column's name in SQL: names of soil tables may hold quotation marks."""
    return '"' + name.replace('"', '""') + '"'


def write_schema(data: Path, name: str, columns: Mapping[str, tuple[str, str]]) -> None:
    """Write the file without rows that `table_sql` reads first."""
    nothing = ", ".join(f"NULL::{kind} AS {quoted(column)}" for column, (kind, _) in columns.items())
    write_empty_table(data, name, _relation(f"SELECT {nothing} WHERE false").to_arrow_table())


def _relation(query: str) -> duckdb.DuckDBPyRelation:
    relation = duckdb.sql(query)
    assert relation is not None
    return relation


def write_empty_table(data: Path, name: str, table: pa.Table) -> None:
    """Keep a table without rows among the schemas; one that is there already stays as it is."""
    path, written = data / SCHEMAS / f"{name}.parquet", io.BytesIO()
    pq.write_table(table, written)  # Parquet has names of its own for what is in lists
    if not files.is_whole(path) or not pq.read_schema(path).equals(pq.read_schema(written), check_metadata=True):
        files.write_table(path, table)


def glob_of(path: Path) -> str:
    """A pattern that DuckDB matches with this path alone: characters with a meaning are put in brackets."""
    return re.sub(r"([\[*?])", r"[\1]", str(path))


def literal(text: str) -> str:
    """A string in SQL."""
    return "'" + text.replace("'", "''") + "'"
