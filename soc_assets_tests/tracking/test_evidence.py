"""What is known of a registered model, for the card of its maps: its samples, and its scores with intervals."""

import numpy as np
import pandas as pd
import pytest

from soc_assets.errors import SocWarning
from soc_assets.integrity.schemas.results import EVALUATION
from soc_assets.regression.evaluation.bootstrap import Draws, intervals
from soc_assets.regression.inputs import evaluation_inputs, model_inputs
from soc_assets.storage import files
from soc_assets.tracking.evidence import evidence_of
from soc_assets.tracking.registered import describe_registered
from soc_assets.tracking.store import tracking_of
from soc_assets_tests.small_project import SmallProject, model_record


def known(made: SmallProject):
    project = made.project
    tracking = tracking_of(project)
    return evidence_of(project, tracking, describe_registered(tracking, None))


def test_samples_are_those_of_the_fit_and_the_test_split_has_the_scores_of_its_run(finished):
    found, splits = known(finished), finished.table("balanced")["split"].value_counts()
    assert {split: sum(each.splits.get(split, 0) for each in found.campaigns) for split in found.splits} == dict(splits)
    assert sum(sum(each.splits.values()) for each in found.campaigns) == 60
    samples = finished.table("samples").set_index("sample_id").loc[finished.table("balanced")["sample_id"]]
    assert {each.source for each in found.campaigns} == set(samples["source"])
    assert min(each.year_from or 0 for each in found.campaigns) == 2012
    assert max(each.year_to or 0 for each in found.campaigns) == 2015
    [score] = found.scores
    metrics = model_record(finished).metrics
    assert (score.by, score.n, score.units, score.level) == ("test split", splits["test"], "locations", 0.9)
    for name in ("r2", "rmse"):
        value, low, high = getattr(score, name)
        assert value == pytest.approx(metrics[f"test_{name}"]) and low <= value <= high and low < high
    predictions = pd.read_parquet(finished.project.results / "predictions.parquet").query("split == 'test'")
    assert score.coverage == pytest.approx(
        predictions["observed"].between(predictions["lower"], predictions["upper"]).mean()
    )


def test_scores_by_folds_are_those_of_the_recipe_in_an_evaluation_of_the_same_features(templates, tmp_path):
    made = templates.copy("finished", tmp_path / "project")
    own = {"scheme": "block", "model": "mlp_documented", "features": "embedding", "scope": "pooled", "scale": "g/kg"}
    rows = [own | {"metric": name, "value": value, "low": value - 0.1, "high": value + 0.1} for name, value in FOUND]
    rows += [rows[0] | {"model": "ridge", "value": 0.9}, rows[0] | {"scope": "fold", "value": 0.8}]
    table = pd.DataFrame(rows).assign(part="", n=48, failed=0, baseline=False)[list(EVALUATION.names)]
    path = made.project.results / "evaluation.parquet"
    files.write_table(path, table, {files.INPUTS: evaluation_inputs(made.project)})
    scores = known(made).scores
    assert [each.by for each in scores] == ["test split", "block folds"]
    assert (scores[1].n, scores[1].coverage) == (48, 0.88)
    assert scores[1].r2 == pytest.approx((0.31, 0.21, 0.41))
    files.write_table(path, table, {files.INPUTS: "of other features"})
    assert [each.by for each in known(made).scores] == ["test split"]


def test_level_is_that_of_the_fit_and_another_one_wants_another_fit(templates, tmp_path):
    made = templates.copy("finished", tmp_path / "project")
    before = model_inputs(made.project)
    made.config.write_text(made.config.read_text() + "\n[evaluation]\nlevel = 0.8\n")
    assert made.project.settings.evaluation.level == 0.8
    assert describe_registered(tracking_of(made.project), None).level == known(made).scores[0].level == 0.9
    assert model_inputs(made.project) != before


def test_interval_of_the_test_split_draws_linked_locations(templates, tmp_path):
    made = templates.copy("finished", tmp_path / "project")
    [before] = known(made).scores
    path = made.project.samples("balanced")
    samples = files.read_table(path)
    linked = samples.assign(
        location_id=samples["location_id"].astype(str).where(np.arange(len(samples)) % 3 > 0, "one place")
    )
    files.write_table(path, linked)
    [after] = known(made).scores
    rows = pd.read_parquet(made.project.results / "predictions.parquet").query("split == 'test'")
    units = linked.set_index("sample_id").loc[rows["sample_id"], "location_id"].to_numpy(object)
    assert 1 < len(set(units)) < len(units)
    settings = made.project.settings.evaluation
    observed, predicted = rows["observed"].to_numpy(float), rows["predicted"].to_numpy(float)
    wanted = intervals(observed, predicted, Draws.of(units, settings.seed, settings.draws))
    assert after.r2[1:] == pytest.approx(tuple(wanted["r2"]), rel=1e-4) != before.r2[1:]


def test_damaged_or_repeated_samples_cost_no_map(templates, tmp_path):
    made = templates.copy("finished", tmp_path / "project")
    before = known(made)
    path = made.project.samples("balanced")
    table = files.read_table(path)
    files.write_table(path, pd.concat([table, table.head(1)], ignore_index=True))
    assert known(made) == before
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.warns(SocWarning, match="is damaged"):
        found = known(made)
    assert found.campaigns == before.campaigns and found.scores[0].r2[0] == before.scores[0].r2[0]


FOUND = (("r2", 0.31), ("rmse", 9.5), ("coverage", 0.88))
