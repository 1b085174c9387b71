"""The section on what the models use: importance by group of features, and partial dependence."""

from collections.abc import Iterator, Sequence

import pandas as pd

from soc_assets.regression.evaluation.engine import Done
from soc_assets.regression.evaluation.scoring import OutOfFold
from soc_assets.regression.report.evaluation_plots import dependence_curves, importance_bars, strongest
from soc_assets.regression.report.results import Results, name_of
from soc_assets.regression.report.sections import Figure, Section
from soc_assets.regression.words import fit_words, group_words, kind_words, scheme_words

_CURVES = 6  # bands of which partial dependence is drawn


def explanation_section(results: Results) -> Section:
    """Importance of groups of features and partial dependence; empty where no fit measured them."""
    figures = [*_importance(results), *_dependence(results)]
    words = (
        "Importance is how much larger the squared error becomes when a group of features is shuffled among the test "
        "samples, or set to its mean; features that say the same share it. It says what a model uses, not what causes "
        "organic carbon."
    )
    return Section("What the model uses", [words] if figures else [], figures=figures)


def importance_of(done: Sequence[Done]) -> pd.DataFrame:
    """Importance pooled over the folds that measured it: kind, group, permuted, occluded per test sample."""
    found = [(item.result.importance, len(item.result.predictions)) for item in done if item.result]
    parts = [frame for frame, _ in found if len(frame)]
    if not parts:
        return pd.DataFrame(columns=["kind", "group", "permuted", "occluded"])
    n = sum(size for frame, size in found if len(frame))
    total = pd.concat(parts).groupby(["kind", "group"], sort=False)[["permuted", "occluded"]].sum() / n
    return total.reset_index()


def dependence_of(done: Sequence[Done], found: OutOfFold) -> pd.DataFrame:
    """Partial dependence of a model over its folds: band, lag, value, predicted (means), lowest and highest.

    Each step between the 2nd and the 98th percentile of a band is averaged over the folds. Empty where the fits were
    stored without it, as earlier releases did, or where the model reads no point values.
    """
    fits = (item for item in done if (item.fit.scheme, item.fit.model, item.fit.features) == found.key)
    frames = [item.result.dependence for item in fits if item.result and len(item.result.dependence)]
    if not frames:
        return pd.DataFrame(columns=["band", "lag", "value", "predicted", "lowest", "highest"])
    every = pd.concat(frames).assign(lag=lambda rows: pd.to_numeric(rows["lag"]).astype("Float64"))
    by = ["band", "lag"]
    every["step"] = [step for frame in frames for step in frame.groupby(by, dropna=False, sort=False).cumcount()]
    grouped = every.groupby([*by, "step"], dropna=False, sort=False)
    wide = grouped.agg(
        value=("value", "mean"),
        predicted=("predicted", "mean"),
        lowest=("predicted", "min"),
        highest=("predicted", "max"),
    )
    return wide.reset_index().drop(columns="step")


def _importance(results: Results) -> Iterator[Figure]:
    importance = importance_of(results.done)
    named = [item for item in results.done if item.result and len(item.result.importance)]
    if not len(importance) or not named:
        return
    model, folds = fit_words(named[0].fit.model, named[0].fit.features), scheme_words(named[0].fit.scheme)
    n = sum(len(item.result.predictions) for item in named if item.result)
    kinds, panels, words = list(importance["kind"].unique()), [], []
    for letter, kind in zip("abcdef", kinds, strict=False):
        groups = importance[importance["kind"] == kind].sort_values("permuted")
        first = group_words(kind, str(groups["group"].iloc[-1]), results.labels)
        alt = f"Bars of importance of {len(groups)} groups by {kind_words(kind)}; the most important is {first}."
        panels.append((importance_bars(importance, kind, labels=results.labels), alt))
        words.append(f"({letter}) {kind_words(kind)}")
    caption = (
        "Importance: increase of the mean squared error when a group of features is permuted (bars) or set to its mean "
        f"(dots), by {', '.join(words)}. {model}, on the test samples of all folds ({folds}, n = {n:,})."
    )
    [(png, alt), *others] = panels
    yield Figure(caption, png, alt, "importance", tuple(others))


def _dependence(results: Results) -> Iterator[Figure]:
    best = results.best()
    curves = dependence_of(results.done, best) if best else pd.DataFrame()
    if best is None or curves.empty:
        return
    names = strongest(curves, _CURVES)
    folds = best.rows["fold"].nunique()
    caption = (
        f"Partial dependence of {name_of(best)}: mean prediction when the point values of a band are set to a value, "
        f"all windows together, for the {len(names)} bands that move it most. Lines are means over {folds} folds "
        f"({scheme_words(results.primary)}), shaded from the lowest to the highest fold."
    )
    alt = f"Curves of mean predicted organic carbon against the value of {', '.join(names)}."
    yield Figure(caption, dependence_curves(curves, _CURVES, results.labels), alt, "partial_dependence")
