"""The evaluation from `soc run` to MLflow, the champion, serving and predicting, on one small project."""

import html
import json
import re
from pathlib import Path

import duckdb
import mlflow
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from soc_assets.cli.main import main
from soc_assets.cli.runner import Outcome
from soc_assets.defs.assets.evaluation_run import evaluation_metadata
from soc_assets.errors import SocWarning
from soc_assets.pipeline import freshness
from soc_assets.pipeline.publication import write_figures
from soc_assets.project import Project
from soc_assets.regression.evaluation.supplement import NAMES
from soc_assets.regression.inputs import model_inputs
from soc_assets.storage import files, vouching
from soc_assets.tracking.champion import promote
from soc_assets.tracking.run import RunRecord
from soc_assets.tracking.store import tracking_of
from soc_assets_tests import figures
from soc_assets_tests.model_server import HOSTILE, ask, refused, serving
from soc_assets_tests.small_project import QUICK_EVALUATION, SmallProject, clean_environment

SUPPLEMENTED = QUICK_EVALUATION.replace("learning_curve = []", "learning_curve = [0.5]").replace(
    "network_choices = 0\nsource_offsets = false", "network_choices = 1"
)
SETTINGS = f"""{SUPPLEMENTED}
[[evaluation.candidates]]
name = "more"
hidden = [8]
epochs = 12
members = 2
features = "point:1:3"
"""


@pytest.fixture(scope="module")
def evaluated(templates, tmp_path_factory) -> SmallProject:
    """A project with the documented MLP, after `soc run --to evaluation` and a recipe trained after it."""
    made = templates.copy("finished", tmp_path_factory.mktemp("evaluated") / "project")
    made.config.write_text(made.config.read_text() + SETTINGS)
    with clean_environment():
        first = made.run("evaluation")
        assert first.failures == []
        assert first.launched[-1] == "evaluate"
        assert made.run() == Outcome([], [])
        made.set("[training]", '[training]\nrecipe = "chosen"')
        assert made.run().failures == []
    return made


def client_of(made: SmallProject) -> mlflow.MlflowClient:
    return tracking_of(made.project).client()


def test_second_run_evaluates_nothing(evaluated):
    assert evaluated.run("evaluation").launched == []
    states = {item.asset: item.state for item in freshness.assess_results(evaluated.project)}
    others = ("hyperparameters", "encoder_comparison", "pretrained_encoder")
    assert states == {"baselines": "fresh", "evaluation": "fresh", **dict.fromkeys(others, "missing")}


