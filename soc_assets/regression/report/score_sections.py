"""Sections on scores: the summary, every model with its interval, the parts of the samples, failed fits."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from soc_assets.regression.evaluation.leaderboard import Verdict
from soc_assets.regression.evaluation.scoring import OutOfFold
from soc_assets.regression.evaluation.space import Carried
from soc_assets.regression.models.recipes import CHOSEN
from soc_assets.regression.report.forest_plots import MOST, forest
from soc_assets.regression.report.results import Results, name_of
from soc_assets.regression.report.sections import Figure, Section, Table, interval, rounded
from soc_assets.regression.words import feature_words, fit_words, model_words, scheme_words, scope_words

_BY_PART = 3  # models whose scores by part are shown
_OWN_SECTION = ("pooled", "fold", "fold_mean", "block")
_ERRORS = {"mae": "MAE, g/kg", "medae": "Median absolute error, g/kg", "r2_log": "R2 of log(1 + OC)"}
_FURTHER = {
    "rpiq": "RPIQ",
    "ccc": "Lin's CCC",
    "squared_pearson": "Squared correlation",
    "r2_plain": "R2 without smearing",
    "r2_fold_mean": "Mean R2 of the folds",
    "width": "Interval width, g/kg",
    "share_applicable": "Share applicable",
}


def summary_section(results: Results) -> Section:
    """Which model is best by scheme, what carries the scores, how far the best is from the ceiling, what to train."""
    words = [verdict_words(found, results, scheme) for scheme, found in results.verdicts.items()]
    words += [
        _carried_words(found.carried, results, scheme) for scheme, found in results.verdicts.items() if found.carried
    ]
    more = [results.ceiling.words if results.ceiling else "", results.next_model]
    warns = results.verdicts[results.primary].baseline_wins
    return Section("Summary", [*words, *filter(None, more)], emphasis="warning" if warns else "verdict")


def verdict_words(found: Verdict, results: Results, scheme: str) -> str:
    """The best model against the best baseline as a sentence with rounded numbers."""
    board = results.board(scheme)
    if not found.best or not found.baseline or not found.difference:
        return _alone(found, results, board, scheme)
    first, second = (_scored(each, board) for each in (found.best, found.baseline))
    sign = 1 if found.difference.value > 0 else -1
    low, high = sorted(sign * end for end in (found.difference.low, found.difference.high))
    by = f"{rounded(abs(found.difference.value), 3)} (95 % interval of the paired difference {interval(low, high, 3)})"
    if found.baseline_wins:
        head = "A baseline wins" if found.difference.worse else "A baseline leads, within the interval,"
        return f"{head} with {scheme_words(scheme)}: {second} is ahead of the best other model, {first}, by {by}."
    sure = "excludes" if found.difference.better else "includes"
    flattered = (
        "" if found.best.model == CHOSEN else " The model is the best of several after the fact, which flatters it."
    )
    return (
        f"With {scheme_words(scheme)}, the best model is {first}, and the best baseline {second}. R2 is higher by "
        f"{by}; the interval {sure} 0.{flattered}"
    )


def scores_section(results: Results) -> Section:
    """R2 of every model with its interval, RMSE, bias and coverage, by scheme; everything else folded away."""
    figures, tables = [], []
    for scheme in results.verdicts:
        board = results.board(scheme)
        n = int(board["n"].max()) if len(board) else 0
        differences = results.differences(scheme)
        figures += list(_forests(scheme, board, differences, n))
        tables += [_main(board, scheme, n), *_details(scheme, board, differences, n)]
    return Section("Scores", tables=tables, figures=figures)


def parts_section(results: Results) -> Section:
    """Scores of the best models by stratum, region, year, source and the columns of [evaluation] strata."""
    table, scheme = results.table, results.primary
    best = _keys(results.board(scheme).head(_BY_PART))
    kept = table[(table["scheme"] == scheme) & (table["scale"] == "g/kg") & ~table["scope"].isin(_OWN_SECTION)]
    kept = kept[np.array([key in best for key in _keys(kept)], bool)]
    tables = [_by_part(rows, best, str(scope), scheme) for scope, rows in kept.groupby("scope", sort=False)]
    words = "Inside a stratum of organic carbon R2 is low by construction, as little is left to explain: RMSE and bias "
    return Section("Scores by part of the samples", [f"{words}are shown there."], tables) if tables else Section("")


def failed_section(results: Results) -> Section:
    """Which fits failed, and why."""
    failed = [found for found in results.models if found.failed]
    rows = [(name_of(each), scheme_words(each.scheme), each.failed, "; ".join(each.errors)) for each in failed]
    table = pd.DataFrame(rows, columns=["Model", "Folds", "Failed", "Reason"])
    if not rows:
        return Section("Failed fits")
    words = "A model with a failed fold has no pooled score: a missing fold must not flatter."
    return Section("Failed fits", [words], [Table("Folds in which a model could not be fitted.", table)])


def _alone(found: Verdict, results: Results, board: pd.DataFrame, scheme: str) -> str:
    """Only baselines, or only other models, have scores: the best of them, and why there are no others."""
    first = found.best or found.baseline
    if first is None:
        return f"With {scheme_words(scheme)} no model could be fitted in every fold."
    failed = any(each.scheme == scheme and each.baseline != first.baseline for each in results.models)
    others = "no other model" if first.baseline else "no baseline"
    why = f"{others} could be fitted in every fold" if failed else f"{others} was compared"
    kind = "baseline" if first.baseline else "model"
    return f"With {scheme_words(scheme)}, {_scored(first, board)} is the best {kind}; {why}."


def _carried_words(found: Carried, results: Results, scheme: str) -> str:
    board = results.board(scheme)
    return found.words(f"With {scheme_words(scheme)}", lambda each: _scored(each, board))


def _scored(found: OutOfFold, board: pd.DataFrame) -> str:
    row = board[(board["model"] == found.model) & (board["features"] == found.features)].iloc[0]
    ends = interval(row["r2_low"], row["r2_high"])
    return f"{name_of(found)} (R2 {rounded(row['r2'])}, 95 % interval {ends})"


def _forests(scheme: str, board: pd.DataFrame, differences: pd.DataFrame, n: int) -> Iterator[Figure]:
    rows = board.rename(columns={"r2": "value", "r2_low": "low", "r2_high": "high"}).dropna(subset=["value"])
    if rows.empty:
        return
    rows, folds = rows.assign(model=_fits(rows)), scheme_words(scheme)
    best, highest = str(rows["model"].iloc[0]), rounded(float(rows["value"].iloc[0]))
    caption = (
        f"R2 of the pooled out-of-fold predictions with {folds} (n = {n:,}), with its 95 % interval; grey squares are "
        "baselines, and arrows point at scores left of the axis."
    )
    caption += f" The best {MOST} of {len(rows)} models are shown." if len(rows) > MOST else ""
    alt = f"Forest plot of R2 of {len(rows)} models with {folds}; the highest is {highest}, of {best}."
    beside = ()
    if len(differences):
        others = differences.merge(board[["model", "features", "baseline"]], on=["model", "features"])
        others = others.assign(model=_fits(others)).sort_values("value", ascending=False, kind="stable")
        words = f"Forest plot of R2 minus that of {best}, of {len(others)} other models; the numbers are in the table."
        beside = ((forest(others, f"R2 minus that of the best, {folds}", 0.0, 3), words),)
        caption = f"(a) {caption}"
        caption += f" (b) R2 minus that of {best}, with the 95 % interval of the paired difference."
    yield Figure(caption, forest(rows, f"R2, {folds}", 0.0), alt, f"forest_{scheme}", beside)


def _main(board: pd.DataFrame, scheme: str, n: int) -> Table:
    rows = pd.DataFrame(
        {
            **_names(board),
            "R2": board["r2"],
            "95 % interval": [interval(*ends) for ends in zip(board["r2_low"], board["r2_high"], strict=True)],
            "RMSE, g/kg": board["rmse"],
            "Bias, g/kg": board["bias"],
            "Coverage": board["coverage"] if "coverage" in board else float("nan"),
        }
    )
    caption = (
        f"Scores of the pooled out-of-fold predictions with {scheme_words(scheme)} (n = {n:,}), the highest R2 first. "
        "Bias is the mean of predicted minus observed"
    )
    if rows["Coverage"].notna().any():
        caption += "; coverage is the share of samples inside their prediction interval, empty for models without one"
    else:
        rows = rows.drop(columns="Coverage")
    caption += ". * baseline."
    return Table(caption, rows)


def _details(scheme: str, board: pd.DataFrame, differences: pd.DataFrame, n: int) -> Iterator[Table]:
    found = differences.set_index(["model", "features"]).reindex(pd.MultiIndex.from_tuples(_keys(board)))
    ends = zip(found["low"], found["high"], strict=True)
    minus = {
        "R2 minus best": [rounded(value, 3) for value in found["value"]],
        "95 % interval of the difference": [interval(low, high, 3) for low, high in ends],
    }
    errors = {words: board[name] for name, words in _ERRORS.items() if name in board}
    caption = (
        f"Paired differences and robust scores with {scheme_words(scheme)} (n = {n:,}). The difference is between R2 "
        "of a model and of the best one on the same bootstrap draws. The median absolute error and R2 of log(1 + "
        "organic carbon) depend less on a few high values than RMSE and R2. * baseline."
    )
    yield Table(caption, pd.DataFrame(_names(board) | minus | errors), folded=True)
    further = {words: board[name] for name, words in _FURTHER.items() if name in board}
    further |= {"Failed folds": board["failed"]} if board["failed"].any() else {}
    caption = (
        f"Further scores with {scheme_words(scheme)} (n = {n:,}). RPIQ is the interquartile range of the observations "
        "over the RMSE; the squared correlation ignores bias. * baseline."
    )
    marks = ["\u00a0*" if baseline else "" for baseline in board["baseline"]]
    names = {"Model": [name + mark for name, mark in zip(_fits(board), marks, strict=True)]}
    yield Table(caption, pd.DataFrame(names | further), folded=True)


def _fits(rows: pd.DataFrame) -> list[str]:
    return [fit_words(*key) for key in _keys(rows)]


def _keys(rows: pd.DataFrame) -> list[tuple[str, str]]:
    return list(rows[["model", "features"]].itertuples(index=False, name=None))


def _names(board: pd.DataFrame) -> dict[str, list[str]]:
    marks = ["\u00a0*" if baseline else "" for baseline in board["baseline"]]
    return {
        "Model": [model_words(name) + mark for name, mark in zip(board["model"], marks, strict=True)],
        "Features": ["" if key[0] == "mean" else feature_words(key[1]) for key in _keys(board)],
    }


def _by_part(rows: pd.DataFrame, best: list[tuple[str, str]], scope: str, scheme: str) -> Table:
    index = ["part", "model", "features", "n"]
    wide = rows.pivot_table(index=index, columns="metric", values="value", sort=False).reset_index()
    places = {part: at for at, part in enumerate(dict.fromkeys(wide["part"]))}
    ranks = [best.index(key) for key in _keys(wide)]
    order = wide.assign(place=wide["part"].map(places), rank=ranks).sort_values(["place", "rank"]).index
    wide = wide.loc[order].reset_index(drop=True)
    shown = {"Part": wide["part"], "Model": _fits(wide), "n": wide["n"]}
    shown |= {} if scope == "oc_stratum" or "r2" not in wide else {"R2": wide["r2"]}
    names = {"rmse": "RMSE, g/kg", "bias": "Bias, g/kg", "coverage": "Coverage"}
    frame = pd.DataFrame(shown | {words: wide[name] for name, words in names.items() if name in wide})
    models = rows[["model", "features"]].drop_duplicates().shape[0]
    caption = (
        f"Scores by {scope_words(scope)}: the best {f'{models} models' if models > 1 else 'model'} with "
        f"{scheme_words(scheme)}. Parts of fewer than 10 samples are left out; n is the number of samples."
    )
    return Table(caption, frame, folded=scope != "oc_stratum")
