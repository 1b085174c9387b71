"""What the page's server answers, and what it refuses."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from soc_assets.project import load_project
from soc_assets.serving.app import POLICY
from soc_assets.serving.colours import colour
from soc_assets.serving.place import values_at
from soc_assets.storage import files
from soc_assets_tests.hostile import HTML
from soc_assets_tests.map_folder import DIGEST, plane, write_map
from soc_assets_tests.serving.asking import Page, address_of
from soc_assets_tests.small_project import copy_of
from soc_assets_tests.small_world import coordinates_of_pixels, reference_grid, samples_at

TILE = "{}/{}/{}.png".format(*address_of(12, 20, 20))


@pytest.fixture(scope="module")
def mapped(finished, tmp_path_factory):
    """The finished project with maps of three periods, of the spec that it has."""
    made = copy_of(finished, tmp_path_factory.mktemp("mapped") / "project", "")
    spec = next(made.project.embeddings.glob("*/spec.json")).parent.name
    for period in ("2014", "2015"):
        write_map(made.project.data, period, spec=spec, recipe="net")
    write_map(made.project.data, "2015", digest="0" * 16, model=HTML, spec="gone")
    return made


@pytest.fixture(scope="module")
def page(mapped):
    return Page(mapped.project)


def place_of(row: int, column: int) -> dict[str, float]:
    longitude, latitude = coordinates_of_pixels([row], [column], reference_grid())
    return {"longitude": longitude[0], "latitude": latitude[0]}


def test_page_and_its_files_are_there_under_a_policy_that_lets_nothing_out(page):
    for path, kind in (("/", "html"), ("/static/view.js", "javascript"), ("/static/leaflet.css", "css")):
        answer = page.ask(path)
        assert (answer.status, kind in answer.headers["content-type"]) == (200, True)
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert b"Volodymyr Agafonkin" in page.ask("/static/LICENSE.txt").body
    assert "http" not in POLICY and "unsafe" not in POLICY


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:3001", "127.0.0.1.evil.example", "", "localhost.evil:1"]
)
def test_other_host_names_are_refused(page, host):
    assert page.ask("/api/view", host=host).status == 421


@pytest.mark.parametrize("host", ["127.0.0.1:3001", "localhost:8080", "LOCALHOST", "[::1]:3001"])
def test_names_of_this_machine_are_answered(page, host):
    assert page.ask("/api/view", host=host).status == 200


def test_only_reading_is_possible(page):
    assert page.ask("/api/view", method="POST").status == 405


def test_view_lists_models_periods_layers_and_rasters(page):
    told = page.ask("/api/view").json
    assert {model["id"] for model in told["models"]} == {DIGEST, "0" * 16}
    model = next(each for each in told["models"] if each["id"] == DIGEST)
    assert [period["id"] for period in model["periods"]] == ["2014", "2015"]
    assert model["periods"][0]["layers"] == ["organic_carbon", "lower", "upper", "width", "dissimilarity", "quality"]
    assert model["title"] == "soc_mlp 3, net" and model["spans"]["lower"] == model["spans"]["organic_carbon"]
    rows, columns = np.mgrid[2:64, :64]
    inside = (columns < 60).sum() / rows.size
    assert model["periods"][0]["figures"]["applicable"] == pytest.approx(inside)
    assert model["periods"][0]["figures"]["mean"] == pytest.approx(plane(rows, columns).mean(), rel=1e-6)
    assert [band["title"] for band in told["rasters"]][:2] == ["Elevation", "LAI"]
    assert {band["unit"] for band in told["rasters"]} == {""}  # neither soc.toml nor the files say one
    assert [step["label"] for step in told["rasters"][1]["steps"]] == [str(year) for year in range(2008, 2016)]
    assert told["relief"] == told["rasters"][0]["steps"][0]["key"]


def test_card_of_a_map_is_shown_as_text(page, mapped):
    [folder] = mapped.project.data.glob(f"maps/{DIGEST}/2014")
    assert page.ask(f"/card/{DIGEST}/2014.md").status == 404
    (folder / "card.md").write_text(f"# Card\n{HTML}", encoding="utf-8")
    answer = page.ask(f"/card/{DIGEST}/2014.md")
    assert (answer.body.decode(), answer.headers["content-type"]) == (f"# Card\n{HTML}", "text/plain; charset=utf-8")
    told = next(model for model in page.ask("/api/view").json["models"] if model["id"] == DIGEST)
    assert [period["card"] for period in told["periods"]] == [True, False]
    (folder / "card.md").unlink()


def test_names_travel_as_data(page):
    answer = page.ask("/api/view")
    assert answer.headers["content-type"] == "application/json"
    assert HTML in next(model["title"] for model in answer.json["models"] if model["id"] == "0" * 16)


def test_tile_is_the_layer_in_its_colours(page):
    told = next(model for model in page.ask("/api/view").json["models"] if model["id"] == DIGEST)
    stamp = told["periods"][1]["stamp"]
    answer = page.ask(f"/tiles/map/{DIGEST}/2015/organic_carbon/{stamp}/{TILE}")
    shown = np.asarray(Image.open(io.BytesIO(answer.body)).convert("RGBA"))
    span, wanted = told["spans"]["organic_carbon"], set()
    for value in np.unique(plane(*np.mgrid[2:64, :64])):
        wanted.add(tuple(colour(np.array([[value]]), "carbon", *span).rgba[0, 0].tolist()))
    assert shown.shape == (256, 256, 4) and {tuple(each) for each in shown.reshape(-1, 4)} <= wanted | {(0, 0, 0, 0)}
    assert page.ask(f"/tiles/map/{DIGEST}/2015/hatched/{stamp}/{TILE}").status == 200
    beside = page.ask(f"/tiles/map/{DIGEST}/2015/quality/{stamp}/3/0/0.png")
    assert Image.open(io.BytesIO(beside.body)).convert("RGBA").getcolors() == [(1, (0, 0, 0, 0))]


def test_rasters_and_relief_have_tiles(page):
    told = page.ask("/api/view").json
    for path in (f"raster/{told['rasters'][1]['steps'][0]['key']}", f"relief/{told['relief']}"):
        answer = page.ask(f"/tiles/{path}/{TILE}")
        assert answer.status == 200
        assert np.asarray(Image.open(io.BytesIO(answer.body)).convert("RGBA"))[..., 3].max() == 255


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2Fapp.py",
        "/static/index.html",
        f"/tiles/map/{DIGEST}/../quality/x/1/0/0.png",
        f"/tiles/map/{DIGEST}/2013/quality/x/1/0/0.png",
        f"/tiles/map/{DIGEST}/2015/nothing/x/1/0/0.png",
        f"/tiles/map/{DIGEST}/2015/quality/x/1/2/0.png",
        "/tiles/map/..%2F..%2Fsoc.toml/2015/quality/x/1/0/0.png",
        "/tiles/raster/..%2F..%2Fsoc.toml/1/0/0.png",
        "/tiles/raster/%2Fetc%2Fpasswd/1/0/0.png",
        "/soc.toml",
        "/card/../soc.toml",
        f"/card/{DIGEST}/..%2F..%2Fsoc.md",
        f"/card/{DIGEST}/2013.md",
        "/api/at",
    ],
)
def test_nothing_else_has_an_address(page, path):
    answer = page.ask(path)
    assert answer.status == 404
    assert answer.headers["content-security-policy"] == POLICY


def test_place_has_the_values_of_its_cell_and_the_samples_around_it(page, mapped):
    told = page.ask("/api/at", model=DIGEST, period="2015", **place_of(20, 30)).json
    assert told["organic_carbon"] == pytest.approx(plane(20, 30))
    assert (told["lower"], told["upper"]) == (pytest.approx(plane(20, 30) / 2), pytest.approx(plane(20, 30) * 2))
    assert (told["applicable"], told["cell"]) == ("yes", [20, 30])
    assert told["quality"] == "inside the area of applicability"
    samples = mapped.table("samples")
    here = place_of(20, 30)
    apart = np.hypot(
        (samples["longitude"] - here["longitude"]) * np.cos(np.radians(here["latitude"])),
        samples["latitude"] - here["latitude"],
    )
    nearest = samples.loc[apart.idxmin()]
    assert told["nearest"][0]["longitude"] == pytest.approx(nearest["longitude"], abs=1e-6)
    assert told["nearest"][0]["distance_km"] == pytest.approx(np.radians(apart.min()) * 6371, rel=0.01, abs=2e-3)


@pytest.mark.parametrize(
    ("cell", "applicable", "words"),
    [((20, 62), "no", "outside the area of applicability"), ((1, 30), None, "outside the region")],
)
def test_place_says_why_not_to_trust_it(page, cell, applicable, words):
    told = page.ask("/api/at", model=DIGEST, period="2015", **place_of(*cell)).json
    assert (told["applicable"], told["quality"]) == (applicable, words)
    assert (told["organic_carbon"] is None) == (applicable is None)


def test_place_outside_the_map_and_numbers_that_are_no_place(page):
    told = page.ask("/api/at", model=DIGEST, period="2015", longitude=0, latitude=0).json
    assert (told["organic_carbon"], told["cell"], told["quality"]) == (None, None, "outside the map")
    for longitude in ("nan", "inf", "1e9", "x", ""):
        assert page.ask("/api/at", model=DIGEST, period="2015", longitude=longitude, latitude=1).status == 404


def test_inputs_are_those_of_the_sample_that_was_taken_there(page, mapped):
    """At a sample's place and in its year the model sees what the sample's own point values hold."""
    rows = mapped.embeddings()
    of_2015 = rows[rows["year"] == 2015].iloc[0]
    place = {"longitude": of_2015["longitude"], "latitude": of_2015["latitude"]}
    told = page.ask("/api/inputs", model=DIGEST, period="2015", **place).json
    spec = json.loads(next(mapped.project.embeddings.glob("*/spec.json")).read_text())
    values = [(each["band"], each["step"], each["value"]) for each in told["inputs"]]
    assert len(values) == 26
    for (band, step, value), (key, points) in zip(values, of_2015["point_values"], strict=True):
        known = spec["statistics"][band]
        assert key == f"{band}_{step}" if step else key == band
        assert (value is None) == (points is None)
        if value is not None:
            assert (value - known["mean"]) / known["std"] == pytest.approx(points[0], abs=1e-4)
    assert told["similar"][0]["difference"] == pytest.approx(0, abs=1e-4)
    assert [row["difference"] for row in told["similar"]] == sorted(row["difference"] for row in told["similar"])


def test_model_whose_spec_is_gone_has_no_inputs(page):
    assert page.ask("/api/inputs", model="0" * 16, period="2015", **place_of(20, 30)).json == {
        "inputs": [],
        "similar": [],
    }


def test_samples_have_what_was_measured_and_the_residual_of_the_newest_model(page, mapped):
    told = page.ask("/api/samples", model=DIGEST, period="2015").json
    table = mapped.table("samples")
    assert told["columns"]["value"] == table["organic_carbon"].round(3).tolist()
    predictions = pd.read_parquet(mapped.project.results / "predictions.parquet").set_index("sample_id")
    known = [number for number, value in enumerate(told["columns"]["residual"]) if value is not None]
    assert len(known) == len(predictions) > 0
    for number in known[:5]:
        row = predictions.loc[told["columns"]["id"][number]]
        assert told["columns"]["residual"][number] == pytest.approx(row["observed"] - row["predicted"], abs=1e-3)
    assert "newest model" in told["residual_of"]


def test_map_made_again_is_seen_and_a_damaged_one_is_named(mapped, tmp_path):
    made = copy_of(mapped, tmp_path / "project", "")
    page = Page(load_project(made.config))
    stamps = [model["periods"][-1]["stamp"] for model in page.ask("/api/view").json["models"]]
    write_map(made.project.data, "2012")
    again = page.ask("/api/view").json["models"]
    assert [period["id"] for period in again[0]["periods"]] == ["2012", "2014", "2015"]
    assert {model["periods"][-1]["stamp"] for model in again} == set(stamps)
    (made.project.data / "maps" / DIGEST / "2012" / "lower.tif").write_bytes(b"II*\0 broken")
    answer = page.ask("/api/at", model=DIGEST, period="2012", **place_of(20, 30))
    assert answer.status == 500 and "lower.tif cannot be read" in answer.json["error"]


def test_values_of_a_map_in_degrees(tmp_path):
    from rasterio import CRS
    from rasterio.transform import from_origin

    from soc_assets.geo.grid import Grid
    from soc_assets.serving.maps import find_maps

    grid = Grid(CRS.from_epsg(4326), from_origin(10, 50, 0.01, 0.01), 40, 30)
    write_map(tmp_path, "2015_summer", grid=grid)
    found = find_maps(tmp_path)[DIGEST, "2015_summer"]
    assert (found.year, found.season) == (2015, "summer")
    assert values_at(found, 10.155, 49.825)["organic_carbon"] == pytest.approx(plane(17, 15))


def test_samples_without_dates_and_projects_without_rasters(tmp_path):
    """Static bands alone need no date, and a map may be looked at where its rasters are no longer."""
    (tmp_path / "soc.toml").write_text("")
    project = load_project(tmp_path / "soc.toml")
    write_map(project.data, "2015")
    table = samples_at(range(5, 25), range(15, 35), [2015] * 20, reference_grid())
    undated = table.assign(year=pd.array([None] * 20, "Int32"), season=None, survey_date=pd.NaT)
    files.write_table(project.samples("samples"), undated)
    page = Page(project)
    view, samples = page.ask("/api/view").json, page.ask("/api/samples", model=DIGEST, period="2015").json
    assert (view["rasters"], view["relief"]) == ([], None)
    assert samples["columns"]["year"] == [None] * 20 and samples["residual_of"] == ""
    assert page.ask("/api/at", model=DIGEST, period="2015", **place_of(6, 16)).json["nearest"][0]["year"] is None


def test_layers_without_any_value_are_not_offered_and_head_has_the_figures_of_the_map(tmp_path):
    (tmp_path / "soc.toml").write_text("")
    project = load_project(tmp_path / "soc.toml")
    carbon = {"count": 4000, "mean": 21.5, "quantiles": {"0.05": 3.5, "0.5": 20, "0.95": 44}}
    write_map(project.data, "2015", statistics={"organic_carbon": carbon, "dissimilarity": {"count": 0}})
    told = Page(project).ask("/api/view").json["models"][0]["periods"][0]
    assert told["layers"] == ["organic_carbon", "lower", "upper", "width", "quality"]
    figures = {name: told["figures"][name] for name in ("mean", "low", "high")}
    assert figures == {"mean": 21.5, "low": 3.5, "high": 44}
    assert told["figures"]["applicable"] == pytest.approx(62 * 60 / 4000)
