"""The STAC collection of embeddings: valid by the extension's schema, right, and movable."""

import json
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pystac
import pytest
from numpy.testing import assert_array_equal
from pystac.errors import STACValidationError
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from rasterio.crs import CRS

from soc_assets.embedding.inputs import read_inputs
from soc_assets.errors import SocWarning
from soc_assets.exporting.export import export
from soc_assets.exporting.int8 import read_int8_parquet
from soc_assets.exporting.stac.collection import make_collection
from soc_assets.exporting.stac.item import make_item, span_of
from soc_assets.geo.grid import WGS84
from soc_assets.storage import digest
from soc_assets_tests.command_line import refused, soc
from soc_assets_tests.small_project import BATCHES

SCHEMAS = Path(__file__).parent / "schemas"


class Offline(JsonSchemaSTACValidator):
    """Knows the schemas beside this file and those of pystac, and no others."""

    def __init__(self) -> None:
        super().__init__()
        for path in SCHEMAS.glob("*.json"):
            schema = json.loads(path.read_text())
            self.schema_cache[schema["$id"].rstrip("#")] = schema

    def _get_schema(self, schema_uri: str) -> dict:
        return self.schema_cache[schema_uri]


def validate(document: dict) -> None:
    kind = pystac.STACObjectType.COLLECTION if document["type"] == "Collection" else pystac.STACObjectType.ITEM
    checked = Offline().validate(document, kind, document["stac_version"], document["stac_extensions"])
    assert len(checked) == 5  # the core and four extensions


def read(path: Path) -> dict:
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def published(finished, tmp_path_factory) -> Path:
    """As the command writes it, and moved."""
    folder = tmp_path_factory.mktemp("stac")
    result = soc("export", "--format", "stac", "--out", folder / "made", at=finished)
    assert result.exit_code == 0 and f"60 samples in {folder / 'made'}" in result.stdout
    return shutil.move(folder / "made", folder / "moved")


@pytest.fixture(scope="module")
def small(finished, tmp_path_factory) -> Path:
    """The same as int8."""
    folder = tmp_path_factory.mktemp("int8") / "made"
    assert export(finished.project, "embeddings", "stac", folder, int8=True) == 60
    return folder


@pytest.mark.parametrize("folder", ["published", "small"])
def test_documents_are_valid(folder, request):
    folder = request.getfixturevalue(folder)
    documents = [read(folder / f"{name}.json") for name in ("collection", *BATCHES)]
    assert [document["type"] for document in documents] == ["Collection", *["Feature"] * len(BATCHES)]
    for document in documents:
        validate(document)  # raises, as the next test shows


def test_schema_refuses_what_the_extension_requires(published):
    """So that the validation above would find a mistake."""
    collection, item = read(published / "collection.json"), read(published / "batch_0001.json")
    links = [link for link in collection["links"] if link["rel"] != "emb:model"]
    assets = {"vectors": item["assets"]["embeddings"]}
    layout = {"layout_type": "around samples"}
    for wrong in (
        {**collection, "links": links},
        {**collection, "emb:chip_layout": layout},
        {**item, "assets": assets},
        {**item, "properties": {**item["properties"], "emb:quantization": {"method": "linear"}}},
    ):
        with pytest.raises(STACValidationError):
            validate(wrong)


def test_moved_folder_is_whole_and_names_no_place_of_this_machine(finished, published):
    collection = pystac.Collection.from_file(str(published / "collection.json"))
    items = list(collection.get_items())
    assert [item.properties["soc:batch"] for item in items] == list(BATCHES)
    for owner in (collection, *items):
        for asset in owner.get_assets().values():
            path = Path(asset.get_absolute_href() or "")
            assert path.parent == published
            assert asset.extra_fields["file:size"] == path.stat().st_size
            assert asset.extra_fields["file:checksum"] == "1220" + digest.of_file(path, 64)
    for key, original in finished.batch_files().items():
        assert (published / original.name).read_bytes() == original.read_bytes(), key
    for link in (*collection.links, *items[0].links):
        if link.rel in ("emb:model", "emb:source-data"):
            assert (published / str(link.href)).is_file()
    text = "".join(path.read_text() for path in published.glob("*.json"))
    assert str(finished.root) not in text and str(published.parent) not in text


