"""What the UI shows: every asset says what and whose it is and describes its columns; batches have facts and a map."""

import logging

import dagster as dg
import pandas as pd
import pyarrow.parquet as pq
import pytest

from soc_assets.definitions import defs
from soc_assets.defs.names import BARE
from soc_assets.defs.ui import tables
from soc_assets.defs.ui.embedding_report import Pulse
from soc_assets.embedding.plots import BatchMaps
from soc_assets.pipeline.assets import ASSETS
from soc_assets_tests.small_project import BATCHES, SmallProject

SPECS = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
TABLES = ("raster_catalog", "soil_samples", "balanced_samples", "embeddings", "features")


@pytest.mark.parametrize("asset", sorted(SPECS))
def test_asset_says_what_it_is_and_whose(asset):
    spec = SPECS[asset]
    first, _, rest = (spec.description or "").partition("\n")
    assert first.endswith((".", ";")) or ":" in first
    assert len(rest) > 100
    assert spec.group_name not in (None, "default")
    assert list(spec.owners) == ["team:soil-carbon"]
    assert spec.kinds
    if asset in ASSETS:
        assert spec.code_version
        assert all(word in rest for word in ("**Reads**", "**Writes**", "**Decided by**"))


@pytest.mark.parametrize("asset", TABLES)
def test_every_column_is_described(asset):
    schema = SPECS[asset].metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    for column in schema.columns:
        assert len(column.description or "") > 3, column.name


def real_columns(made: SmallProject, asset: str) -> list[str]:
    if asset == "features":
        return made.query("SELECT * FROM features LIMIT 0").columns.to_list()
    paths = {"raster_catalog": made.project.catalog, "embeddings": made.batch_files()["batch_0001"]}
    table = {"soil_samples": "samples", "balanced_samples": "balanced"}
    return pq.read_schema(paths.get(asset) or made.project.samples(table[asset])).names


@pytest.mark.parametrize("asset", TABLES)
def test_described_columns_are_those_of_the_file(finished, asset):
    assert [column.name for column in tables.schema(asset).columns] == real_columns(finished, asset)


@pytest.mark.parametrize("asset", ["balanced_samples", "embeddings", "features"])
def test_lineage_names_columns_that_exist(asset):
    columns = {name: {column.name for column in tables.schema(name).columns} for name in TABLES}
    lineage = tables.lineage(asset, BARE)["dagster/column_lineage"].deps_by_column
    assert set(lineage) <= columns[asset]
    for deps in lineage.values():
        assert deps
        for dep in deps:
            assert dep.column_name in columns[dep.asset_key.to_user_string()]


def test_materialisations_have_pictures_links_rows_and_lineage(finished):
    finished.use()
    with dg.DagsterInstance.get() as instance:
        for asset in ASSETS:
            event = instance.get_latest_materialization_event(dg.AssetKey(asset))
            assert event is not None
            assert event.asset_materialization is not None
            metadata = event.asset_materialization.metadata
            values = [str(entry.value) for entry in metadata.values()]
            assert any("data:image/png;base64," in value for value in values), asset
            assert any(isinstance(entry, dg.PathMetadataValue) for entry in metadata.values()), asset
            if asset in TABLES:
                assert {"dagster/row_count", "dagster/partition_row_count"} & set(metadata), asset
            if asset in ("balanced_samples", "embeddings", "features"):
                assert isinstance(metadata["dagster/column_lineage"], dg.TableColumnLineageMetadataValue)
            if asset != "embeddings":
                assert str(metadata["dagster/uri"].value).startswith("file:///"), asset


def test_each_batch_says_what_was_done_and_where_its_samples_are(finished):
    finished.use()
    with dg.DagsterInstance.get() as instance:
        records = instance.fetch_materializations(dg.AssetKey("embeddings"), limit=10).records
    found = {record.partition_key: record.asset_materialization for record in records}
    assert set(found) == set(BATCHES)
    for key, event in found.items():
        assert event is not None
        facts = {name: entry.value for name, entry in event.metadata.items()}
        assert (facts["batch"], facts["samples"], facts["cached"]) == (key, BATCHES[key], False)
        assert (facts["device"], facts["images_per_second"] > 0, facts["seconds"] > 0) == ("cpu", True, True)
        assert facts["images_embedded"] + facts["missing_images"] == BATCHES[key] * 26
        assert facts["map"].startswith("![figure](data:image/png;base64,")
        assert "among all samples" in facts["map"]


def test_map_shows_all_samples_and_those_of_the_batch_north_up():
    import io

    import numpy as np
    from PIL import Image

    samples = pd.DataFrame({"longitude": [10.0, 10.0, 11.0], "latitude": [48.0, 49.0, 48.5]})
    drawn = np.asarray(Image.open(io.BytesIO(BatchMaps(samples).png(samples.iloc[1:2]))).convert("RGB")).astype(int)
    blue = (drawn[:, :, 2] - drawn[:, :, 0]) > 80
    grey = (np.ptp(drawn, axis=2) < 30) & (drawn.mean(axis=2) < 200)
    height = len(drawn)
    assert np.flatnonzero(blue.any(axis=1)).max() < height / 10  # the batch's sample is the northernmost
    assert np.flatnonzero(grey.any(axis=1)).max() > height * 0.9
    assert BatchMaps(samples).extent == "10.00 to 11.00 °E, 48.00 to 49.00 °N"
    assert BatchMaps(samples.iloc[:0]).png(samples.iloc[:0])  # nothing to show is no error


def test_long_batches_tell_how_far_they_are(caplog):
    from threading import Event

    said, enough = [], Event()

    class Encoder:
        images_embedded = 0

    def say(record: logging.LogRecord) -> bool:
        said.append(record.getMessage())
        Encoder.images_embedded += 500
        if len(said) == 3:
            enough.set()
        return True

    caplog.handler.addFilter(say)
    with caplog.at_level(logging.INFO, "soc_assets.defs.ui"), Pulse(batches=4, images=4000, every=0.01) as pulse:
        pulse.finished(1000, 0)  # cached
        pulse.encoder = Encoder()  # pyright: ignore[reportAttributeAccessIssue]
        assert enough.wait(10)
    assert said[0].startswith("1 of 4 batches done; reading rasters for")
    assert "500 of at most 3,000 images" in said[1]
    assert said[2].endswith("left")
