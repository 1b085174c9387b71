"""Cards, STAC items and their collection: valid without a network, right wherever the folder of maps is copied to."""

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
from rasterio.enums import Resampling
from rio_cogeo.cogeo import cog_validate

from soc_assets.mapping.assemble import assemble
from soc_assets.mapping.documents import write
from soc_assets.mapping.documents.card import map_card
from soc_assets.mapping.documents.card_parts import describe_weights
from soc_assets.mapping.documents.evidence import Campaign, Evidence, Score
from soc_assets.mapping.documents.stac_collection import update_collection
from soc_assets.mapping.documents.stac_item import span_of
from soc_assets.mapping.documents.write import renew_documents, write_documents
from soc_assets.mapping.engine.engines import engine_for
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import Period
from soc_assets.mapping.layer_files import MapFile, alone
from soc_assets.mapping.tiles import write_tiles
from soc_assets.project import Project
from soc_assets.storage import digest
from soc_assets_tests.hostile import HTML
from soc_assets_tests.mapping.small_maps import with_settings
from soc_assets_tests.mapping.test_tiles import SIZE, YEAR, catalogued, maps_of
from soc_assets_tests.small_world import project_of, write_world

EVIDENCE = Evidence(
    [Campaign("LUCAS 2018", 2018, 2018, {"train": 40, "test": 9}), Campaign(HTML, 2012, 2015, {"train": 7})],
    [Score("test split", 9, "locations", (0.41, 0.3, 0.52), (9.1, 8.0, 10.2), 0.889, 0.9)],
)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Project:
    """Four tiles; every fifth pixel is mapped."""
    root = tmp_path_factory.mktemp("world")
    project = project_of(write_world(root / "data/rasters", SIZE), root)
    catalogued(project)
    return with_settings(project, map={"step": 5})


@pytest.fixture(scope="module")
def mapped(world) -> MapFile:
    return made(maps_of(world, files="documents", weights="random (seed 42)", recipe="r"), EVIDENCE)


def made(inputs: MapInputs, evidence: Evidence | None = None) -> MapFile:
    list(write_tiles(inputs, inputs.keys, engine_for(inputs)))
    found = assemble(inputs, YEAR, evidence)
    update_collection(inputs.folder.parent)
    return found


@pytest.fixture
def copied(mapped, tmp_path) -> Path:
    return shutil.copytree(mapped.folder.parents[1], tmp_path / "copy")


def test_catalog_of_a_copied_folder_is_valid_and_leads_to_every_file(mapped, copied, offline):
    collection = pystac.Collection.from_file(str(copied / "collection.json"))
    assert collection.validate_all() == 1
    [item] = collection.get_items(recursive=True)
    assert (item.id, item.collection_id) == (f"{mapped.facts['model_digest']}_2020", collection.id)
    assert item.get_root() is collection and item.get_collection() is collection
    assert not [link for link in (*item.links, *collection.links) if link.rel == "self" and "copy" not in link.href]
    for asset in item.get_assets().values():
        path = Path(asset.get_absolute_href() or "")
        assert path.is_file() and path.is_relative_to(copied)
        if asset.has_role("data"):
            assert asset.extra_fields["soc:sha256"] == digest.of_file(path, 64)
    assert set(item.get_assets(role="data")) == set(mapped.facts["files"])
    text = (copied / "collection.json").read_text() + Path(item.get_self_href() or "").read_text()
    assert str(mapped.folder.parents[3]) not in text and "samples.parquet" not in text


