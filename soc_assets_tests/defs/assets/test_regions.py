"""Scores by region, from a file of polygons or without one, and what a changed file makes be done again."""

import duckdb
import geopandas
import pandas as pd
import pytest
import shapely

from soc_assets.defs.assets.evaluation_run import evaluation_metadata
from soc_assets.geo.named_polygons import quarters
from soc_assets.pipeline import freshness
from soc_assets.regression.evaluation.compare import load_design
from soc_assets_tests.small_project import SIZE, SmallProject, clean_environment, copy_of
from soc_assets_tests.small_world import ORIGIN, PIXEL, UTM

pytestmark = pytest.mark.usefixtures("undrawn")

SETTINGS = """
[evaluation]
schemes = ["block"]
models = ["ridge"]
feature_sets = ["point"]
documented = false
chosen = false
draws = 100
workers = 1
learning_curve = []
network_choices = 0
source_offsets = false

[[evaluation.recipes]]
name = "net"
hidden = [8]
epochs = 2
members = 2
"""
MIDDLE = SIZE * PIXEL / 2


def write_regions(made: SmallProject, east_of: float) -> None:
    """A western and a south-eastern polygon in Gauss-Krüger, parted so many metres east of the rasters' edge."""
    west, north = ORIGIN
    shapes = [
        shapely.box(west, north - 2 * MIDDLE, west + east_of, north),
        shapely.box(west + east_of, north - 2 * MIDDLE, west + 2 * MIDDLE, north - MIDDLE * 0.7),
    ]
    frame = geopandas.GeoDataFrame({"Bezirk": ["West", "South-east"]}, geometry=shapes, crs=UTM).to_crs("EPSG:31468")
    frame.to_file(made.root / "regions.gpkg")


@pytest.fixture(scope="module")
def evaluated(finished, tmp_path_factory) -> SmallProject:
    made = copy_of(finished, tmp_path_factory.mktemp("regions") / "project", SETTINGS)
    with clean_environment():
        assert made.run("evaluation").failures == []
    return made


def region_lines(made: SmallProject) -> pd.DataFrame:
    table = pd.read_parquet(made.project.results / "evaluation.parquet")
    return table[(table["scope"] == "region") & (table["model"] == "net")]


def by_hand(made: SmallProject, region: pd.Series) -> dict[str, tuple[int, float, float]]:
    """Samples, coverage and mean width of each region of 10 samples and more, from the out-of-fold predictions."""
    rows = pd.read_parquet(made.project.results / "out_of_fold.parquet").query("model == 'net'")
    rows = rows.assign(region=rows["sample_id"].map(region))
    covered = (rows["observed"] >= rows["lower"]) & (rows["observed"] <= rows["upper"])
    rows = rows.assign(covered=covered, width=rows["upper"] - rows["lower"])
    told = rows.groupby("region").agg(n=("covered", "size"), coverage=("covered", "mean"), width=("width", "mean"))
    return {name: tuple(row) for name, row in told[told["n"] >= 10].iterrows()}


def scored(made: SmallProject) -> dict[str, tuple[int, float, float]]:
    found = region_lines(made)
    wide = found.pivot(index="part", columns="metric", values="value").join(found.groupby("part")["n"].first())
    return {str(name): (row["n"], row["coverage"], row["width"]) for name, row in wide.iterrows()}


def assert_same(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for region, numbers in expected.items():
        assert found[region] == pytest.approx(numbers)


def test_without_a_file_there_are_scores_of_the_quarters(evaluated):
    samples = load_design(evaluated.project).samples
    quarter = pd.Series(quarters(samples["x"].to_numpy(), samples["y"].to_numpy()), samples["sample_id"])
    expected = by_hand(evaluated, quarter)
    assert len(expected) >= 2
    assert_same(scored(evaluated), expected)
    page = (evaluated.project.results / "evaluation.html").read_text()
    assert "Regions are quadrants, split" in page and "<h2>Prediction intervals</h2>" in page


def test_file_of_polygons_makes_the_evaluation_stale_and_refits_nothing(evaluated):
    project = evaluated.project
    fits = {path.name: path.stat().st_mtime_ns for path in (project.results / "fits").iterdir()}
    tables = {path: path.read_bytes() for path in project.results.glob("out_of_fold.parquet")}
    write_regions(evaluated, MIDDLE)
    settings = evaluated.config.read_text()
    evaluated.set("[evaluation]", '[evaluation]\nregions = "regions.gpkg"\nregion_column = "Bezirk"')
    for east_of in (MIDDLE, 1.3 * MIDDLE):
        write_regions(evaluated, east_of)
        states = {item.asset: item.state for item in freshness.assess_results(evaluated.project)}
        assert states["evaluation"] == states["baselines"] == "stale"
        assert evaluated.run("evaluation").failures == []
        assert evaluated.run("evaluation").launched == []
        assert {path.name: path.stat().st_mtime_ns for path in (project.results / "fits").iterdir()} == fits
        assert {path: path.read_bytes() for path in tables} == tables
        samples = load_design(evaluated.project).samples
        x, y = samples["x"] - ORIGIN[0], ORIGIN[1] - samples["y"]
        region = (
            pd.Series("West", samples.index).where(x < east_of, "South-east").where((x < east_of) | (y > 0.7 * MIDDLE))
        )
        expected = by_hand(evaluated, region.set_axis(samples["sample_id"]))
        assert "West" in expected
        assert_same(scored(evaluated), expected)
        outside = int(region.isna().sum())
        assert outside > 0
        words = f"{outside} of {len(samples)} samples lie in none of them"
        assert words in (project.results / "evaluation.html").read_text()
        assert words in evaluation_metadata(evaluated.project, "block")["regions"]
    with duckdb.connect(project.database, read_only=True) as connection:
        query = "SELECT DISTINCT part FROM evaluation WHERE scope = 'region' ORDER BY part"
        assert [row[0] for row in connection.execute(query).fetchall()] == sorted(expected)
    evaluated.config.write_text(settings)


def test_coverage_and_width_by_part_are_shown_in_the_ui(evaluated):
    metadata = evaluation_metadata(evaluated.project, "block")
    lines = [line for line in str(metadata["intervals"].value).splitlines() if "| net |" in line]
    for part in ("| pooled | all |", "| oc_stratum |", "| region |"):
        assert any(part in line for line in lines), part
    assert str(metadata["interval_bars"].value).startswith("![figure](data:image/png")


def test_file_that_cannot_be_used_is_told_before_anything_is_fitted(evaluated):
    project = evaluated.project
    folder, settings = project.results / "fits", evaluated.config.read_text()
    try:
        evaluated.set("[evaluation]", '[evaluation]\nseed = 7\nregions = "regions.gpkg"\nregion_column = "Kreis"')
        before = sorted(folder.iterdir())
        write_regions(evaluated, MIDDLE)
        [failure, *_] = evaluated.run("evaluation").failures
        assert "has no column 'Kreis'; it has Bezirk" in str(failure)
        assert sorted(folder.iterdir()) == before
    finally:
        evaluated.config.write_text(settings)
