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
from soc_assets.regression.evaluation.space import Carried, find_carried
from soc_assets.regression.metrics import summarise_carbon
from soc_assets.regression.models.recipes import CHOSEN

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
    """The best model that is not a baseline, the best baseline, the paired difference of their R2, and a sentence.

    `carried` is what carries the scores, the place or the covariates; its sentence is part of `words`.
    """

    best: OutOfFold | None
    baseline: OutOfFold | None
    difference: Difference | None
    words: str
    carried: Carried | None = None

    @property
    def baseline_wins(self) -> bool:
        """Whether no other model scores higher than the best baseline, be it within the interval or beyond it."""
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
    in_order = [
        found for key in board[["model", "features"]].itertuples(index=False) if (found := by_key.get((scheme, *key)))
    ]
    best, baseline = (next((found for found in in_order if found.baseline == flag), None) for flag in (False, True))
    carried = find_carried(in_order, lambda first, second: compare_models(first, second, design, draws, seed))
    more = f" {carried.words(f'Under {scheme} folds', lambda found: _scored(found, board))}" if carried else ""
    if best is None or baseline is None:
        return Verdict(best, baseline, None, _alone(best or baseline, models, board, scheme) + more, carried)
    difference = compare_models(best, baseline, design, draws, seed)
    return Verdict(best, baseline, difference, _sentence(best, baseline, difference, board, scheme) + more, carried)


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
    sign = 1 if difference.value > 0 else -1
    ends = sorted(sign * end for end in (difference.low, difference.high))
    by = f"{abs(difference.value):.3f} (95 % interval of the difference {ends[0]:.3f} to {ends[1]:.3f})"
    if difference.value <= 0:
        head = "A BASELINE WINS" if difference.worse else "A BASELINE LEADS, WITHIN THE INTERVAL,"
        return f"{head} under {scheme} folds: {second} is ahead of the best other model, {first}, by {by}."
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
