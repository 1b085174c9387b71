"""The report of an evaluation: one self-contained HTML page that loads nothing from other servers."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from soc_assets.regression.design.design import Design
from soc_assets.regression.evaluation.engine import Done
from soc_assets.regression.evaluation.interval_scores import best_with_intervals, block_coverage, interval_scores
from soc_assets.regression.evaluation.leaderboard import Verdict, calibration_curve, leaderboard, target_by_fold
from soc_assets.regression.evaluation.scoring import OutOfFold
from soc_assets.regression.models.conformal import LEVELS
from soc_assets.regression.report import evaluation_plots as plots
from soc_assets.sampling.knndm import held_out_distances, nearest, nearest_other

if TYPE_CHECKING:
    from markupsafe import Markup

_MOST_SHOWN = 3  # models by part


def figures_of(
    design: Design,
    models: list[OutOfFold],
    done: list[Done],
    table: pd.DataFrame,
    verdicts: Mapping[str, Verdict],
    primary: str,
    area: np.ndarray,
    level: float,
) -> dict[str, bytes]:
    """Every figure of the report, PNG bytes by name.

    Args:
        design: samples.
        models: out-of-fold predictions.
        done: the fits.
        table: the long table.
        verdicts: by scheme.
        primary: the scheme that decides.
        area: [m, 2] places to predict, metres.
        level: share of samples that prediction intervals should cover.
    """
    figures = {
        f"leaderboard_{scheme}": plots.leaderboard_bars(leaderboard(table, scheme), scheme) for scheme in verdicts
    }
    best = {f"{_title(found)}, by {primary}": found for found in _shown(verdicts[primary])}
    placed = {title: _placed(found, design) for title, found in best.items()}
    if placed:
        figures["observed_predicted"] = plots.predicted_panels(placed)
        figures["residual_map"] = plots.residual_maps(placed)
    if curves := _calibration(models, primary):
        figures["calibration"] = plots.calibration_plot(curves, LEVELS)
    if len(stated := best_with_intervals(table, primary, _MOST_SHOWN)):
        figures["interval_bars"] = plots.interval_bars(stated, level)
    by_scheme = {found.scheme: found for found in models if not found.failed and not found.rows.empty}
    figures["folds"] = plots.fold_maps({scheme: _placed(found, design) for scheme, found in by_scheme.items()})
    figures["distances"] = plots.distance_curves(_distances(by_scheme, design, area))
    importance = importance_of(done)
    for kind in importance["kind"].unique() if len(importance) else ():
        figures[f"importance_{kind}"] = plots.importance_bars(importance, kind)
    return figures


def html_report(
    title: str,
    notes: list[str],
    table: pd.DataFrame,
    verdicts: Mapping[str, Verdict],
    models: list[OutOfFold],
    figures: Mapping[str, bytes],
) -> str:
    """The page, from the template page.html.j2; text is escaped, and a browser runs and fetches nothing for it.

    Args:
        title: its heading.
        notes: lines under it (weights, data, when).
        table: the long table.
        verdicts: by scheme, the primary one first.
        models: out-of-fold predictions, for failures and the target by fold.
        figures: from `figures_of`.
    """
    from jinja2 import Environment, FileSystemLoader

    folder, primary = Path(__file__).parent, next(iter(verdicts))
    page = Environment(loader=FileSystemLoader(folder), autoescape=True, trim_blocks=True, keep_trailing_newline=True)
    page.filters |= {"table": _html, "title_of": _title}
    return page.get_template("page.html.j2").render(
        title=title,
        notes=notes,
        verdicts=verdicts,
        primary=primary,
        leaderboards={scheme: leaderboard(table, scheme) for scheme in verdicts},
        failed=[found for found in models if found.failed],
        strata=_strata(table, primary),
        intervals=interval_scores(table, primary),
        block_intervals=block_coverage(table, primary),
        target=target_by_fold(models),
        pictures={name: base64.b64encode(content).decode() for name, content in figures.items()},
    )


def importance_of(done: list[Done]) -> pd.DataFrame:
    """Importance pooled over the folds that measured it: kind, group, permuted, occluded per test sample."""
    found = [(item.result.importance, len(item.result.predictions)) for item in done if item.result]
    parts = [frame for frame, _ in found if len(frame)]
    if not parts:
        return pd.DataFrame(columns=["kind", "group", "permuted", "occluded"])
    n = sum(size for frame, size in found if len(frame))
    total = pd.concat(parts).groupby(["kind", "group"], sort=False)[["permuted", "occluded"]].sum() / n
    return total.reset_index()


def _shown(verdict: Verdict) -> list[OutOfFold]:
    return [found for found in (verdict.best, verdict.baseline) if found is not None]


def _title(found: OutOfFold) -> str:
    return found.model if found.features == "chosen" else f"{found.model} on {found.features}"


def _placed(found: OutOfFold, design: Design) -> pd.DataFrame:
    return found.rows.merge(
        design.samples[["sample_id", "longitude", "latitude", "x", "y", "location_id"]], on="sample_id"
    )


def _calibration(models: list[OutOfFold], primary: str) -> dict[str, np.ndarray]:
    of_scheme = [found for found in models if found.scheme == primary and not found.failed and "pit" in found.rows]
    stated = [found for found in of_scheme if found.rows["pit"].notna().all()]
    return {_title(found): calibration_curve(found, LEVELS) for found in stated}


def _distances(by_scheme: Mapping[str, OutOfFold], design: Design, area: np.ndarray) -> dict[str, np.ndarray]:
    places = design.samples.groupby("location_id")[["x", "y"]].mean()
    result = {"samples to samples": nearest_other(places.to_numpy())}
    if len(area):
        result["prediction area to samples"] = nearest(area, places.to_numpy())
    for scheme, found in by_scheme.items():
        rows = _placed(found, design)
        result[f"test to training, by {scheme}"] = held_out_distances(
            rows[["x", "y"]].to_numpy(), rows["fold"].to_numpy()
        )
    return result


def _strata(table: pd.DataFrame, scheme: str) -> pd.DataFrame:
    """Scores of the best models under a scheme by stratum, region, year, source, [evaluation] strata, applicability."""
    board = leaderboard(table, scheme).head(_MOST_SHOWN)
    best = set(zip(board["model"], board["features"], strict=True))
    kept = table[(table["scheme"] == scheme) & ~table["scope"].isin(["pooled", "fold", "fold_mean", "block"])]
    kept = kept[[key in best for key in zip(kept["model"], kept["features"], strict=True)]]
    kept = kept[kept["metric"].isin(["rmse", "bias", "r2", "coverage", "width"])]
    index = ["model", "features", "scope", "part", "n"]
    wide = kept.pivot_table(index=index, columns="metric", values="value", sort=False).reset_index()
    return wide.rename_axis(columns=None)


def _html(frame: pd.DataFrame) -> "Markup":
    """A table, whose text pandas escapes."""
    from markupsafe import Markup

    return Markup(frame.to_html(index=False, border=0, na_rep="", float_format=lambda value: f"{value:.3f}"))
