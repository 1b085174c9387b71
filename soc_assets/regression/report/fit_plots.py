"""Figures of the regression: what was learnt, how well it predicts, and where it fails.

Every function returns PNG bytes for the Dagster UI and MLflow. The numbers come from `soc_assets.regression.metrics`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from soc_assets.regression.metrics import Scores
from soc_assets.regression.models.epochs import EpochReport
from soc_assets.reporting.as_text import percent
from soc_assets.reporting.figures import MUTED, SPLIT_COLOURS, new_figure, to_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_UNIT = "organic carbon, g/kg"
_MOST_POINTS = 2000


def loss_curve(history: Sequence[EpochReport], best_epoch: int) -> bytes:
    """Training and validation loss by epoch, with the epoch whose weights were kept."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(7.0, 4.8)
    axes = figure.subplots()
    epochs = [report.epoch for report in history]
    marker = "o" if len(history) < 15 else None
    axes.plot(
        epochs,
        [report.train_loss for report in history],
        color=SPLIT_COLOURS["train"],
        marker=marker,
        label="train (with dropout and balancing)",
    )
    validation = [report.validation_loss for report in history]
    if np.isfinite(validation).any():
        axes.plot(epochs, validation, color=SPLIT_COLOURS["validation"], marker=marker, label="validation")
        axes.axvline(best_epoch, color=MUTED, linestyle="--", label=f"weights kept: epoch {best_epoch}")
    axes.axhline(1, color=MUTED, linestyle=":", label="predicting the training mean (1 on train)")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="epoch", ylabel="mean squared error of the\nstandardised organic carbon", title="Loss by epoch")
    figure.legend(frameon=False, loc="outside lower center", ncols=2)
    return to_png(figure)


def observed_predicted(
    observed: np.ndarray, predicted: np.ndarray, split: np.ndarray, scores: Mapping[str, Scores], note: str = ""
) -> bytes:
    """Observed against predicted organic carbon, one panel each for validation and test, with the 1:1 line.

    Args:
        observed: g/kg, [n].
        predicted: g/kg, [n].
        split: train, validation or test, [n].
        scores: by split; shown in the panel titles.
        note: what the scores are based on, for example that the weights are random; shown in the panel titles.
    """
    shown = [name for name in ("validation", "test") if (split == name).any()] or ["train"]
    crowded = any((split == name).sum() > _MOST_POINTS for name in shown)
    figure = new_figure((5.4 if crowded else 4.4) * len(shown) + 0.4, 4.9)
    values = np.concatenate([np.r_[observed[split == name], predicted[split == name]] for name in shown])
    limits = (min(0.0, values.min()), values.max() * 1.04)
    for axes, name in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        here = split == name
        _density_scatter(axes, observed[here], predicted[here], limits, SPLIT_COLOURS[name])
        axes.plot(limits, limits, color="black", linewidth=0.8, label="1:1")
        found = scores[name]
        title = f"{name}: R² {found.r2:.2f}, RMSE {found.rmse:.1f} g/kg, n = {found.n:,}"
        axes.set_title(f"{title}\n{note}" if note else title, fontsize=9)
        axes.set(xlim=limits, ylim=limits, aspect="equal", xlabel=f"observed {_UNIT}", ylabel=f"predicted {_UNIT}")
        axes.legend(frameon=False, loc="upper left")
    return to_png(figure)


def _density_scatter(axes: "Axes", x: np.ndarray, y: np.ndarray, limits: tuple[float, float], colour: str) -> None:
    """Points, or hexagons with a logarithmic count where points would hide each other."""
    if len(x) <= _MOST_POINTS:
        axes.scatter(x, y, s=14, color=colour, alpha=0.45, linewidths=0)
        return
    hexagons = axes.hexbin(x, y, gridsize=60, extent=(*limits, *limits), bins="log", cmap="viridis", mincnt=1)
    axes.figure.colorbar(hexagons, ax=axes, label="samples per hexagon", shrink=0.8)


def residual_map(longitude: np.ndarray, latitude: np.ndarray, residual: np.ndarray) -> bytes:
    """Where the test predictions are too high (red) or too low (blue).

    Args:
        longitude: WGS84 degrees, [n].
        latitude: WGS84 degrees, [n].
        residual: predicted - observed, g/kg, [n]; drawn with the largest on top, colours end at the 98th percentile.
    """
    figure = new_figure(7.0, 5.2)
    axes = figure.subplots()
    if len(residual):
        limit = float(np.quantile(np.abs(residual), 0.98)) or 1.0
        order = np.argsort(np.abs(residual))
        points = axes.scatter(
            longitude[order],
            latitude[order],
            c=residual[order],
            cmap="RdBu_r",
            vmin=-limit,
            vmax=limit,
            s=22,
            edgecolors="#555555",
            linewidths=0.3,
        )
        figure.colorbar(points, ax=axes, extend="both", label="predicted - observed, g/kg")
        axes.set_aspect(1 / np.cos(np.deg2rad(latitude.mean())))
    axes.set(xlabel="longitude, °E", ylabel="latitude, °N", title=f"Residuals of the test split, n = {len(residual):,}")
    return to_png(figure)


def target_distribution(organic_carbon: np.ndarray, split: np.ndarray) -> bytes:
    """Organic carbon by split as densities on logarithmic bins: the splits should look alike.

    Args:
        organic_carbon: g/kg, [n]; zeros are drawn in the lowest bin.
        split: train, validation or test, [n].
    """
    figure = new_figure()
    axes = figure.subplots()
    positive = organic_carbon[organic_carbon > 0]
    low, high = (positive.min(), positive.max()) if len(positive) else (1.0, 10.0)
    bins = np.geomspace(low, max(high, low * 1.01), 25)
    for name, colour in SPLIT_COLOURS.items():
        values = np.clip(organic_carbon[split == name], low, None)
        if len(values):
            label = f"{name}: n = {len(values):,}, median {np.median(values):.1f} g/kg"
            share = np.full(len(values), 1 / len(values))
            axes.hist(values, bins=list(bins), weights=share, histtype="step", color=colour, linewidth=1.6, label=label)
    axes.axvline(
        organic_carbon.mean(), color=MUTED, linestyle=":", label=f"mean of all {organic_carbon.mean():.1f} g/kg"
    )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(lambda value, _: percent(value, 0))
    axes.set(xlabel=_UNIT, ylabel="share of the split's samples", title="Organic carbon by split")
    figure.legend(frameon=False, loc="outside lower center", ncols=2)
    return to_png(figure)