def test_item_says_what_made_the_map_and_what_is_in_its_bands(mapped, copied):
    collection = pystac.Collection.from_file(str(copied / "collection.json"))
    [item] = collection.get_items()
    told = item.properties
    assert told["soc:model"]["weights"] == "random (seed 42)" and told["soc:digest"] == mapped.facts["digest"]
    assert [each["key"] for each in told["soc:rasters"]] == ["Elevation", "LAI_2020", "LAI_2019", "LAI_2018"]
    assert told["soc:rasters"][1]["paths"] == ["yearly/LAI/LAI_2020.tif"]
    assert told["soc:scores"][0]["r2"] == 0.41 and told["soc:scores"][0]["r2_low"] == 0.3
    assert told["soc:samples"][0]["splits"] == {"train": 40, "test": 9}
    assert sum(each["share"] for each in told["soc:quality"]) == pytest.approx(1, abs=1e-5)
    [band] = item.assets["organic_carbon"].extra_fields["bands"]
    with rasterio.open(mapped.folder / "organic_carbon.tif") as dataset:
        values, (west, south, east, north) = dataset.read(1, masked=True), dataset.bounds
        places = rasterio.warp.transform(dataset.crs, "EPSG:4326", [west, east, east], [south, south, north])
    assert (band["unit"], band["nodata"], band["data_type"]) == ("g/kg", -9999.0, "float32")
    assert band["statistics"]["mean"] == pytest.approx(float(values.mean()), rel=1e-5)
    assert item.bbox is not None and item.geometry is not None
    corners = list(zip(*places, strict=True))
    outline = np.array(item.geometry["coordinates"][0])
    for corner in corners:
        assert np.abs(outline - corner).max(axis=1).min() < 1e-6
    assert outline[0].tolist() == outline[-1].tolist()
    x, y = outline.T
    assert (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() > 0  # counterclockwise
    assert collection.extent.spatial.bboxes == [item.bbox]


def test_collection_follows_maps_that_come_and_go(mapped, copied, world):
    before = (copied / "collection.json").stat().st_mtime_ns
    assert update_collection(copied) == copied / "collection.json"
    assert (copied / "collection.json").stat().st_mtime_ns == before  # nothing was to be done
    model = mapped.facts["model_digest"]
    item = json.loads((copied / model / "2020/item.json").read_text())
    shutil.copytree(copied / model / "2020", copied / "another/2015_winter")
    item["properties"] |= {"soc:period": "2015_winter", "start_datetime": "2014-12-01T00:00:00Z"}
    item["id"], item["bbox"] = "another_2015_winter", [-1, 40, 1, 41]
    (copied / "another/2015_winter/item.json").write_text(json.dumps(item))
    (copied / "another/2016").mkdir()
    (copied / "another/2016/item.json").write_text("{")  # damaged: left out
    update_collection(copied)
    collection = pystac.Collection.from_file(str(copied / "collection.json"))
    assert {each.id for each in collection.get_items()} == {item["id"], f"{model}_2020"}
    assert collection.validate_all() == 2
    assert collection.extent.spatial.bboxes[0][:2] == [-1, 40]
    assert collection.extent.temporal.intervals[0][0] == datetime(2014, 12, 1, tzinfo=UTC)
    for each in ("another", model):
        shutil.rmtree(copied / each)
    assert update_collection(copied) is None and list(copied.iterdir()) == []


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        (Period(2020), "2020-01-01", "2020-12-31"),
        (Period(2020, "winter"), "2019-12-01", "2020-02-29"),
        (Period(2019, "spring"), "2019-03-01", "2019-05-31"),
        (Period(2019, "autumn"), "2019-09-01", "2019-11-30"),
    ],
)
def test_span_of_a_period_is_its_days(period, first, last):
    start, end = span_of(period)
    assert (start.isoformat(), end.isoformat()) == (f"{first}T00:00:00+00:00", f"{last}T23:59:59+00:00")


