"""The report of an evaluation: one HTML page with its pictures inside, that asks no other server for anything."""

import base64
import html
from collections.abc import Mapping

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

_MOST_SHOWN = 3  # models by part
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a browser may do for the page: no scripts, nothing from elsewhere."""
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em; color: #222 }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: 13px; margin: 1em 0 } td, th { padding: 3px 9px; text-align: right }
th { border-bottom: 2px solid #888 } tr:nth-child(even) { background: #f3f5f7 } td:first-child, th:first-child,
td:nth-child(2), th:nth-child(2) { text-align: left } img { max-width: 100% } .verdict { font-size: 17px; padding: 12px;
background: #eef3f8; border-left: 5px solid #3b6ea8 } .baseline { border-color: #b5403a; background: #faf0ef }
.note { color: #555 }
"""


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
    """Every picture of the report, PNG bytes by name.

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
    if curves := _calibration(models, done, primary):
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
    design: Design,
    figures: Mapping[str, bytes],
) -> str:
    """The page.

    Args:
        title: its heading.
        notes: lines under it (weights, data, when).
        table: the long table.
        verdicts: by scheme, the primary one first.
        models: out-of-fold predictions, for failures and the target by fold.
        design: samples.
        figures: from `figures_of`.
    """
    parts = [f"<h1>{html.escape(title)}</h1>", *[f'<p class="note">{html.escape(note)}</p>' for note in notes]]
    for scheme, found in verdicts.items():
        kind = "verdict baseline" if found.baseline_wins else "verdict"
        parts.append(f'<h2>Folds by {scheme}</h2><p class="{kind}">{html.escape(found.words)}</p>')
        parts += [_picture(figures, f"leaderboard_{scheme}"), _html(leaderboard(table, scheme))]
    if failed := [found for found in models if found.failed]:
        lines = "".join(
            f"<li>{html.escape(_title(found))}, by {html.escape(found.scheme)}: {found.failed} fold(s): "
            f"{html.escape('; '.join(found.errors))}</li>"
            for found in failed
        )
        parts.append(f"<h2>Failed fits</h2><p>A model with a failed fold has no pooled score.</p><ul>{lines}</ul>")
    parts += ["<h2>Parts of the target</h2>", _html(_strata(table, next(iter(verdicts))))]
    parts += _intervals(table, next(iter(verdicts)), figures)
    parts += ["<h2>Organic carbon by fold</h2>", _html(target_by_fold(models, design))]
    shown = [name for name in figures if not name.startswith("leaderboard_") and name != "interval_bars"]
    parts += [f"<h2>{name.replace('_', ' ').capitalize()}</h2>{_picture(figures, name)}" for name in shown]
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    head = f'<meta charset="utf-8">{policy}<title>{html.escape(title)}</title><style>{_STYLE}</style>'
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{''.join(parts)}</body></html>\n"


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


def _calibration(models: list[OutOfFold], done: list[Done], primary: str) -> dict[str, np.ndarray]:
    curves: dict[tuple[str, str, str], dict[int, tuple[tuple[float, float], ...]]] = {}
    for item in done:
        told = item.result.facts["calibration"] if item.result else None
        if told and item.fit.scheme == primary:
            curves.setdefault((item.fit.scheme, item.fit.model, item.fit.features), {})[item.fit.number] = told["curve"]
    by_key = {found.key: found for found in models if not found.failed}
    return {
        _title(by_key[key]): calibration_curve(by_key[key], of_folds, LEVELS)
        for key, of_folds in curves.items()
        if key in by_key
    }


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


def _intervals(table: pd.DataFrame, scheme: str, figures: Mapping[str, bytes]) -> list[str]:
    """Coverage and width of every model that states intervals, and coverage over blocks."""
    scores, over_blocks = interval_scores(table, scheme), block_coverage(table, scheme)
    if scores.empty:
        return []
    parts = [
        "<h2>Prediction intervals</h2>",
        '<p class="note">Coverage (the share of samples inside their interval) and mean width in g/kg, out of fold: of '
        f"all samples, by stratum of organic carbon, and by region; folds by {html.escape(scheme)}.</p>",
        _picture(figures, "interval_bars"),
        _html(scores),
    ]
    if len(over_blocks):
        parts += ['<p class="note">Coverage over the blocks that hold enough samples:</p>', _html(over_blocks)]
    return parts


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


def _html(frame: pd.DataFrame) -> str:
    table = frame.to_html(index=False, border=0, na_rep="", float_format=lambda value: f"{value:.3f}")
    return f"<div class='wide'>{table}</div>"


def _picture(figures: Mapping[str, bytes], name: str) -> str:
    if name not in figures:
        return ""
    return f'<p><img alt="{name}" src="data:image/png;base64,{base64.b64encode(figures[name]).decode()}"></p>'
