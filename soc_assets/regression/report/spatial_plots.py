"""Figures of places and distances: residuals, folds, nearest neighbours, semivariograms. All return PNG bytes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from soc_assets.regression.evaluation.variogram import Exponential, Semivariogram
from soc_assets.reporting.as_text import label
from soc_assets.reporting.figures import ACCENT, MUTED, report_figure, to_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def residual_map(rows: pd.DataFrame, limit: float) -> bytes:
    """Where out-of-fold predictions are too high (red) or too low (blue).

    Args:
        rows: longitude, latitude, observed and predicted.
        limit: where the colours end, g/kg.
    """
    figure = report_figure(_height(rows))
    axes, error = figure.subplots(), (rows["predicted"] - rows["observed"]).to_numpy()
    order = np.argsort(np.abs(error))
    drawn = axes.scatter(
        rows["longitude"].to_numpy()[order],
        rows["latitude"].to_numpy()[order],
        c=error[order],
        cmap="RdBu_r",
        vmin=-limit,
        vmax=limit,
        s=_size(len(rows)),
        linewidths=0,
    )
    figure.colorbar(drawn, ax=axes, extend="both", label="predicted - observed, g/kg", shrink=0.8)
    _as_map(axes, rows)
    return to_png(figure)


def fold_map(rows: pd.DataFrame) -> bytes:
    """Where the folds of a scheme lie.

    Args:
        rows: longitude, latitude and fold.
    """
    figure = report_figure(_height(rows))
    axes = figure.subplots()
    colour, size = rows["fold"] % 20, _size(len(rows))
    axes.scatter(rows["longitude"], rows["latitude"], c=colour, cmap="tab20", vmin=0, vmax=19, s=size, linewidths=0)
    _as_map(axes, rows)
    return to_png(figure)


def distance_curves(distances: Mapping[str, np.ndarray], stressed: str, reference: str) -> bytes:
    """Cumulative distances to the nearest neighbour: how hard each scheme is compared with the map.

    Args:
        distances: by name, metres.
        stressed: the name that is drawn black: the map's.
        reference: the name that is drawn grey: the samples among themselves.
    """
    figure = report_figure(4.8)
    axes = figure.subplots()
    smallest = min((float(v[v > 0].min()) for v in distances.values() if (v > 0).any()), default=1.0) / 1000
    for name, values in distances.items():
        kilometres = np.maximum(np.sort(values) / 1000, smallest)
        [line] = axes.step(
            kilometres, np.arange(1, len(values) + 1) / len(values), where="post", label=label(name), linewidth=1.5
        )
        if name == stressed:
            line.set(color="black", linewidth=2.2)
        if name == reference:
            line.set(color=MUTED, linestyle="--")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set(xlabel="distance to the nearest neighbour, km", ylabel="cumulative share")
    figure.legend(loc="outside lower center", frameon=False, fontsize=9)
    return to_png(figure)


def variogram_plot(found: Semivariogram, model: Exponential | None, variance: float, unit: str) -> bytes:
    """Semivariance by distance, with the number of pairs as the size of a point, the fitted model and the variance.

    Args:
        found: the empirical semivariogram.
        model: fitted to it, or None.
        variance: of the observations, a dashed line.
        unit: of the semivariance.
    """
    figure = report_figure(4.0)
    axes, kilometres = figure.subplots(), found.distance / 1000
    size = 12 + 60 * found.pairs / max(found.pairs.max(initial=1), 1)
    axes.scatter(kilometres, found.semivariance, s=size, color=ACCENT, label="residuals, by distance class")
    if model is not None:
        line = np.linspace(1e-3, found.distance.max(initial=1.0), 300)
        axes.plot(line / 1000, model(line), color="black", linewidth=1.2, label="nugget and exponential model")
        axes.plot(0, model.nugget, "D", color="black", markersize=5, clip_on=False, label="nugget")
    axes.axhline(variance, color=MUTED, linestyle="--", label="variance of the observations")
    axes.set(xlim=(0, None), ylim=(0, None), xlabel="distance, km", ylabel=f"semivariance, {unit}")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", frameon=False, fontsize=9, ncols=2)
    return to_png(figure)


def _as_map(axes: "Axes", rows: pd.DataFrame) -> None:
    axes.set_aspect(1 / np.cos(np.deg2rad(rows["latitude"].mean())))
    axes.set(xlabel="longitude, °E", ylabel="latitude, °N")


def _height(rows: pd.DataFrame) -> float:
    """Inches of a figure in which the map of these places has no empty bands above and below it."""
    wide = float(np.ptp(rows["longitude"])) * np.cos(np.deg2rad(rows["latitude"].mean()))
    return float(np.clip(3.3 * np.ptp(rows["latitude"]) / max(wide, 1e-6), 1.6, 6.0)) + 0.7


def _size(n: int) -> float:
    return float(np.clip(12_000 / max(n, 1), 2.5, 18))
