"""Which model is best, by how much and how surely: one row per model, and the verdict as a sentence.

Differences are paired: both models on the same drawn units (see `units`). Naming the best of many by the scores it is
then shown with flatters it a little; `mlp_chosen`, whose recipe is chosen inside each training part, is free of that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from soc_assets.regression.bootstrap_units import units_of
from soc_assets.regression.design.design import Design
from soc_assets.regression.evaluation.bootstrap import Difference, Draws, paired_difference
from soc_assets.regression.evaluation.scoring import OutOfFold
from soc_assets.regression.metrics import summarise_carbon
from soc_assets.regression.models.recipes import CHOSEN, MEAN

SHOWN = (
    "r2",
    "rmse",
    "mae",
    "bias",
    "rpiq",
    "ccc",
    "squared_pearson",
    "medae",
    "r2_log",
    "r2_plain",
    "coverage",
    "width",
    "interval_score",
    "crps",
    "share_applicable",
)


@dataclass(frozen=True)
class Verdict:
    """The best model that is not a baseline, the best baseline, the paired difference of their R2, and a sentence."""

    best: OutOfFold | None
    baseline: OutOfFold | None
    difference: Difference | None
    words: str

    @property
    def baseline_wins(self) -> bool:
        """Whether no other model scores higher than the best baseline."""
        return self.difference is None or self.difference.value <= 0


def leaderboard(table: pd.DataFrame, scheme: str) -> pd.DataFrame:
    """One row per model and feature set, best first: pooled scores, the R2 interval, the mean over folds, failures."""
    pooled = table[(table["scheme"] == scheme) & (table["scope"] == "pooled") & (table["scale"] == "g/kg")]
    wide = pooled.set_index(["model", "features", "metric"])["value"].unstack("metric")
    wide = wide.reindex(columns=list(SHOWN)).dropna(how="all", axis=1)
    ends = pooled[pooled["metric"] == "r2"].set_index(["model", "features"])[["low", "high", "n", "failed", "baseline"]]
    folds = table[(table["scheme"] == scheme) & (table["scope"] == "fold_mean") & (table["metric"] == "r2")]
    means = folds.set_index(["model", "features"])["value"].rename("r2_fold_mean")
    board = wide.join(ends.rename(columns={"low": "r2_low", "high": "r2_high"})).join(means).reset_index()
    board.insert(2, "baseline", board.pop("baseline").astype(bool))
    return board.sort_values("r2", ascending=False, na_position="last", ignore_index=True)


def verdict(
    models: Sequence[OutOfFold], table: pd.DataFrame, scheme: str, design: Design, draws: int, seed: int
) -> Verdict:
    """Compare the best model with the best baseline.

    Args:
        models: out-of-fold predictions.
        table: the long table.
        scheme: whose folds count.
        design: gives locations and blocks.
        draws: of the bootstrap.
        seed: of the bootstrap.
    """
    board = leaderboard(table, scheme).dropna(subset=["r2"])
    by_key = {found.key: found for found in models if not found.failed}
    best, baseline = (_first(board[board["baseline"] == flag], scheme, by_key) for flag in (False, True))
    if best is None or baseline is None:
        return Verdict(best, baseline, None, _alone(best or baseline, models, board, scheme))
    difference = compare_models(best, baseline, design, draws, seed)
    return Verdict(best, baseline, difference, _sentence(best, baseline, difference, board, scheme))


def space_or_covariates(
    models: Sequence[OutOfFold], table: pd.DataFrame, scheme: str, design: Design, draws: int, seed: int
) -> str:
    """Whether places or covariates carry the scores of a scheme: the best models with and without each, compared.

    Args:
        models: out-of-fold predictions.
        table: the long table.
        scheme: whose folds count.
        design: gives locations and blocks.
        draws: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        A sentence; empty where one of the kinds was not compared.
    """
    board = leaderboard(table, scheme).dropna(subset=["r2"])
    by_key = {found.key: found for found in models if not found.failed}
    used = [set(str(features).split("+")) for features in board["features"]]
    known = (board["model"] != MEAN.name).to_numpy()
    alone = known & np.array([names == {"coordinates"} for names in used], bool)
    both = known & ~alone & np.array(["coordinates" in names for names in used], bool)
    neither = np.array(["coordinates" not in names for names in used], bool)
    kinds = {"place": _first(board[alone], scheme, by_key), "covariates": _first(board[neither], scheme, by_key)}
    if (together := _first(board[both], scheme, by_key)) is not None:
        kinds["both"] = together
    place, covariates = kinds["place"], kinds["covariates"]
    if place is None or covariates is None:
        return ""
    added = compare_models(kinds.get("both") or place, covariates, design, draws, seed)
    lost = compare_models(covariates, place, design, draws, seed)
    words = (
        f"By {scheme}, the place alone reaches {_scored(place, board)}, covariates alone {_scored(covariates, board)}"
    )
    words += f", both together {_scored(together, board)}. " if together else ". "
    if lost.better:
        carried = "Covariates carry the score"
    elif lost.high < 0:
        carried = "Space carries the score"
    else:
        carried = "Neither covariates nor space is surely ahead"
    gain = f"space adds {added.value:+.3f} to covariates (95 % interval {added.low:+.3f} to {added.high:+.3f})"
    return f"{words}{carried}: covariates less place {lost.value:+.3f} ({lost.low:+.3f} to {lost.high:+.3f}); {gain}."


def compare_models(first: OutOfFold, second: OutOfFold, design: Design, draws: int, seed: int) -> Difference:
    """The paired difference of R2 over the samples that both predict."""
    both = first.rows.merge(second.rows[["sample_id", "predicted"]], on="sample_id", suffixes=("", "_second"))
    units, _ = units_of(first.scheme, design.samples.set_index("sample_id").loc[both["sample_id"]])
    observed, one, other = (both[name].to_numpy(float) for name in ("observed", "predicted", "predicted_second"))
    return paired_difference(observed, one, other, Draws.of(units, seed, draws))


def target_by_fold(models: Sequence[OutOfFold]) -> pd.DataFrame:
    """Organic carbon of every fold beside the scores: scheme, fold, n, mean, sd, median, share above 50 g/kg."""
    seen, tables = set(), []
    for found in models:
        if found.scheme in seen or found.failed or found.rows.empty:
            continue
        seen.add(found.scheme)
        summary = summarise_carbon(found.rows["observed"], found.rows["fold"])
        tables.append(summary.reset_index().assign(scheme=found.scheme))
    every = pd.concat(tables) if tables else pd.DataFrame(columns=["scheme", "fold"])
    return every[["scheme", *[name for name in every if name != "scheme"]]].reset_index(drop=True)


def _first(board: pd.DataFrame, scheme: str, by_key: dict[tuple[str, str, str], OutOfFold]) -> OutOfFold | None:
    for model, features in board[["model", "features"]].itertuples(index=False):
        if found := by_key.get((scheme, model, features)):
            return found
    return None


def _alone(found: OutOfFold | None, models: Sequence[OutOfFold], board: pd.DataFrame, scheme: str) -> str:
    """Only baselines, or only other models, have scores: which is first among them, and why there are no others."""
    if found is None:
        return f"Under {scheme} folds no model could be fitted in every fold."
    failed = any(model.scheme == scheme and model.baseline != found.baseline for model in models)
    absent = "every other model" if found.baseline else "every baseline"
    why = f"{absent} failed in some fold" if failed else f"{'only' if found.baseline else 'no'} baselines were compared"
    kind = "baseline" if found.baseline else "model"
    return f"Under {scheme} folds {_scored(found, board)} is the best {kind}; {why}."


def _sentence(best: OutOfFold, baseline: OutOfFold, difference: Difference, board: pd.DataFrame, scheme: str) -> str:
    first, second = (_scored(found, board) for found in (best, baseline))
    ends = sorted(np.sign(difference.value or 1) * end for end in (difference.low, difference.high))
    by = f"{abs(difference.value):.3f} (95 % interval of the difference {ends[0]:.3f} to {ends[1]:.3f})"
    if difference.value <= 0:
        return f"A BASELINE WINS under {scheme} folds: {second} is ahead of the best other model, {first}, by {by}."
    sure = "beyond" if difference.better else "though not beyond"
    chosen = "" if best.model == CHOSEN else " It was picked as the best of several after the fact, which flatters it."
    return (
        f"Under {scheme} folds {first} is ahead of the best baseline, {second}, by {by}, {sure} the interval.{chosen}"
    )


def _scored(found: OutOfFold, board: pd.DataFrame) -> str:
    row = board[(board["model"] == found.model) & (board["features"] == found.features)].iloc[0]
    return f"{_name(found)} (R2 {row['r2']:.3f}, {row['r2_low']:.3f} to {row['r2_high']:.3f})"


def _name(found: OutOfFold) -> str:
    return found.model if found.features == "chosen" else f"{found.model} on {found.features}"


def calibration_curve(found: OutOfFold, levels: Sequence[float]) -> np.ndarray:
    """Measured coverage [k] of the central intervals of each nominal level, by the rank of each observation.

    Args:
        found: out-of-fold predictions with their `pit`: the predicted probability of less than what was observed.
        levels: nominal [k].
    """
    away = np.abs(2 * found.rows["pit"].to_numpy() - 1)
    return np.array([(away <= level).mean() for level in levels])
