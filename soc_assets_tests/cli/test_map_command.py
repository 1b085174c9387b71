"""`soc map`: what it says, what it leaves, and that what is done is not done again."""

import json
import re
import shutil
from collections.abc import Iterator

import duckdb
import geopandas
import pytest
import rasterio
import shapely
from click.testing import CliRunner, Result

from soc_assets.cli.main import main
from soc_assets.mapping.change import tiles as change_tiles
from soc_assets.mapping.documents.stac_collection import update_collection
from soc_assets.mapping.engine import blocks
from soc_assets_tests.small_project import SIZE, SmallProject
from soc_assets_tests.small_world import ORIGIN, PIXEL, UTM

pytestmark = pytest.mark.usefixtures("undrawn")

YEAR = 2014


@pytest.fixture(scope="module")
def mapped(templates, tmp_path_factory) -> SmallProject:
    """The finished project, of one's own."""
    return templates.copy("finished", tmp_path_factory.mktemp("mapped") / "project")


@pytest.fixture
def zones(tmp_path):
    """A western half and an eastern one, by name."""
    west, north = ORIGIN
    halves = [
        shapely.box(x, north - SIZE * PIXEL, x + SIZE * PIXEL / 2, north) for x in (west, west + SIZE * PIXEL / 2)
    ]
    path = tmp_path / "halves.gpkg"
    geopandas.GeoDataFrame({"name": ["West", "East"]}, geometry=halves, crs=UTM).to_file(path)
    return path


def soc(project: SmallProject, *arguments: str) -> Result:
    done = CliRunner().invoke(main, [*arguments, "--config", str(project.config)])
    return done


