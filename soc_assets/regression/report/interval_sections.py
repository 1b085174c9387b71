"""The section on prediction intervals: their coverage and width by part, over blocks, and at every nominal level."""

from collections.abc import Iterator

import pandas as pd

from soc_assets.regression.evaluation.interval_scores import best_with_intervals, block_coverage
from soc_assets.regression.evaluation.leaderboard import calibration_curve
from soc_assets.regression.evaluation.scoring import OutOfFold
from soc_assets.regression.models.conformal import LEVELS
from soc_assets.regression.report.evaluation_plots import calibration_plot, interval_marks, transform_histograms
from soc_assets.regression.report.results import Results, name_of
from soc_assets.regression.report.sections import Figure, Section, Table, interval
from soc_assets.regression.words import fit_words, scheme_words
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
        words = {"pooled": "All samples", "oc_stratum": f"{part} g/kg", "predicted": f"Predicted: {part} of 5"}
        yield words[scope] if scope in words else str(part)


def _marks(shown: pd.DataFrame, results: Results) -> Figure:
    regions = shown[shown["scope"] == "region"].drop_duplicates("part").nlargest(_MOST_REGIONS, "n")["part"]
    drawn = shown[(shown["scope"] != "region") | shown["part"].isin(regions)]
    n = int(shown.loc[shown["scope"] == "pooled", "n"].max())
    caption = (
        f"Coverage (a) and mean width (b) of the prediction intervals, out of fold with "
        f"{scheme_words(results.primary)}: of all samples (n = {n:,}), by stratum of the observed organic carbon, by "
        "fifths of the predicted one (1 is the lowest), and by region. "
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
        "of the observed organic carbon, by fifths of the predicted one and by region; intervals by bootstrap as for "
        "the scores."
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
    primary = [found for found in results.models if found.scheme == results.primary and not found.failed]
    stated = [found for found in primary if "pit" in found.rows and found.rows["pit"].notna().all()]
    if stated:
        n = max(len(found.rows) for found in stated)
        caption = (
            f"Calibration of the predicted distributions with {scheme_words(results.primary)} (n = {n:,}): the share "
            "of samples inside central intervals of every nominal coverage. On the dashed line both are equal."
        )
        alt = f"Measured against nominal coverage of the intervals of {len(stated)} models."
        measured = {name_of(found): calibration_curve(found, LEVELS) for found in stated}
        yield Figure(caption, calibration_plot(measured, LEVELS), alt, "calibration")
        ranked = _best_first(stated, results)[:_MODELS]
        caption = (
            f"Probability integral transform of the observations with {scheme_words(results.primary)} (n = {n:,}): the "
            "predicted probability of less than what was observed. Calibrated distributions give the dashed line; a "
            "U is too narrow, a hump too wide, a slope biased."
        )
        picture = transform_histograms({name_of(found): found.rows["pit"].to_numpy() for found in ranked})
        yield Figure(caption, picture, f"Histograms of the transform of {len(ranked)} models.", "pit")


def _best_first(models: list[OutOfFold], results: Results) -> list[OutOfFold]:
    board = results.board(results.primary)
    order = {key: place for place, key in enumerate(zip(board["model"], board["features"], strict=True))}
    return sorted(models, key=lambda found: order.get((found.model, found.features), len(order)))
