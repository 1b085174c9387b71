"""Figures of scores and explanations: predictions, calibration, intervals by part, importance, partial dependence.

Every function returns PNG bytes. The numbers come from `leaderboard`, `scoring` and `explain`. Forests of intervals are
in `forest_plots`, maps and variograms in `spatial_plots`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from soc_assets.regression.words import group_words
from soc_assets.reporting.as_text import label
from soc_assets.reporting.figures import ACCENT, MUTED, report_figure, to_png

UNIT = "organic carbon, g/kg"
_MOST_REGIONS = 24


def predicted_hexagons(rows: pd.DataFrame, most: float) -> bytes:
    """Predicted against observed as counts in hexagons, with the 1:1 line.

    Args:
        rows: observed and predicted, g/kg.
        most: where both axes end, g/kg.
    """
    figure = report_figure(3.9)
    axes = figure.subplots()
    drawn = axes.hexbin(
        rows["observed"],
        rows["predicted"],
        gridsize=40,
        extent=(0, most, 0, most),
        bins="log",
        cmap="viridis",
        mincnt=1,
        linewidths=0.1,
    )
    figure.colorbar(drawn, ax=axes, label="samples per hexagon", shrink=0.8, format="%g")
    axes.plot((0, most), (0, most), color="black", linewidth=0.8)
    axes.set(xlim=(0, most), ylim=(0, most), aspect="equal", xlabel=f"observed {UNIT}", ylabel=f"predicted {UNIT}")
    return to_png(figure)


def calibration_plot(measured: Mapping[str, np.ndarray], levels: Sequence[float]) -> bytes:
    """Measured against nominal coverage of the intervals; the diagonal is the nominal coverage."""
    figure = report_figure(4.6)
    axes = figure.subplots()
    axes.plot((0, 1), (0, 1), color=MUTED, linestyle="--", label="nominal")
    for title, shares in measured.items():
        axes.plot(levels, shares, marker="o", markersize=3, label=label(title))
    axes.set(xlabel="nominal coverage", ylabel="measured coverage", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    figure.legend(loc="outside lower center", frameon=False, fontsize=9)
    return to_png(figure)


def transform_histograms(transforms: Mapping[str, np.ndarray]) -> bytes:
    """Histograms of probability integral transforms, a panel per model; the dashed line is uniform."""
    figure = report_figure(1.9 * len(transforms) + 0.4)
    for axes, (title, values) in zip(
        figure.subplots(len(transforms), squeeze=False)[:, 0], transforms.items(), strict=True
    ):
        axes.hist(values, np.linspace(0, 1, 21), weights=np.full(len(values), 20 / len(values)), color=ACCENT)
        axes.axhline(1, color=MUTED, linestyle="--")
        axes.set(title=label(title), xlim=(0, 1), ylabel="density")
    axes.set_xlabel("predicted probability of less than observed")
    return to_png(figure)


def interval_marks(scores: pd.DataFrame, metric: str, level: float | None = None) -> bytes:
    """Coverage or mean width of prediction intervals by part, with its own interval, a colour per model.

    Args:
        scores: part (in words), model (in words), n, and the metric with `_low` and `_high`.
        metric: `coverage` or `width`.
        level: the nominal coverage, a dashed line.
    """
    parts = list(dict.fromkeys(scores["part"]))
    figure = report_figure(1.3 + 0.36 * len(parts) + 0.22 * scores["model"].nunique())
    axes = figure.subplots()
    for number, (model, rows) in enumerate(scores.groupby("model", sort=False)):
        value, low, high = (rows[name].to_numpy(float) for name in (metric, f"{metric}_low", f"{metric}_high"))
        y = np.array([parts.index(part) for part in rows["part"]]) + 0.2 * number - 0.1
        axes.errorbar(
            value, y, xerr=np.abs([value - low, high - value]), fmt="o", markersize=4, label=label(str(model))
        )
    if level is not None:
        axes.axvline(level, color=MUTED, linestyle="--", label="nominal")
    axes.set(yticks=range(len(parts)), yticklabels=[label(part) for part in parts])
    axes.set_xlabel("coverage" if metric == "coverage" else "mean width, g/kg")
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", frameon=False, fontsize=9)
    return to_png(figure)


def importance_bars(
    importance: pd.DataFrame, kind: str, most: int = 15, labels: Mapping[str, str] | None = None
) -> bytes:
    """Increase of the mean squared error when a group is permuted (bars) or set to its mean (dots).

    Args:
        importance: kind, group, permuted, occluded (g/kg squared, per sample).
        kind: what, band, lag, dynamics or window.
        most: groups shown.
        labels: of bands, by their names.
    """
    shown = importance[importance["kind"] == kind].sort_values("permuted").tail(most)
    figure = report_figure(1.3 + 0.3 * len(shown))
    axes, names = figure.subplots(), [label(group_words(kind, group, labels)) for group in shown["group"]]
    axes.barh(names, shown["permuted"], color=ACCENT, height=0.65, label="permuted")
    axes.plot(shown["occluded"], names, "o", color="#e0a030", label="set to its mean")
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set(xlabel="increase of the mean squared error, (g/kg)²")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    return to_png(figure)


def dependence_curves(dependence: pd.DataFrame, most: int = 6, labels: Mapping[str, str] | None = None) -> bytes:
    """Partial dependence of the bands that move the prediction most, a panel each, on one scale.

    Args:
        dependence: band, lag, value, predicted; lowest and highest over the folds, where there are several.
        most: bands shown.
        labels: of bands, by their names.
    """
    names, shown = band_and_lag(dependence), strongest(dependence, most)
    titles = dict(zip(names, band_and_lag(dependence.assign(band=_labelled(dependence["band"], labels))), strict=True))
    lines = -(-len(shown) // 2)
    figure = report_figure(0.7 + 1.7 * lines)
    panels = figure.subplots(lines, 2, sharey=True, squeeze=False).ravel()
    for axes, name in zip(panels, shown, strict=False):
        part = dependence[names == name]
        axes.plot(part["value"], part["predicted"], color=ACCENT)
        if "lowest" in part:
            axes.fill_between(part["value"], part["lowest"], part["highest"], color=ACCENT, alpha=0.2, linewidth=0)
        axes.set_title(label(titles[name]), fontsize=9)
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    figure.supxlabel("point value, standard deviations of the training samples", fontsize=10)
    figure.supylabel("mean predicted OC, g/kg", fontsize=10)
    return to_png(figure)


def _labelled(bands: "pd.Series[str]", labels: Mapping[str, str] | None) -> "pd.Series[str]":
    return bands.map(lambda band: (labels or {}).get(str(band), band))


def strongest(dependence: pd.DataFrame, most: int) -> list[str]:
    """The bands (with their lag) that move the mean prediction most, the first one most."""
    spread = dependence.groupby(band_and_lag(dependence), sort=False)["predicted"].agg(np.ptp)
    return [str(name) for name in spread.sort_values(ascending=False, kind="stable").index[:most]]


def band_and_lag(dependence: pd.DataFrame) -> "pd.Series[str]":
    """`LAI, lag 1` of every row; static bands have no lag."""
    return dependence["band"] + dependence["lag"].map(lambda lag: "" if pd.isna(lag) else f", lag {int(lag)}")
