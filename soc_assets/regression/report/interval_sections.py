"""The section on prediction intervals: their coverage and width by part, over blocks, and at every nominal level."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from soc_assets.regression.evaluation.interval_scores import best_with_intervals, block_coverage
from soc_assets.regression.evaluation.leaderboard import calibration_curve
from soc_assets.regression.models.conformal import LEVELS
from soc_assets.regression.report.evaluation_plots import calibration_plot, interval_marks
from soc_assets.regression.report.results import Results, name_of
from soc_assets.regression.report.sections import Figure, Section, Table, interval
from soc_assets.regression.report.words import fit_words, scheme_words
from soc_assets.reporting.as_text import percent

_MODELS = 3
_MOST_REGIONS = 24


def intervals_section(results: Results) -> Section:
    """Coverage and width of the intervals of the best models; empty where none states intervals."""
    scores = best_with_intervals(results.table, results.primary, _MODELS)
    if scores.empty:
        return Section("Prediction intervals")
    shown = scores.assign(model=_fits(scores), part=list(_parts(scores)))
    blocks = block_coverage(results.table, results.primary)
    words = (
        f"Intervals should cover {percent(results.level)} of new samples. Those that hold on average may fail "
        "somewhere, and may hold only because they are wide: coverage and mean width are shown side by side."
    )
    tables = [_table(shown, results.primary), *_over_blocks(blocks, results.primary)]
    figures = [_marks(shown, results), *_calibration(results)]
    return Section("Prediction intervals", [words], tables, figures)


def _fits(rows: pd.DataFrame) -> list[str]:
    return [fit_words(*key) for key in zip(rows["model"], rows["features"], strict=True)]


def _parts(scores: pd.DataFrame) -> Iterator[str]:
    for scope, part in zip(scores["scope"], scores["part"], strict=True):
        yield "All samples" if scope == "pooled" else f"{part} g/kg" if scope == "oc_stratum" else part


def _marks(shown: pd.DataFrame, results: Results) -> Figure:
    regions = shown[shown["scope"] == "region"].drop_duplicates("part").nlargest(_MOST_REGIONS, "n")["part"]
    drawn = shown[(shown["scope"] != "region") | shown["part"].isin(regions)]
    n = int(shown.loc[shown["scope"] == "pooled", "n"].max())
    caption = (
        f"Coverage (a) and mean width (b) of the prediction intervals, out of fold with "
        f"{scheme_words(results.primary)}: of all samples (n = {n:,}), by stratum of organic carbon, and by region. "
        f"Bars are 95 % intervals; the dashed line is the nominal coverage of {percent(results.level)}."
    )
    caption += f" The {_MOST_REGIONS} regions of most samples are shown." if len(regions) == _MOST_REGIONS else ""
    alt = f"of the prediction intervals of {shown['model'].nunique()} models in {drawn['part'].nunique()} parts."
    coverage, width = interval_marks(drawn, "coverage", results.level), interval_marks(drawn, "width")
    beside = ((width, f"Mean width {alt}"),)
    return Figure(caption, coverage, f"Measured coverage {alt}", "interval_bars", beside)


def _table(shown: pd.DataFrame, scheme: str) -> Table:
    rows = pd.DataFrame(
        {
            "Part": shown["part"],
            "Model": shown["model"],
            "n": shown["n"],
            "Coverage": shown["coverage"],
            "95 % interval": [
                interval(*ends) for ends in zip(shown["coverage_low"], shown["coverage_high"], strict=True)
            ],
            "Mean width, g/kg": shown["width"],
            "95 % interval of the width": [
                interval(*ends, 1) for ends in zip(shown["width_low"], shown["width_high"], strict=True)
            ],
        }
    )
    caption = (
        f"Coverage and mean width of the prediction intervals with {scheme_words(scheme)}, for all samples, by stratum "
        "of organic carbon and by region; intervals by bootstrap as for the scores."
    )
    return Table(caption, rows, folded=True)


def _over_blocks(blocks: pd.DataFrame, scheme: str) -> Iterator[Table]:
    if blocks.empty:
        return
    rows = pd.DataFrame({"Model": _fits(blocks), "Blocks": blocks["blocks"]})
    rows = rows.assign(Lowest=blocks["lowest"], Median=blocks["median"], Highest=blocks["highest"])
    words = f"Coverage over the spatial blocks that hold 20 samples or more, with {scheme_words(scheme)}."
    yield Table(words, rows, folded=True)


def _calibration(results: Results) -> Iterator[Figure]:
    curves: dict[tuple[str, str, str], dict[int, tuple[tuple[float, float], ...]]] = {}
    for item in results.done:
        fit = item.result.facts["calibration"] if item.result else None
        if fit and item.fit.scheme == results.primary:
            curves.setdefault((item.fit.scheme, item.fit.model, item.fit.features), {})[item.fit.number] = fit["curve"]
    by_key = {found.key: found for found in results.models if not found.failed}
    measured: dict[str, np.ndarray] = {
        name_of(by_key[key]): calibration_curve(by_key[key], of_folds, LEVELS)
        for key, of_folds in curves.items()
        if key in by_key
    }
    if measured:
        n = max(len(found.rows) for found in results.models if found.scheme == results.primary)
        caption = (
            f"Calibration of the prediction intervals with {scheme_words(results.primary)} (n = {n:,}): the share of "
            "samples inside intervals of every nominal coverage. On the dashed line both are equal."
        )
        alt = f"Measured against nominal coverage of the intervals of {len(measured)} models."
        yield Figure(caption, calibration_plot(measured, LEVELS), alt, "calibration")
