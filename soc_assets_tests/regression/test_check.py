"""Scores that cannot be true are errors, a model that has learnt nothing is a warning."""

import pandas as pd
import pytest

from soc_assets.regression.check import check_evaluation, check_fits, check_run, check_search

GOOD = {
    **{
        f"{split}_{name}": value
        for split in ("train", "validation", "test")
        for name, value in (("n", 50), ("r2", 0.3))
    },
    **{f"{split}_rmse": 12.0 for split in ("train", "validation", "test")},
    "baseline_test_rmse": 15.0,
    "loss_growth": 0.1,
}


def found(best_epoch: int = 3, **changed) -> list[tuple[str, str]]:
    metrics = {name: value for name, value in {**GOOD, **changed}.items() if value is not None}
    return [(finding.check, finding.found) for finding in check_run("run 1", metrics, best_epoch, "random (seed 42)")]


def test_plausible_scores_pass():
    assert found() == []
    assert found(test_r2=-0.4) == []  # poor, and possible
    assert found(test_n=0, test_rmse=None, test_r2=None, baseline_test_rmse=None) == []  # no test split
    assert found(validation_r2=None) == []  # undefined where all observations are equal


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"test_rmse": None}, "its RMSE on the test split is not finite"),
        ({"train_rmse": 0.0}, "predictions without any error do not occur"),
        ({"validation_rmse": 4e6}, "more than pure carbon has"),
        ({"test_r2": 1.01}, "cannot exceed 1"),
        ({"loss_growth": 121.0}, "the loss of its last epoch is 121 times that of the first"),
        ({"best_epoch": 0}, "its best epoch is 0"),
    ],
)
def test_scores_that_cannot_be_true_are_errors(changed, words):
    [(check, told)] = found(**changed)
    assert check == "metrics_sane"
    assert words in told


def test_model_that_is_no_better_than_the_mean_is_a_warning_with_both_numbers_and_the_weights():
    [finding] = check_run("run 1", {**GOOD, "test_rmse": 15.0}, 3, "random (seed 42)")
    assert (finding.check, finding.severity) == ("better_than_mean", "warning")
    assert "15.00 g/kg, that of the training split's mean 15.00 g/kg" in finding.words
    assert "random (seed 42)" in finding.words


def board(*rows: tuple[str, bool, float, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["model", "baseline", "r2", "failed"]).assign(features="point")


def intervals(low: float, high: float) -> pd.DataFrame:
    line = {"model": "mlp", "features": "point", "scope": "pooled", "part": "all", "coverage": (low + high) / 2}
    part = {**line, "scope": "region", "part": "west", "coverage_low": 0.1, "coverage_high": 0.2}
    return pd.DataFrame([part, {**line, "coverage_low": low, "coverage_high": high}])


HOLD = intervals(0.88, 0.93)
NONE = HOLD.head(0)
MLP = "MLP ensemble on point values"
MEAN = ("mean", True, -0.01, 0)


def told(scores: pd.DataFrame, cover: pd.DataFrame = HOLD) -> tuple[list[tuple[str, str]], dict[str, str]]:
    findings, said = check_evaluation("evaluation.parquet", scores, cover, 0.9)
    return [(each.check, each.found) for each in findings], said


def test_comparison_with_a_model_ahead_and_intervals_that_hold_passes_and_says_by_how_much():
    found, said = told(board(("mlp", False, 0.5, 0), ("ridge", True, 0.4, 0), MEAN))
    assert found == []
    assert said["no_baseline_wins"] == f"{MLP}: R2 0.500; the best baseline, Ridge regression on point values: 0.400."
    assert said["intervals_cover"].startswith(
        f"{MLP}: its 90 % intervals cover 0.905 of the samples (95 % interval 0.880"
    )


@pytest.mark.parametrize("r2", [0.5, 0.6])
def test_baseline_that_is_as_good_or_better_is_named(r2):
    [(check, words)], _ = told(board(("kriging", True, r2, 0), ("mlp", False, 0.5, 0), MEAN))
    assert check == "no_baseline_wins"
    assert words == f"{MLP}: R2 0.500; the best baseline, Kriging on point values: {r2:.3f}"


def test_names_have_no_features_that_say_nothing():
    scores = board(("mlp_chosen", False, -0.1, 0), MEAN).assign(features=["chosen", "coordinates"])
    assert told(scores)[0][0][1] == "Chosen recipe: R2 -0.100; the best baseline, Mean of the training samples: -0.010"


@pytest.mark.parametrize("scores", [board(("mlp", False, 0.5, 0)), board(MEAN), board()])
def test_without_baselines_or_other_models_there_is_nothing_to_win_and_the_check_says_so(scores):
    found, said = told(scores, NONE)
    assert found == []
    assert said["no_baseline_wins"].startswith("There is nothing to compare")
    assert said["intervals_cover"] == "No model with scores in every fold states intervals."


def test_model_that_failed_does_not_count_as_beaten():
    assert told(board(("ridge", True, 0.4, 0), ("mlp", False, float("nan"), 3)))[0] == []


def test_models_that_failed_are_named_under_every_scheme():
    lines = [("location", "mlp", 2), ("location", "mlp", 2), ("block", "mlp", 0), ("block", "ridge", 1)]
    table = pd.DataFrame(lines, columns=["scheme", "model", "failed"]).assign(features="point")
    [finding] = check_fits("evaluation.parquet", table)
    names = f"{MLP} under location (2), Ridge regression on point values under block (1)"
    assert finding.found == f"failed in folds, and have no scores: {names}"
    assert check_fits("baselines.parquet", table[table["failed"] == 0]) == []


@pytest.mark.parametrize(("low", "high", "holds"), [(0.8, 0.89, False), (0.91, 0.95, False), (0.85, 0.9, True)])
def test_intervals_that_surely_cover_too_few_or_too_many_are_told(low, high, holds):
    found, _ = told(board(("mlp", False, 0.5, 0), MEAN), intervals(low, high))
    assert [check for check, _ in found] == ([] if holds else ["intervals_cover"])
    assert holds or f"(95 % interval {low:.3f} to {high:.3f})" in found[0][1]


def test_interval_of_the_coverage_that_is_not_known_says_nothing():
    assert told(board(("mlp", False, 0.5, 0), MEAN), intervals(float("nan"), float("nan")))[0] == []


def test_search_that_is_no_better_than_the_mean_is_told():
    assert check_search("", 0.1) == []
    assert [each.check for each in check_search("", 0.0)] == ["search_beats_mean"]