def test_map_says_what_it_does_and_what_came_of_it(mapped):
    done = soc(mapped, "map", "--year", str(YEAR), "--step", "4")
    assert done.exit_code == 0, done.output
    for words in (
        "Model     models:/soc_mlp/1: documented on embedding; embeddings with weights: random",
        f"Map       16 x 16 cells, one per 4 x 4 pixels, 256 of them wanted; {YEAR}",
        "To do     1 of 1 tiles: 256 cells, 6,656 images",
        "Time      about ",
        "map_tiles: 256 of 256  tile 1 of 1",
    ):
        assert words in done.output
    [folder] = mapped.root.glob(f"data/maps/*/{YEAR}")
    assert f"Map of {YEAR}: {folder}" in done.output
    facts = json.loads((folder / "map.json").read_text())
    assert facts["missing_rasters"] == ["SoilEvaporation_2010"]
    card = (folder / "card.md").read_text()
    for words in ("| test split | ", "its embeddings are random projections", "Without a raster: SoilEvaporation_2010"):
        assert words in card
    assert "2014/item.json" in (folder.parents[1] / "collection.json").read_text()
    assert f"Missing   {YEAR}: 1 images (4%) have no raster: SoilEvaporation_2010" in done.output
    with rasterio.open(folder / "organic_carbon.tif") as dataset:
        assert (dataset.shape, dataset.transform.a) == ((SIZE // 4, SIZE // 4), 1000.0)


def test_zones_are_written_beside_the_map_and_shown_by_sql(mapped, zones):
    done = soc(mapped, "map", "--year", str(YEAR), "--step", "4", "--zones", str(zones))
    assert done.exit_code == 0, done.output
    [table] = mapped.root.glob(f"data/maps/*/{YEAR}/zones/halves.parquet")
    assert f"Zones of {YEAR}: {table} (view map_zones)" in done.output
    shown = soc(mapped, "sql", "SELECT name, round(area_km2) area FROM map_zones ORDER BY zone").output
    area = round((SIZE * PIXEL / 1000) ** 2 / 2)
    assert [name in shown for name in ("West", "East", f"{area}")] == [True] * 3, shown


def test_zones_that_are_not_there_are_refused_before_anything_is_computed(mapped, zones, monkeypatch):
    monkeypatch.setattr(blocks, "compute_tiles", None)
    done = soc(mapped, "map", "--year", str(YEAR - 1), "--step", "4", "--zones", str(zones.with_name("none.gpkg")))
    assert done.exit_code == 1
    assert "none.gpkg" in done.output


def test_what_is_done_is_not_done_again_and_status_shows_what_is_wanted(mapped, monkeypatch):
    assert "map_tiles" not in soc(mapped, "status").output
    mapped.config.write_text(mapped.config.read_text() + f"\n[map]\nyears = [{YEAR}]\nstep = 4\n")
    soc(mapped, "map")
    monkeypatch.setattr(blocks, "compute_tiles", None)
    [card] = mapped.root.glob(f"data/maps/*/{YEAR}/card.md")
    card.write_text("old")
    again = soc(mapped, "map")
    assert "Every map is fresh: nothing was computed." in again.output, again.output
    assert "| test split | " in card.read_text()
    assert "soc_map" in (said := soc(mapped, "status").output) and "1 of 1" in said
    mapped.set("step = 4", 'step = 4\noutputs = ["upper"]')
    assert "stale" in soc(mapped, "status").output
    assert soc(mapped, "run", "--to", "soc_map").exit_code == 0
    [folder] = mapped.root.glob(f"data/maps/*/{YEAR}")
    assert {path.stem for path in folder.glob("*.tif")} == {"organic_carbon", "quality", "upper"}


def test_map_at_samples_is_one_query(mapped):
    soc(mapped, "map", "--year", str(YEAR), "--step", "4")
    soc(mapped, "sql", "SELECT 1")
    with duckdb.connect(mapped.project.database, read_only=True) as connection:
        rows = connection.sql("SELECT * FROM map_at_samples").df()
        [(period, cells, folder)] = connection.sql("SELECT period, cells, folder FROM maps").fetchall()
    assert (period, cells) == (str(YEAR), 256)
    samples = mapped.table("samples").set_index("sample_id")
    assert set(rows["sample_id"]) <= set(samples.index) and len(rows) > 55
    with rasterio.open(f"{folder}/organic_carbon.tif") as dataset:
        x, y = rasterio.warp.transform("EPSG:4326", dataset.crs, rows["longitude"], rows["latitude"])[:2]
        expected = [value[0] for value in dataset.sample(zip(x, y, strict=True))]
    assert rows["predicted"].to_numpy() == pytest.approx(expected)
    assert (rows["residual"] == rows["predicted"] - rows["observed"]).all()


def test_maps_of_other_models_are_listed_and_removed_by_clean(mapped):
    soc(mapped, "map", "--year", str(YEAR), "--step", "4")
    [folder] = [path for path in mapped.root.glob("data/maps/*") if path.is_dir()]
    old = shutil.copytree(folder, folder.with_name("old"))
    update_collection(folder.parent)
    listed = soc(mapped, "clean").output
    assert re.search(rf"{folder.name} .*{YEAR} .* current", listed) and re.search(rf"old .*{YEAR} .* no", listed)
    assert old.is_dir() and "old/2014" in (folder.parent / "collection.json").read_text()
    cleaned = soc(mapped, "clean", "--keep-current", "--yes")
    assert "maps of 1 models" in cleaned.output, cleaned.output
    assert sorted(path.name for path in folder.parent.iterdir()) == sorted([folder.name, "collection.json"])
    assert "old/2014" not in (folder.parent / "collection.json").read_text()


@pytest.fixture
def changing(mapped) -> Iterator[SmallProject]:
    """A change is set."""
    text = mapped.config.read_text()
    mapped.config.write_text(f"{text.partition('[map]')[0]}\n[map]\nchanges = [[2013, {YEAR}]]\nstep = 8\n")
    yield mapped
    mapped.config.write_text(text)


def test_change_needs_both_maps_and_is_made_once(changing, monkeypatch):
    asked = ("map", "--change", "2013", str(YEAR))
    refused = soc(changing, *asked)
    assert refused.exit_code == 1
    assert (
        f"lacks that of 2013 (missing) and {YEAR} (stale): run `soc map --year 2013 --year {YEAR} --step 8` first"
        in (" ".join(refused.output.split()))
    )
    done = soc(changing, "run", "--to", "soc_map_change")  # both maps, and then their change
    assert done.exit_code == 0, done.output
    assert "soc_map_change" in (said := soc(changing, "status").output) and "2 of 2" in said
    [folder] = changing.root.glob(f"data/maps/*/change_2013_{YEAR}")
    shutil.rmtree(folder)
    monkeypatch.setattr(change_tiles, "compute_change", None)  # its tiles are kept
    done = soc(changing, *asked)
    assert done.exit_code == 0, done.output
    for words in (f"Change    {YEAR} minus 2013: 64 cells in 1 tile; missing", f"Change {YEAR} minus 2013: {folder}"):
        assert words in done.output
    assert "A static training set cannot prove change" in done.output
    assert "| test split | " in (folder / "card.md").read_text()
    facts = json.loads((folder / "change.json").read_text())
    assert (facts["members"], facts["beyond_uncertainty"]["3"]) == (0, 64)  # the documented network is a single one
    assert "Every change is fresh: nothing was computed." in soc(changing, *asked).output
    soc(changing, "sql", "SELECT 1")
    with duckdb.connect(changing.project.database, read_only=True) as connection:
        row = connection.sql("SELECT before, after, cells, cells_uncertain, folder FROM map_changes").fetchall()
    assert row == [("2013", str(YEAR), 64, 64, str(folder))]
    changing.set("step = 8", "step = 16")
    assert "stale" in soc(changing, "status").output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Which year? `soc map --year 2020`"),
        (("--year", "1990"), "No map of 1990: 25 of 26 images (96%) have no raster"),
        (("--year", "2014", "--season", "summer"), "reads no band by season"),
        (("--year", "2014", "--version", "77"), "soc_mlp has no version 77; there are 1."),
        (("--year", "2014", "--step", "0"), "0 is not in the range x>=1"),
        (("--change", "2014", "2014"), "a change needs two years, and 2014 is given twice"),
        (("--change", "2014", "2013"), "a change is later minus earlier: write the earlier year first, 2013 2014"),
        (("--change", "1990", "2014"), "No map of 1990"),
        (("--change", "2013", "2014", "--season", "summer"), "reads no band by season"),
    ],
)
def test_map_that_cannot_be_made_is_refused_at_once(finished, arguments, words):
    done = soc(finished, "map", *arguments)
    assert done.exit_code in (1, 2)
    assert words in " ".join(done.output.split())


def test_without_a_model_the_cure_is_named(fresh):
    done = soc(fresh, "map", "--year", "2014")
    assert done.exit_code == 1
    assert "run `soc run` first" in done.output
    fresh.config.write_text(fresh.config.read_text() + "\n[map]\ntile = 0\n")
    assert "map.tile: Input should be greater than or equal to 1" in soc(fresh, "map", "--year", "2014").output
