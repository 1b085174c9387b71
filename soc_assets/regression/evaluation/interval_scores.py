"""Coverage and width of prediction intervals side by side: overall, by stratum, by region, and over blocks.

Intervals with nominal coverage on average may fail somewhere, and may achieve it only by their width. The numbers come
from the long table that `soc_assets.regression.evaluation.scoring` makes; only models that state intervals are in it.
"""

import pandas as pd

from soc_assets.regression.evaluation.leaderboard import leaderboard

SCOPES = ("pooled", "oc_stratum", "predicted", "region")
_MODEL = ["model", "features"]


def interval_scores(table: pd.DataFrame, scheme: str) -> pd.DataFrame:
    """One row per model and part, the best model (by R2) first.

    Parts are all samples, strata of the observed values, fifths of the predicted ones, and regions. A model with a
    failed fold is left out, as from the leaderboard's scores.

    Args:
        table: the long table.
        scheme: whose folds count.

    Returns:
        Columns model, features, scope, part (`all` of the scope `pooled`), n, coverage, coverage_low, coverage_high,
        width, width_low, width_high: a share, g/kg, and their 95 % intervals.
    """
    index = [*_MODEL, "scope", "part", "n"]
    whole = (table["scheme"] == scheme) & (table["scale"] == "g/kg") & (table["failed"] == 0)
    kept = table[whole & table["scope"].isin(SCOPES)]
    parts = [
        kept[kept["metric"] == metric]
        .set_index(index)[["value", "low", "high"]]
        .set_axis([metric, f"{metric}_low", f"{metric}_high"], axis=1)
        for metric in ("coverage", "width")
    ]
    wide = parts[0].join(parts[1]).reset_index()
    wide["part"] = wide["part"].where(wide["scope"] != "pooled", "all")
    rank = pd.Series({key: place for place, key in enumerate(_models(table, scheme))}, dtype=int)
    order = wide.assign(
        rank=[rank.get(key, len(rank)) for key in zip(wide["model"], wide["features"], strict=True)],
        step=wide["scope"].map(SCOPES.index),
    ).sort_values(["rank", "step"], kind="stable")
    return order.drop(columns=["rank", "step"]).reset_index(drop=True)


def best_with_intervals(table: pd.DataFrame, scheme: str, most: int) -> pd.DataFrame:
    """The rows of `interval_scores` of the best models, at most so many."""
    every = interval_scores(table, scheme)
    names = every[_MODEL].drop_duplicates().head(most)
    return every.merge(names, on=_MODEL)


def block_coverage(table: pd.DataFrame, scheme: str) -> pd.DataFrame:
    """Coverage over the blocks of enough samples, by model: how many blocks, and the lowest, median and highest."""
    whole = (table["scheme"] == scheme) & (table["failed"] == 0)
    kept = table[whole & (table["scope"] == "block") & (table["metric"] == "coverage")]
    grouped = kept.groupby(_MODEL, sort=False)["value"]
    return grouped.agg(blocks="size", lowest="min", median="median", highest="max").reset_index()


def _models(table: pd.DataFrame, scheme: str) -> list[tuple[str, str]]:
    return list(leaderboard(table, scheme)[_MODEL].itertuples(index=False, name=None))