def test_collection_says_what_the_embeddings_are(finished, published):
    told = read(published / "collection.json")
    assert (told["emb:type"], told["emb:dimensions"], told["data_type"]) == ("chip", 768, "float32")
    assert told["emb:chip_layout"] == {"layout_type": "variable_grid", "chip_size": [16, 16]}
    assert (told["emb:temporal_resolution"], told["gsd"]) == ("annual", 250)
    assert "random weights (seed 42)" in told["title"] and "never trained" in told["description"]
    assert "random weights (seed 42)" in next(link["title"] for link in told["links"] if link["rel"] == "emb:model")
    frame = finished.embeddings()
    ends = [frame["longitude"].min(), frame["latitude"].min(), frame["longitude"].max(), frame["latitude"].max()]
    assert told["extent"]["spatial"]["bbox"] == [ends]
    sources = {each["key"]: each for each in read(published / "sources.json")["rasters"]}
    assert sources["LAI_2012"]["paths"] == ["yearly/LAI/LAI_2012.tif"]
    catalog = pd.read_parquet(finished.project.catalog).set_index(["band", "year"])
    assert sources["LAI_2012"]["digest"] == catalog.loc[("LAI", 2012), "digest"]


def test_item_says_where_when_and_from_which_rasters(finished, published):
    batch = read_inputs(finished.project).batch("batch_0002")
    item = read(published / "batch_0002.json")
    told, samples = item["properties"], batch.samples
    outline = np.array(item["geometry"]["coordinates"][0])
    places = samples[["longitude", "latitude"]].to_numpy()
    assert_array_equal(item["bbox"], [*places.min(axis=0), *places.max(axis=0)])
    assert_array_equal([*outline.min(axis=0), *outline.max(axis=0)], item["bbox"])
    x, y = outline.T
    assert (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() > 0  # counterclockwise
    start, end = (datetime.fromisoformat(told[name]) for name in ("start_datetime", "end_datetime"))
    assert (start.year, end.year) == (2013, 2013)
    assert told["soc:rasters"] == {key: content for key, content in batch.rasters.items() if content}
    assert told["soc:missing_rasters"] == ["SoilEvaporation_2010"]
    assert told["proj:code"] == "EPSG:25832" and item["assets"]["embeddings"]["proj:code"] == "EPSG:4326"
    assert told["table:row_count"] == len(samples)
    columns = {each["name"] for each in item["assets"]["embeddings"]["table:columns"]}
    assert columns == set(finished.embeddings().columns)


def test_int8_files_hold_the_same_numbers_up_to_half_a_scale(finished, small):
    for key, original in finished.batch_files().items():
        whole, found = pd.read_parquet(original), read_int8_parquet(small / original.name).to_pandas()
        assert list(found.columns) == list(whole.columns)
        rest = ["sample_id", "organic_carbon", "point_values", "valid_fraction", "geometry"]
        pd.testing.assert_frame_equal(found[rest], whole[rest])
        for mine, theirs in zip(found["channel_time_embeddings"], whole["channel_time_embeddings"], strict=True):
            assert [name for name, image in mine if image is None] == [n for n, image in theirs if image is None], key
            for (_, restored), (_, exact) in zip(mine, theirs, strict=True):
                if exact is not None:
                    exact = np.vstack(exact)
                    assert np.abs(np.vstack(restored) - exact).max() <= np.abs(exact).max() / 127 * 0.501
    told = read(small / "batch_0001.json")
    assert told["properties"]["emb:quantization"]["quantized_dtype"] == "int8"
    assert told["assets"]["embeddings"]["data_type"] == read(small / "collection.json")["data_type"] == "int8"


@pytest.mark.parametrize("folder", ["published", "small"])
def test_page_beside_the_files_says_how_they_are_read(finished, folder, request, monkeypatch):
    folder = request.getfixturevalue(folder)
    monkeypatch.chdir(folder)
    names: dict = {}
    exec(re.findall(r"```python\n(.*?)```", (folder / "reading.md").read_text(), re.S)[0], names)
    images = dict(finished.embeddings().iloc[0]["channel_time_embeddings"])
    assert names["vectors"].keys() == {key for key, image in images.items() if image is not None}
    exact = np.vstack(images["LAI_2012"])
    assert names["vectors"]["LAI_2012"].shape == exact.shape == (1, 768)
    assert np.abs(names["vectors"]["LAI_2012"] - exact).max() <= (np.abs(exact).max() / 250 if "scales" in names else 0)


def test_batches_that_are_stale_or_damaged_are_not_published(embedded, tmp_path):
    carbon = pd.read_parquet(embedded.project.samples("samples"))
    path = embedded.batch_files()["batch_0003"]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "batch_0003_size_16.parquet is damaged" in refused(
        "export", "--format", "stac", "--out", tmp_path / "x", at=embedded
    )
    path.unlink()
    with pytest.warns(SocWarning, match="1 of 4 batches are not embedded yet, and left out: batch_0003"):
        assert export(embedded.project, "embeddings", "stac", tmp_path / "x") == len(carbon) - 2 - 16
    table = pd.read_parquet(embedded.project.catalog)
    table.loc[(table["band"] == "LAI") & (table["year"] == 2012), "digest"] = "0123456789abcdef"
    table.to_parquet(embedded.project.catalog)
    message = refused("export", "--format", "stac", "--out", tmp_path / "y", at=embedded)
    assert "batch_0001 is not up to date" in message and "soc run --to embeddings" in message
    assert not (tmp_path / "y").exists()


def test_only_a_folder_of_ours_is_replaced(finished, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.md").write_text("years of work")
    command = ("export", "--format", "stac", "--out", mine)
    assert "--overwrite" in refused(*command, at=finished)
    assert "is not an export of embeddings" in refused(*command, "--overwrite", at=finished)
    assert (mine / "thesis.md").read_text() == "years of work"
    (mine / "thesis.md").unlink()
    for _ in range(2):  # an empty folder, then ours
        assert soc(*command, "--overwrite", at=finished).exit_code == 0
    for more in (("--stage", "features"), ("--split", "test"), ("--bands", "LAI")):
        assert "--format stac" in refused("export", "--format", "stac", "--out", tmp_path / "n", *more, at=finished)


def test_span_is_that_of_days_where_they_are_known_and_else_of_years():
    def span(dates: list, years: list) -> tuple:
        return span_of(pd.DataFrame({"survey_date": pd.to_datetime(dates), "year": pd.array(years, "Int32")}))

    assert span(["2012-05-03", "2012-06-01"], [2012, 2012]) == (
        datetime(2012, 5, 3, tzinfo=UTC),
        datetime(2012, 6, 1, 23, 59, 59, tzinfo=UTC),
    )
    assert span(["2012-05-03", None], [2012, 2011])[0] == datetime(2011, 1, 1, tzinfo=UTC)
    assert span([None, None], [2011, 2013])[1] == datetime(2013, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert span([None], [None]) == (None, None)


def test_one_sample_without_a_date_on_a_grid_without_a_code(finished, published):
    """The outline is a point, the time that of the spec, and the projection is spelled out."""
    inputs = read_inputs(finished.project)
    batch = inputs.batch("batch_0001")
    undated = {"survey_date": pd.NaT, "year": pd.array([None], "Int32")}
    alone = replace(batch, samples=batch.samples.iloc[:1].assign(**undated))
    crs = CRS.from_proj4("+proj=utm +zone=32 +ellps=GRS80 +units=m")  # no datum: not quite EPSG:25832
    grid = replace(inputs.raster_index.grid, crs=crs)
    path = published / batch.path(published).name
    item = make_item(alone, inputs.spec, grid, path, "c", int8=False)
    validate(item)
    assert item["geometry"]["type"] == "Point" and item["bbox"][:2] == item["bbox"][2:]
    told, asset = item["properties"], item["assets"]["embeddings"]
    assert datetime.fromisoformat(told["datetime"]) == datetime.fromisoformat(inputs.spec.created)
    assert told["soc:undated_samples"] == 1 and "start_datetime" not in told
    assert told["proj:code"] is None and told["proj:wkt2"].startswith("PROJCRS")
    assert (asset["proj:code"], asset["proj:wkt2"]) == ("EPSG:4326", None)
    collection = make_collection("c", {"a.json": item}, inputs.spec, replace(grid, crs=WGS84), published, int8=False)
    validate(collection)
    assert "gsd" not in collection