def test_card_says_what_the_map_is_and_is_not_good_for(mapped):
    card = (mapped.folder / "card.md").read_text()
    assert card == map_card(mapped.facts, EVIDENCE)
    for words in (
        "| LUCAS 2018 | 2018 | 40 | 9 |",
        "| test split | 9 | 0.410 (0.300 to 0.520) | 9.10 (8.00 to 10.20) | 88.9 % of samples, 90 % wanted |",
        "the scores by block folds count, which are not known here",
        "each the prediction at the middle one of 5 x 5 pixels",
        "| LAI_2019 | yearly/LAI/LAI_2019.tif | ",
        "Proof that carbon has changed",
        "Embeddings: none",
    ):
        assert words in card
    assert " m in EPSG:" in card
    counts = mapped.facts["counts"]
    share = 100 * counts["1"] / sum(counts.values())
    assert f"| 1 | outside the area of applicability | {counts['1']:,} | {share:.1f} % |" in card
    assert HTML not in card and "<script" not in card
    random = map_card(mapped.facts | {"features": "embedding"}, Evidence())
    assert "random projections of the rasters" in random and "its weights are random here" in random
    assert "No scores are known" in random and "says nothing of its samples" in random
    assert describe_weights("pretrained (sha256 ab)", "embedding") == "pretrained (sha256 ab)"


def test_documents_follow_what_becomes_known_and_are_written_only_then(mapped, copied):
    folder = copied / mapped.facts["model_digest"] / "2020"
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    write_documents(folder, mapped.facts, EVIDENCE)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    write_documents(folder, mapped.facts, Evidence())
    changed = {path.name for path in folder.iterdir() if before[path] != path.stat().st_mtime_ns}
    assert changed == {"card.md", "item.json"}


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")  # rio-cogeo opens overviews by themselves
@pytest.mark.parametrize("dtype", ["float32", "int16"])
@pytest.mark.parametrize("step", [None, 2])
def test_layers_are_cloud_optimized_geotiffs_by_the_strict_rules(world, dtype, step):
    project = with_settings(world, map={"dtype": dtype, "step": step or 1})
    found = made(maps_of(project, files=f"cog {step}"))
    assert len(list(found.folder.glob("*.tif"))) == 5
    for path in found.folder.glob("*.tif"):
        assert cog_validate(path, strict=True, quiet=True) == (True, [], []), path
    with rasterio.open(found.folder / "quality.tif") as dataset:
        whole = dataset.read(1)
        for factor in dataset.overviews(1):
            shape = tuple(-(-size // factor) for size in whole.shape)
            small = dataset.read(1, out_shape=shape, resampling=Resampling.nearest)
            assert set(np.unique(small)) <= set(np.unique(whole))
        assert bool(dataset.overviews(1)) == (step is None)


def test_documents_are_those_of_the_map_that_is_there_and_none_are_written_for_one_that_is_gone(mapped, copied):
    folder = copied / mapped.facts["model_digest"] / "2020"
    newer = mapped.facts | {"recipe": "another", "level": 0.975}
    (folder / "map.json").write_text(json.dumps(newer))
    write_documents(folder, newer, EVIDENCE)
    renew_documents(MapFile(folder, mapped.facts), EVIDENCE)  # as it was read before another process replaced it
    assert (folder / "card.md").read_text() == map_card(newer, EVIDENCE)
    shutil.rmtree(folder)
    renew_documents(MapFile(folder, mapped.facts), EVIDENCE)
    assert not folder.exists()


def test_documents_that_are_right_ask_for_no_lock(mapped, copied, monkeypatch):
    locked = []
    monkeypatch.setattr(write, "alone", lambda folder: locked.append(folder) or nullcontext())
    found = MapFile(copied / mapped.facts["model_digest"] / "2020", mapped.facts)
    renew_documents(found, EVIDENCE)
    assert locked == []  # so that a read-only disk can be looked at
    renew_documents(found, Evidence())
    assert locked == [found.folder]


def test_documents_wait_for_whoever_assembles_the_map(mapped, copied):
    folder = copied / mapped.facts["model_digest"] / "2020"
    before = (folder / "card.md").read_text()
    with ThreadPoolExecutor(1) as pool:
        with alone(folder):
            waiting = pool.submit(renew_documents, MapFile(folder, mapped.facts), Evidence())
            time.sleep(0.2)
            assert (folder / "card.md").read_text() == before
        waiting.result()
    assert (folder / "card.md").read_text() != before
