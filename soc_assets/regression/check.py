"""Whether the metrics of a training run are plausible, whether the model is of any use, and what a comparison means."""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

import pandas as pd

from soc_assets.integrity.schemas import SPLITS
from soc_assets.regression.words import fit_words
from soc_assets.reporting.as_text import percent
from soc_assets.reporting.findings import Finding, of_output

CHECKS = ("metrics_sane", "better_than_mean")
EVALUATION_CHECKS = ("no_baseline_wins", "intervals_cover", "every_fit_succeeded")
BASELINE_CHECKS = ("every_fit_succeeded",)
TUNING_CHECKS = ("search_beats_mean",)
DIVERGED = 10.0  # times the training loss of the first epoch
WORST_RMSE = 1000.0  # g/kg: pure carbon
MEND = (
    "The run is marked as failed and its model is no longer registered. Lower [training] learning_rate, or look for "
    "wrong organic carbon and rasters with `soc check`; `soc run` trains again."
)


def check_run(where: str, metrics: Mapping[str, float], best_epoch: int, weights: str) -> list[Finding]:
    """Everything wrong with a run.

    Args:
        where: names the run.
        metrics: `test_r2`, `test_rmse`, `baseline_test_rmse`, ...; those that were not finite are left out.
        best_epoch: whose weights the model has, from 1.
        weights: label of the encoder's weights, said beside the comparison with the mean.
    """
    findings = [of_output("metrics_sane", "error", where, found, MEND) for found in _not_sane(metrics, best_epoch)]
    found, baseline = metrics.get("test_rmse"), metrics.get("baseline_test_rmse")
    if found is not None and baseline is not None and found >= baseline:
        words = f"on the test split its RMSE is {compared(metrics)}: it has learnt nothing (embeddings: {weights})"
        cure = "Other embeddings ([embedding] stage, pooling, checkpoint) or more samples may help; a user decides."
        findings.append(of_output("better_than_mean", "warning", where, words, cure))
    return findings


def check_fits(where: str, table: pd.DataFrame) -> list[Finding]:
    """A warning for the models that failed in some fold, under whichever scheme.

    Args:
        where: names the table.
        table: the long table of scores.
    """
    failed = table.loc[table["failed"] > 0, ["scheme", "model", "features", "failed"]].drop_duplicates()
    rows: Sequence[Mapping[Any, Any]] = failed.to_dict("records")
    if not rows:
        return []
    names = ", ".join(f"{_named(row)} under {row['scheme']} ({row['failed']:.0f})" for row in rows)
    cure = "The log of the run says why, fit by fit."
    return [of_output("every_fit_succeeded", "warning", where, f"failed in folds, and have no scores: {names}", cure)]


def check_evaluation(
    where: str, board: pd.DataFrame, intervals: pd.DataFrame, level: float
) -> tuple[list[Finding], dict[str, str]]:
    """What a reader of the scores must know first: a baseline that is not beaten, intervals that do not hold.

    Args:
        where: names the table.
        board: the leaderboard of the primary scheme, best first.
        intervals: see `soc_assets.regression.evaluation.interval_scores.interval_scores`, best first.
        level: the share of samples that the intervals are to cover.

    Returns:
        The findings, and by check what there was to look at, for those without one.
    """
    findings = []
    ranked: Sequence[Mapping[Any, Any]] = board.dropna(subset=["r2"]).to_dict("records")
    mine, best = (next((row for row in ranked if row["baseline"] == flag), None) for flag in (False, True))
    said = {"no_baseline_wins": "There is nothing to compare: baselines alone, or none, have scores."}
    if mine and best:
        words = f"{_named(mine)}: R2 {mine['r2']:.3f}; the best baseline, {_named(best)}: {best['r2']:.3f}"
        said["no_baseline_wins"] = f"{words}."
        if mine["r2"] <= best["r2"]:
            cure = "Register the baseline ([training] recipe), or say with the scores that it is as good."
            findings.append(of_output("no_baseline_wins", "warning", where, words, cure))
    pooled: Sequence[Mapping[Any, Any]] = intervals[intervals["scope"] == "pooled"].to_dict("records")
    said["intervals_cover"] = "No model with scores in every fold states intervals."
    for row in pooled[:1]:
        low, high = row["coverage_low"], row["coverage_high"]
        words = (
            f"{_named(row)}: its {percent(level)} intervals cover {row['coverage']:.3f} of the samples "
            f"(95 % interval {low:.3f} to {high:.3f})"
        )
        said["intervals_cover"] = f"{words}."
        if low > level or high < level:  # neither where no interval is known
            cure = "State this coverage beside the intervals; with more locations they can be calibrated better."
            findings.append(of_output("intervals_cover", "warning", where, words, cure))
    return findings, said


def _named(row: Mapping[Any, Any]) -> str:
    return fit_words(row["model"], row["features"])


def check_search(where: str, r2: float) -> list[Finding]:
    """A warning where the best recipe of a search is no better than the mean of the training part."""
    if r2 > 0:
        return []
    found = f"its best recipe has R2 {r2:.3f} in the inner folds: no better than the mean"
    cure = "Raise [evaluation] trials, or look for wrong organic carbon and rasters with `soc check`."
    return [of_output("search_beats_mean", "warning", where, found, cure)]


def compared(metrics: Mapping[str, float]) -> str:
    """The test RMSE next to that of the mean predictor, as text."""
    mine, mean = (metrics.get(name) for name in ("test_rmse", "baseline_test_rmse"))
    if mine is None or mean is None:
        return "unknown: there is no test split"
    return f"{mine:.2f} g/kg, that of the training split's mean {mean:.2f} g/kg"


def _not_sane(metrics: Mapping[str, float], best_epoch: int) -> Iterator[str]:
    if best_epoch < 1:
        yield f"its best epoch is {best_epoch}"
    for split in SPLITS:
        if metrics.get(f"{split}_n", 0) == 0:
            continue
        rmse, r2 = metrics.get(f"{split}_rmse"), metrics.get(f"{split}_r2")
        if rmse is None or not isfinite(rmse):
            yield f"its RMSE on the {split} split is not finite"
        elif rmse > WORST_RMSE:
            yield f"its RMSE on the {split} split is {rmse:.3g} g/kg, more than pure carbon has"
        elif rmse <= 0:
            yield f"its RMSE on the {split} split is {rmse:g}: predictions without any error do not occur"
        if r2 is not None and not r2 <= 1:
            yield f"its R2 on the {split} split is {r2:g}, and cannot exceed 1"
    if (growth := metrics.get("loss_growth", 0)) > DIVERGED:
        yield f"training has diverged: the loss of its last epoch is {growth:.3g} times that of the first"
