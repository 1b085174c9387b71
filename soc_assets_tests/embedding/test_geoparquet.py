"""Batches are GeoParquet 1.1 by the GeoParquet project's validator (rules of the 1.1.0 specification) and by GeoPandas.

Source of the rules: https://geoparquet.org/releases/v1.1.0, which the package geoparquet-validator holds.
"""

import json

import geopandas
import geoparquet_validator
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from soc_assets.embedding.parquet import write_empty
from soc_assets.exporting.export import export
from soc_assets_tests.embedding.world import World


def failures(path):
    report = geoparquet_validator.check(str(path))
    assert report["file"] == str(path)
    passed = {outcome["id"] for outcome in report["outcomes"] if outcome["status"] == "pass"}
    assert {"/conf/core/wkb", "/conf/core/bbox-extent", "/conf/covering/bbox-column-type"} <= passed | set(
        geoparquet_validator.failed(report)
    )
    return geoparquet_validator.failed(report)


@pytest.fixture(scope="module")
def batch(finished):
    return min(finished.batch_files().values())


def test_batch_conforms_to_the_specification_with_its_covering(batch):
    assert failures(batch) == []


def test_whole_export_conforms(finished, tmp_path):
    path = tmp_path / "all.parquet"
    export(finished.project, "embeddings", "parquet", path)
    assert failures(path) == []


def test_validator_would_find_a_wrong_bbox(batch, tmp_path):
    table = pq.read_table(batch)
    geo = json.loads(table.schema.metadata[b"geo"])
    geo["columns"]["geometry"]["bbox"] = [0, 0, 1, 1]
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), tmp_path / "wrong.parquet")
    assert failures(tmp_path / "wrong.parquet") == ["/conf/core/bbox-extent"]


def test_geopandas_reads_points_in_wgs84_and_filters_by_the_covering(batch):
    frame = geopandas.read_parquet(batch)
    assert frame.crs == "OGC:CRS84"
    np.testing.assert_array_equal(frame.geometry.x, frame["longitude"])
    np.testing.assert_array_equal(frame.geometry.y, frame["latitude"])
    middle = frame["longitude"].median()
    west = geopandas.read_parquet(batch, bbox=(-180, -90, middle, 90))
    assert set(west["sample_id"]) == set(frame.loc[frame["longitude"] <= middle, "sample_id"])


def test_file_without_rows_can_be_read(tmp_path):
    world = World(tmp_path)
    assert pd.read_parquet(write_empty(world.home, world.spec)).empty
