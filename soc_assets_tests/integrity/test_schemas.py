"""The schema of a table is what its file has, and what the documentation says of it."""

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from soc_assets.embedding.parquet import SCHEMA
from soc_assets.features.sql.tables import duckdb_columns
from soc_assets.integrity.schemas import EMBEDDINGS, FEATURES, TABLES, pandas_type
from soc_assets.integrity.schemas.columns import Column

DOCS = Path(__file__).parents[2] / "docs"
ARROW = {"timestamp": "timestamp[us]", "float64": "double", "float32": "float", "large_string": "string"}


ON_REQUEST = (
    *("evaluation", "out_of_fold", "learning_curve", "source_offsets", "highest_values", "network_choices"),
    *("maps", "map_at_samples", "map_zones", "map_changes"),
)


@pytest.mark.parametrize("name", [name for name in TABLES if name not in ON_REQUEST])
def test_file_of_a_table_has_the_columns_of_its_schema_first(finished, name):
    path = finished.project.data / TABLES[name].path
    names = tuple(pq.read_schema(path).names)
    assert names[: len(TABLES[name].names)] == TABLES[name].names


@pytest.mark.parametrize(
    "name", ["soil_samples", "balanced", "ledger", "folds", "rejected", "excluded", "rasters", "gaps"]
)
def test_plain_columns_of_a_file_have_the_types_of_its_schema(finished, name):
    found = pq.read_schema(finished.project.data / TABLES[name].path)
    plain = [column for column in TABLES[name] if "<" not in column.type]
    kinds = {
        column.name: ARROW.get(str(found.field(column.name).type), str(found.field(column.name).type))
        for column in plain
    }
    assert kinds == {column.name: ARROW.get(column.type, column.type) for column in plain}


def test_page_about_the_files_lists_the_columns_of_a_batch_in_order():
    table = (DOCS / "files.md").read_text(encoding="utf-8").partition("| column |")[2].partition("\n\n")[0]
    listed = [name for row in table.splitlines()[2:] for name in re.split(", ", row.split("|")[1].strip())]
    assert listed == list(EMBEDDINGS.names) == SCHEMA.names


def test_every_column_is_explained_once_per_table():
    for table in (*TABLES.values(), EMBEDDINGS, FEATURES):
        assert len(set(table.names)) == len(table.names)
        assert all(column.description for column in table)
    assert duckdb_columns(TABLES["soil_samples"])["year"] == ("INTEGER", "of sampling")


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (Column("year", "int32", ""), "Int32"),
        (Column("row", "int64", "", nullable=False), "int64"),
        (Column("source", "string", ""), "str"),
        (Column("shape", "list<int64>", ""), "object"),
        (Column("mean", "float64", ""), "float64"),
    ],
)
def test_pandas_type_of_a_column(column, kind):
    assert pandas_type(column) == kind
