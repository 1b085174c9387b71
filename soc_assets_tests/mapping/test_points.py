"""`soc predict`: every point has a number or a reason. The model is a stand-in that says the same of all."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from soc_assets.cli.main import main
from soc_assets.cli.prediction_report import report
from soc_assets.embedding.spec import all_specs, freeze
from soc_assets.embedding.spec_choices import choices_of
from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.mapping.points import Registered, faults_of, predict_points, predict_values, read_points
from soc_assets.storage import files
from soc_assets.tracking import registered as registry
from soc_assets_tests.small_project import SIZE, SmallProject, clean_environment, write_project
from soc_assets_tests.small_world import coordinates_of_pixels, reference_grid

PLACES = {
    "inside": (20, 30, "2013"),
    "right": (20, SIZE, "2013"),
    "below": (SIZE, 20, "2013"),
    "left": (20, -1, "2013"),
    "above": (-1, 20, "2013"),
    "no year": (20, 30, ""),
    "half": (20, 30, "2015.5"),
    "future": (20, 30, "2030"),
}


class Constant:
    def predict(self, features: np.ndarray) -> np.ndarray:
        assert np.isfinite(features).all()
        return np.tile(np.array([24.475, -2.3, 60.0, 0.212, 1.0], np.float32), (len(features), 1))


@pytest.fixture(scope="module")
def scanned(tmp_path_factory) -> SmallProject:
    """A project with a catalog and a frozen spec: what a prediction needs beside the model."""
    made = write_project(tmp_path_factory.mktemp("predicted"))
    with clean_environment():
        project = made.project
        catalog = scan_rasters(project.settings.rasters, project.rasters).frame
        files.write_table(project.catalog, catalog)
        freeze(project.embeddings, choices_of(project.settings, None), catalog, settle=lambda spec: "float32")
    return made


@pytest.fixture
def model(scanned) -> Registered:
    [spec] = all_specs(scanned.project.embeddings)
    return Registered(Constant(), "models:/m/1", spec.digest, "embedding", most_missing=1)


@pytest.fixture
def file(tmp_path):
    rows, columns, years = zip(*PLACES.values(), strict=True)
    longitude, latitude = coordinates_of_pixels(np.array(rows), np.array(columns), reference_grid(SIZE))
    table = pd.DataFrame({"name": list(PLACES), "lon": longitude, "lat": latitude, "year": years, "lower": "mine"})
    blank = pd.DataFrame({"name": ["blank"], "lon": [""], "lat": ["48"], "year": ["2013"], "lower": ["mine"]})
    pd.concat([table.astype(str), blank]).to_csv(tmp_path / "points.csv", index=False)
    return tmp_path / "points.csv"


def test_every_point_has_a_number_or_a_reason(scanned, model, file):
    points = read_points(file)
    table = predict_points(scanned.project, points, model).set_index("name")
    found = table.to_dict("index")
    assert [found["inside"][name] for name in ("predicted", "soc_lower", "upper", "applicable")] == [
        24.475,
        0,
        60,
        "yes",
    ]
    assert found["inside"]["missing_images"] == 1 and found["inside"]["reason"] == ""
    assert (table["model"] == "models:/m/1").all()  # also where it gives no number: it is the one that was asked
    assert (table["lower"] == "mine").all() and list(table.columns[:3]) == ["lon", "lat", "year"]
    for name in ("right", "below", "left", "above"):
        assert np.isnan(found[name]["predicted"]) and found[name]["reason"].startswith("outside the rasters: 1")
    assert found["half"]["reason"] == "no date: '2015.5' is neither a date nor a year"
    assert found["no year"]["reason"] == "no date: there is neither date nor year"
    assert found["blank"]["reason"] == "no coordinates: lon is empty"
    assert found["future"]["applicable"] == "no"
    assert found["future"]["reason"] == "images missing: 25 of 26, of training samples at most 1"
    said = "\n".join(report(points, predict_values(scanned.project, points, model), "m", reference_grid(SIZE)))
    assert "9 points by m: applicable 1, not applicable 1, unknown 0, without a prediction 7." in said
    assert "4 outside the rasters (first: row 3, outside the rasters: 1" in said
    assert "The file has columns lower: they stay, and the new ones are soc_lower." in said


def test_model_that_does_not_say_what_training_lacked_leaves_gaps_unknown(scanned, model, file):
    points = read_points(file)
    found = predict_values(scanned.project, points, replace(model, most_missing=None))
    assert found["applicable"].iloc[[0, 7]].tolist() == ["unknown", "unknown"]


def test_output_that_cannot_be_written_is_refused_before_anything_is_read(tmp_path):
    (tmp_path / "file").write_text("")
    command = ["predict", "no points.csv", "-o", str(tmp_path / "file/out.csv"), "--config", str(tmp_path / "no.toml")]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 1
    assert f"Cannot write {tmp_path / 'file/out.csv'}" in done.output
    assert "--output" in done.output


def test_command_says_where_no_point_is_predicted_and_suspects_exchanged_columns(scanned, model, file, monkeypatch):
    monkeypatch.setattr(registry, "load_registered", lambda tracking, number: model)
    command = ["predict", str(file), "--config", str(scanned.config)]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    table = pd.read_csv(file, dtype=str)
    table.head(1).rename(columns={"lon": "lat", "lat": "lon"}).to_csv(file, index=False)
    done = CliRunner().invoke(main, command)
    assert (done.exit_code, "No point could be predicted" in done.output) == (0, True)
    assert "1 of 1 would lie on the rasters with longitude and latitude exchanged" in done.output
    assert pd.read_csv(file.with_name("points_predicted.csv"))["predicted"].isna().all()
    file.write_text("lon,lat,year\n691000,5334000,2015\n")
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0
    assert (
        "Coordinates of 1 points are not in the CRS that they are read in; --crs EPSG:25832 would fit." in done.output
    )
    assert "are written as CSV" in CliRunner().invoke(main, [*command, "-o", "x.gpkg"]).output


def test_seasonal_bands_need_a_date_and_static_ones_none(tmp_path):
    (tmp_path / "p.csv").write_text("lon,lat,year,date\n10.6,48.7,2015,\n10.6,48.7,,2015-12-15\n10.6,48.7,,\n")
    rows = read_points(tmp_path / "p.csv").rename(columns=lambda name: name.removeprefix("_soc_assets."))
    rows = rows.loc[:, ~rows.columns.duplicated(keep="last")]

    def reasons(*kinds):
        spec: Any = SimpleNamespace(band_slots=[SimpleNamespace(kind=kind, lag=lag) for kind, lag in kinds])
        faults = [fault for fault in faults_of(rows, spec, reference_grid(SIZE)) if fault[0] == "no date"]
        return [bool(any(holds.iloc[n] for _, holds, _ in faults)) for n in range(3)]

    assert reasons(("static", None)) == [False, False, False]
    assert reasons(("static", None), ("yearly", 0)) == [False, False, True]
    assert reasons(("yearly", 0), ("seasonal", 0)) == [True, False, True]
    assert rows["season"].iloc[1] == "winter" and rows["season_year"].iloc[1] == 2016
