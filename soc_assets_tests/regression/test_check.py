"""Scores that cannot be true are errors, a model that has learnt nothing is a warning."""

import pytest

from soc_assets.regression.check import check_run

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
