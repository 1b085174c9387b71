"""Where to sample next, by real models of a small region: with and without a map, and by point values."""

import json
from dataclasses import replace

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio

from soc_assets.errors import MapError
from soc_assets.mapping.assemble import assemble, map_folder
from soc_assets.mapping.engine.engines import engine_for, graph_of_model
from soc_assets.mapping.engine.space import space_of
from soc_assets.mapping.inputs import read_map_inputs
from soc_assets.mapping.lattice import Period
from soc_assets.mapping.rows import Predictor
from soc_assets.mapping.suggestion.inputs import suggestion_inputs
from soc_assets.mapping.suggestion.sites import COLUMNS, _reason, suggest_sites
from soc_assets.mapping.suggestion.squares import candidate_cells
from soc_assets.mapping.suggestion.write import write_suggestion
from soc_assets.mapping.tiles import write_tiles
from soc_assets.storage import files
from soc_assets_tests.mapping.small_maps import YEAR, inputs_of, registered_model, with_settings, write_region
from soc_assets_tests.small_project import SIZE, SmallProject, clean_environment
from soc_assets_tests.small_world import PIXEL, coordinates_of_pixels, reference_grid

PERIOD = Period(YEAR)


@pytest.fixture(scope="module")
def region(tmp_path_factory) -> SmallProject:
    """A catalogued region with 20 samples, all in its north-western quarter."""
    made = write_region(tmp_path_factory.mktemp("suggested"))
    rows, columns = np.random.default_rng(2).integers(0, SIZE // 2, (2, 20))
    longitude, latitude = coordinates_of_pixels(rows, columns, reference_grid(SIZE))
    table = pd.DataFrame({"sample_id": [f"s{i}" for i in range(20)], "longitude": longitude, "latitude": latitude})
    with clean_environment():
        files.write_table(made.project.samples("samples"), table)
    return made


@pytest.fixture(scope="module")
def registered(region):
    with clean_environment():
        return registered_model(region.project, "point")


@pytest.fixture(scope="module")
def suggested(region, registered):
    with clean_environment():
        return suggest_sites(inputs_of(region.project, registered), PERIOD, 8, most=100)


@pytest.mark.parametrize("documented", [False, True])
def test_distances_in_the_space_of_a_graph_are_its_dissimilarity(region, registered, documented):
    model = registered_model(region.project, "embedding", documented=True) if documented else registered
    predictor, space = Predictor(region.project, model), space_of(graph_of_model(model.model))
    assert space is not None
    rng = np.random.default_rng(0)
    longitude, latitude = coordinates_of_pixels(*rng.integers(20, SIZE, (2, 9)), reference_grid(SIZE))
    read = predictor.read(PERIOD.rows(np.array(longitude), np.array(latitude)))
    places = space.places(read.features)
    distance = np.linalg.norm(places[:, None] - space.seen, axis=2).min(axis=1) / space.mean_distance
    np.testing.assert_allclose(distance, predictor.predict(read).numbers[:, 3], rtol=1e-4)


def test_model_without_dissimilarity_has_no_space():
    assert space_of(None) is None


@pytest.mark.parametrize(("by", "said"), [("both", True), ("dissimilarity", False)])
def test_width_is_a_reason_only_where_it_counts(by, said):
    places = pd.DataFrame({"dissimilarity": np.linspace(0, 1, 20), "width": np.linspace(40, 10, 20)})
    site = {"applicable": "yes", "dissimilarity": 0.0, "novelty": 0.4, "width": 40.0}
    reason = _reason(site, places, by)
    assert ("widest interval" in reason) == said
    assert said or reason == "dissimilarity 0.40 from samples and earlier sites"


def test_sites_are_ranked_apart_and_say_why(suggested, region):
    sites, places = suggested.sites, suggested.places
    assert tuple(sites.columns) == COLUMNS
    assert sites["rank"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    score = places["dissimilarity"] * places["width"]
    assert sites.loc[0, ["x", "y"]].tolist() == places.loc[score.idxmax(), ["x", "y"]].tolist()
    assert sites["novelty"].iloc[0] == pytest.approx(sites["dissimilarity"].iloc[0], rel=1e-4)
    assert (sites["novelty"] <= sites["dissimilarity"] * 1.0001).all()
    assert suggested.apart == pytest.approx(np.sqrt((SIZE * PIXEL) ** 2 / 8) / 2, rel=0.01)
    x, y = sites[["x", "y"]].to_numpy().T
    apart = np.hypot(x[:, None] - x, y[:, None] - y)[np.triu_indices(8, 1)]
    assert apart.min() >= suggested.apart * 0.99
    assert (sites["reason"] != "").all()
    samples = suggested.samples
    nearest = np.hypot(x[:, None] - samples[:, 0], y[:, None] - samples[:, 1]).min(axis=1) / 1000
    np.testing.assert_allclose(sites["nearest_sample_km"], nearest, rtol=0.01)


def test_same_question_has_the_same_answer_and_distance_and_weight_change_it(region, registered, suggested):
    inputs = inputs_of(region.project, registered)
    again = suggest_sites(inputs, PERIOD, 8, most=100)
    pd.testing.assert_frame_equal(again.sites, suggested.sites)
    plain = suggest_sites(inputs, PERIOD, 8, "dissimilarity", 0.0, most=100)
    assert plain.sites.loc[0, "dissimilarity"] == plain.places["dissimilarity"].max()
    far = suggest_sites(inputs, PERIOD, 8, apart=9000.0, most=100)
    assert len(far.sites) < 8


def test_squares_are_compared_by_their_middle_or_by_what_a_map_says(region, registered):
    project = with_settings(region.project, map={"step": 2})
    inputs = read_map_inputs(project, registered, [PERIOD])
    rows, columns = candidate_cells(inputs, None, 64, True)
    assert len(rows) == 64
    middles = sorted({*range(1, 32, 4), *range(2, 32, 4)})
    assert set(rows) | set(columns) <= set(middles)
    list(write_tiles(inputs, inputs.keys, engine_for(inputs)))
    found = assemble(inputs, PERIOD)
    layers = {name: _band(found.folder / f"{name}.tif") for name in ("dissimilarity", "lower", "upper")}
    score = layers["dissimilarity"] * (layers["upper"] - layers["lower"])
    for by_width, expected in ((True, score), (False, layers["dissimilarity"])):
        rows, columns = candidate_cells(inputs, found, 64, by_width)
        squares = np.nan_to_num(expected, nan=-1).reshape(8, 4, 8, 4).max(axis=(1, 3)).ravel()
        np.testing.assert_allclose(expected[rows, columns], squares[squares >= 0])
    # the year and the step are those of the map
    same, period = suggestion_inputs(region.project, registered)
    assert (period, same.lattice.step) == (PERIOD, 2)
    with_map = suggest_sites(same, period, 5, most=64)
    assert with_map.facts["map"] == str(map_folder(inputs, PERIOD))
    assert len(with_map.sites) == 5


def _band(path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return np.ma.filled(dataset.read(1, masked=True).astype(float), np.nan)


def test_sites_lie_in_the_region_and_not_where_images_are_missing(region, registered, tmp_path):
    grid = reference_grid(SIZE)
    x, y = grid.transform * (0, 0)
    from shapely import box

    west = geopandas.GeoDataFrame(geometry=[box(x, y - SIZE * PIXEL, x + 16 * PIXEL, y)], crs=grid.crs)
    west.to_file(tmp_path / "west.geojson")
    project = with_settings(region.project, map={"region": str(tmp_path / "west.geojson")})
    found = suggest_sites(inputs_of(project, replace(registered, most_missing=1)), PERIOD, 6, most=100)
    assert found.places["x"].between(x, x + 16 * PIXEL).all()
    rows, columns = (y - found.places["y"]) / PIXEL, (found.places["x"] - x) / PIXEL
    hole = rows.between(8, 12) & columns.between(6, 14)  # two rasters have no value round here
    assert not hole.any() and (rows > 20).any()
    assert found.apart == pytest.approx(np.sqrt(16 * SIZE * PIXEL**2 / 6) / 2, rel=0.01)


def test_files_hold_the_sites(suggested, tmp_path):
    path = tmp_path / "made/here.csv"
    written = write_suggestion(suggested, path)
    assert [each.name for each in written] == ["here.csv", "here.geojson", "here.png"]
    table, points = pd.read_csv(path), geopandas.read_file(written[1])
    assert table["rank"].tolist() == points["rank"].tolist() == suggested.sites["rank"].tolist()
    np.testing.assert_allclose(table["x"], suggested.sites["x"], atol=1e-3)
    np.testing.assert_allclose(points.geometry.x, suggested.sites["longitude"], atol=1e-6)
    assert points.crs.to_epsg() == 4326
    assert json.loads(written[1].read_text())["features"][0]["properties"]["reason"] == table["reason"].iloc[0]
    assert written[2].read_bytes().startswith(b"\x89PNG")


def test_without_a_year_or_samples_the_cure_is_named(region, registered):
    other = replace(registered, files="of which there is no map")
    with pytest.raises(MapError, match=r"Which year\? `soc suggest --year 2020`"):
        suggestion_inputs(region.project, other)
    with pytest.raises(MapError, match="No map of 1990"):
        suggestion_inputs(region.project, other, 1990)
    bare = replace(registered, model=None)
    with pytest.raises(MapError, match="run `soc run` first"):
        suggest_sites(inputs_of(region.project, bare), PERIOD, 3)