def test_tables_report_and_views_are_there(evaluated):
    results = evaluated.project.results
    table = pd.read_parquet(results / "evaluation.parquet")
    assert set(table["model"]) == {"mean", "coordinates", "ridge", "mlp_documented", "mlp_chosen"}
    assert set(table["scheme"]) == {"block", "location"}
    page = (results / "evaluation.html").read_text()
    assert "weights: random" in page and "https://" not in page
    source, scored = (results / "evaluation.qmd").read_text(), re.search(r"[\d,]+ of [\d,]+ are scored", page)
    assert scored and scored[0] in source
    assert {path.stem for path in (results / "figures").glob("*.png")} == set(re.findall(r"figures/(\w+)\.png", source))
    assert {"evaluation.html", "evaluation.qmd"} <= set(vouching.vouched(results / "evaluation.parquet") or ())
    pooled = table[(table["scope"] == "pooled") & (table["model"] == "ridge")]
    assert {"medae", "r2_log"} <= set(pooled.loc[pooled["low"].notna(), "metric"])
    ceiling = json.loads(files.read_metadata(results / "evaluation.parquet")["soc.ceiling"])
    assert html.escape(ceiling["words"]).replace("&#x27;", "&#39;") in page and ceiling["limits"]
    with duckdb.connect(evaluated.project.database, read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM evaluation").fetchall() == [(len(table),)]
        tested = "SELECT count(*) FROM out_of_fold JOIN samples USING (sample_id) WHERE split = 'test'"
        assert connection.execute(tested).fetchall() == [(0,)]


def test_supplementary_analyses_are_tables_views_and_figures(evaluated):
    results = evaluated.project.results
    with duckdb.connect(evaluated.project.database, read_only=True) as connection:
        shares = connection.execute("SELECT share, failed FROM learning_curve ORDER BY share").fetchall()
        sources = connection.execute("SELECT source FROM source_offsets ORDER BY n").fetchall()
        choices = connection.execute("SELECT choice FROM network_choices WHERE r2 IS NOT NULL").fetchall()
        [(models,)] = connection.execute("SELECT count(DISTINCT model) FROM highest_values").fetchall()
    assert shares == [(0.5, 0), (1.0, 0)]
    assert sources[-1] == ("all",) and len(sources) == 3
    assert [choice for (choice,) in choices] == ["as documented", "target", "weight decay", "split", "features"]
    assert models == 5
    assert {"learning_curve.png", "source_offsets.png", "network_choices.png"} <= {
        path.name for path in (results / "figures").iterdir()
    }
    shown = evaluation_metadata(evaluated.project, "block")
    assert {f"{name}_table" for name in NAMES} <= set(shown)
    path = results / "learning_curve.parquet"
    content = path.read_bytes()
    path.unlink()
    [state] = [item.state for item in freshness.assess_results(evaluated.project) if item.asset == "evaluation"]
    path.write_bytes(content)
    assert state == "stale"


def test_figures_of_the_report_are_drawn_for_print_from_what_is_on_disk(evaluated, tmp_path):
    results = evaluated.project.results
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    with clean_environment(), figures.undrawn():
        written = write_figures(evaluated.project, tmp_path / "out", ("png",), ("evaluation",))
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*")} == before  # nothing was fitted
    report = {f"evaluation_{path.stem}" for path in (results / "figures").glob("*.png")}
    assert {path.stem for path in written} == {*report, "captions"}
    assert "R2 of the pooled out-of-fold predictions" in written[-1].read_text()


def test_figures_of_an_evaluation_of_other_settings_are_not_drawn(evaluated, tmp_path):
    settings = evaluated.project.settings
    other = settings.evaluation.model_copy(update={"seed": 43})
    project = Project(evaluated.root, settings.model_copy(update={"evaluation": other}))
    words = "evaluation.parquet is not of the inputs and settings of now"
    with figures.undrawn(), pytest.warns(SocWarning, match=words):
        written = write_figures(project, tmp_path, ("png",), ("evaluation", "samples"))
    assert not any("evaluation" in path.name for path in written)


def test_mlflow_has_a_parent_with_a_child_for_every_fit(evaluated):
    client = client_of(evaluated)
    experiment = client.get_experiment_by_name("soc").experiment_id
    [parent] = client.search_runs([experiment], "tags.`soc.kind` = 'evaluation'")
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'", max_results=500)
    fits = len(list((evaluated.project.results / "fits").glob("*.parquet")))
    assert len(children) == fits == int(parent.data.params["fits"])
    ridge = "tags.`soc.model` = 'ridge' and tags.`soc.scheme` = 'block'"
    assert len(client.search_runs([experiment], ridge)) == 5
    assert {item.dataset.name for item in parent.inputs.dataset_inputs} == {"embedding", "point", "coordinates"}
    assert parent.data.tags["soc.verdict.block"]
    assert {"block.ridge.point.r2", "block.ridge.point.medae", "block.ridge.point.r2_log"} <= set(parent.data.metrics)


def test_recipe_is_registered_with_card_and_decision(evaluated):
    project, client = evaluated.project, client_of(evaluated)
    record = tracking_of(project).find_run(model_inputs(project))
    assert record is not None
    assert record.params["fit.recipe"] in ("few", "more")
    card = (record.artifacts.folder / "model_card.md").read_text()
    for words in (
        "Test split, predicted once",
        "By block folds",
        "Peat",
        "Extrapolation",
        "weights of the embedding: random",
    ):
        assert words in card
    decision = client.get_model_version(record.model_name, record.model_version).tags["soc.champion_decision"]
    assert "became champion" in decision.lower() or "become champion" in decision
    assert {"importance_band", "partial_dependence", "observed_predicted"} <= set(record.figures)


def test_champion_moves_only_beyond_the_interval(evaluated, monkeypatch):
    """Out-of-fold predictions decide: noise does not win, the truth does, and nothing beats the truth."""
    project, tracking, client = evaluated.project, tracking_of(evaluated.project), client_of(evaluated)
    path = project.results / "out_of_fold.parquet"
    before, record = pd.read_parquet(path), tracking.find_run(model_inputs(project))
    assert record is not None
    own = (before["model"] == "mlp_chosen").to_numpy()
    rng = np.random.default_rng(0)
    try:
        for name in client.get_registered_model(record.model_name).aliases:
            client.delete_registered_model_alias(record.model_name, name)
        noise = before["observed"].mean() + rng.normal(0, 30, len(before))
        _publish(path, before.assign(predicted=before["predicted"].where(~own, noise)))
        assert promote(project, tracking, record).startswith("Did not become champion")
        truth = before["observed"] + rng.normal(0, 0.01, len(before))
        _publish(path, before.assign(predicted=before["predicted"].where(~own, truth)))
        assert promote(project, tracking, record).startswith("Became champion")
        assert client.get_model_version_by_alias(record.model_name, "champion").version == int(record.model_version)
        other = tracking.find_run(model_inputs(_documented(project)))
        assert other is not None
        assert "against the champion (version 2)" in promote(_documented(project), tracking, other)
        assert client.get_model_version_by_alias(record.model_name, "champion").version == int(record.model_version)
    finally:
        _publish(path, before)
        client.delete_registered_model_alias(record.model_name, "champion")


def _publish(path: Path, frame: pd.DataFrame) -> None:
    """Write out-of-fold predictions as an evaluation does: evaluation.parquet, written last, vouches for them."""
    table = path.with_name("evaluation.parquet")
    beside = [table.parent / name for name in vouching.vouched(table) or ()]
    files.write_table(path, frame, files.read_metadata(path))
    vouched = vouching.vouch(table, beside)
    files.write_table(table, files.read_table(table), {**files.read_metadata(table), **vouched})


def _documented(project):
    from dataclasses import replace

    training = project.settings.training.model_copy(update={"recipe": "documented"})
    return replace(project, settings=project.settings.model_copy(update={"training": training}))


def test_served_model_answers_with_prediction_and_interval(evaluated):
    project = evaluated.project
    record = tracking_of(project).find_run(model_inputs(project))
    assert record is not None
    from soc_assets.regression.evaluation.compare import load_design
    from soc_assets.regression.final import raw_features

    design = load_design(project)
    rows = np.flatnonzero(design.samples["split"] == "test")[:3]  # stored predictions of others are of inner folds
    x = raw_features(design, record.params["fit.features"], rows)
    with serving(project, record.model_uri) as port:
        answer = ask(port, x)
        strange = {name: refused(port, x, number) for name, number in HOSTILE.items()}
    for name, (status, text) in strange.items():
        assert status == 400 and (name == "a word" or "Refused: a row of the inputs" in text), name
    assert "could not convert string to float: 'abc'" in strange["a word"][1]
    stored = pd.read_csv(record.artifacts.folder / "tables" / "predictions.csv").iloc[rows]
    np.testing.assert_allclose(answer[:, :3], stored[["predicted", "lower", "upper"]], rtol=1e-3, atol=1e-3)
    assert (answer[:, 1] <= answer[:, 2]).all()


def test_points_are_predicted_as_the_samples_at_the_same_places(evaluated, tmp_path):
    record = tracking_of(evaluated.project).find_run(model_inputs(evaluated.project))
    assert record is not None
    assert_predicts_its_test_samples(evaluated, record, tmp_path)


def assert_predicts_its_test_samples(made: SmallProject, record: RunRecord, folder: Path) -> None:
    """`soc predict` says of the places of test samples what the run says of these, and nothing of a place far away."""
    balanced = made.table("balanced")
    tested = balanced.loc[balanced["split"] == "test", ["sample_id"]]
    samples = made.table("samples").merge(tested, on="sample_id").head(5)
    table = samples[["sample_id", "longitude", "latitude", "survey_date"]].rename(columns={"sample_id": "name"})
    far = pd.DataFrame({"name": ["far"], "longitude": [30.0], "latitude": [10.0], "survey_date": ["2013-07-01"]})
    pd.concat([table.astype(str), far.astype(str)]).to_csv(folder / "points.csv", index=False)
    done = CliRunner().invoke(
        main, ["predict", str(folder / "points.csv"), "--config", str(made.config), "--version", record.model_version]
    )
    assert done.exit_code == 0, done.output
    found = pd.read_csv(folder / "points_predicted.csv")
    stored = pd.read_csv(record.artifacts.folder / "tables" / "predictions.csv").set_index("sample_id")
    expected = stored.loc[samples["sample_id"], ["predicted", "lower", "upper"]]
    np.testing.assert_allclose(found.loc[:4, ["predicted", "lower", "upper"]], expected, rtol=2e-3, atol=2e-2)
    assert found["name"].tolist() == [*samples["sample_id"], "far"]
    assert set(found.loc[:4, "applicable"]) <= {"yes", "no"} and found.loc[:4, "dissimilarity"].notna().all()
    assert np.isnan(found["predicted"].iloc[5])


def test_documented_mlp_says_where_it_is_applicable(evaluated, tmp_path):
    record = tracking_of(evaluated.project).find_run(model_inputs(_documented(evaluated.project)))
    assert record is not None
    assert "principal components of its standardised features" in record.params["fit.dissimilarity"]
    assert_predicts_its_test_samples(evaluated, record, tmp_path)


def test_baseline_is_registered_under_its_name_on_the_leaderboard(evaluated, tmp_path):
    """Coordinates are a forest, and the simplest model there is: only the mean is left for it to beat."""
    evaluated.set('recipe = "chosen"', 'recipe = "coordinates on coordinates"')
    try:
        with figures.undrawn():
            assert evaluated.run().failures == []
        record = tracking_of(evaluated.project).find_run(model_inputs(evaluated.project))
        assert record is not None
        assert (record.params["fit.kind"], record.params["fit.features"]) == ("random_forest", "coordinates")
        version = client_of(evaluated).get_model_version(record.model_name, record.model_version)
        decision = version.tags["soc.champion_decision"]
        assert "against the baseline coordinates" not in decision and "champion: by" in decision
        assert_predicts_its_test_samples(evaluated, record, tmp_path)
    finally:
        evaluated.set('recipe = "coordinates on coordinates"', 'recipe = "chosen"')


def test_points_without_coordinates_are_told(evaluated, tmp_path):
    (tmp_path / "points.csv").write_text("x,y\n1,2\n")
    done = CliRunner().invoke(main, ["predict", str(tmp_path / "points.csv"), "--config", str(evaluated.config)])
    assert done.exit_code == 1
    assert "no column for longitude and latitude; found x, y" in done.output


def test_search_of_hyperparameters_makes_a_recipe_that_can_be_trained(evaluated):
    assert evaluated.run("hyperparameters").launched == ["tune"]
    told = json.loads((evaluated.project.results / "hyperparameters.json").read_text())
    assert told["recipe"]["name"] == "tuned"
    assert len(pd.read_parquet(evaluated.project.results / "hyperparameters.parquet")) == 2
    assert evaluated.run("hyperparameters").launched == []
