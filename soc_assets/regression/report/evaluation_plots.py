"""Figures of an evaluation: leaderboard, predictions, residuals, calibration, folds, distances, importance.

Every function returns PNG bytes. The numbers come from `leaderboard`, `scoring` and `explain`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from soc_assets.reporting.as_text import label
from soc_assets.reporting.figures import ACCENT, MUTED, new_figure, to_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_UNIT = "organic carbon, g/kg"
_MOST_BARS = 18
_MOST_REGIONS = 24


def leaderboard_bars(board: pd.DataFrame, scheme: str) -> bytes:
    """R2 with its 95 % interval per model; baselines grey, failed models named without a bar."""
    shown = board.head(_MOST_BARS).iloc[::-1]
    figure = new_figure(8.0, 1.2 + 0.34 * len(shown))
    axes = figure.subplots()
    labels = [
        f"{row.model} on {row.features}" + (f" ({row.failed} failed)" if row.failed else "")
        for row in shown.itertuples()
    ]
    colours = [MUTED if baseline else ACCENT for baseline in shown["baseline"]]
    values = shown["r2"].fillna(0).to_numpy()
    ends = np.abs(np.stack([values - shown["r2_low"].fillna(0), shown["r2_high"].fillna(0) - values]))
    axes.barh(labels, values, color=colours, height=0.65, xerr=ends, ecolor="#444444", capsize=2)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set(xlabel="R² of the pooled out-of-fold predictions, 95 % interval", title=f"Folds by {scheme}")
    axes.set_xlim(left=max(-0.3, min(0.0, float(np.nanmin(values)) * 1.1)))
    axes.spines[["top", "right"]].set_visible(False)
    return to_png(figure)


def predicted_panels(models: Mapping[str, pd.DataFrame]) -> bytes:
    """Observed against predicted, a panel per model, with the 1:1 line.

    Args:
        models: by title, rows with observed and predicted, g/kg.
    """
    figure = new_figure(4.4 * len(models) + 0.4, 4.6)
    top = max(float(np.max([rows["observed"].max(), rows["predicted"].max()])) for rows in models.values()) * 1.04
    for axes, (title, rows) in zip(figure.subplots(1, len(models), squeeze=False)[0], models.items(), strict=True):
        drawn = axes.hexbin(
            rows["observed"],
            rows["predicted"],
            gridsize=45,
            extent=(0, top, 0, top),
            bins="log",
            cmap="viridis",
            mincnt=1,
        )
        figure.colorbar(drawn, ax=axes, label="samples per hexagon", shrink=0.8)
        axes.plot((0, top), (0, top), color="black", linewidth=0.8)
        axes.set(xlim=(0, top), ylim=(0, top), aspect="equal", xlabel=f"observed {_UNIT}", ylabel=f"predicted {_UNIT}")
        axes.set_title(title, fontsize=9)
    return to_png(figure)


def residual_maps(models: Mapping[str, pd.DataFrame]) -> bytes:
    """Where out-of-fold predictions are too high (red) or too low (blue), a panel per model, one scale.

    Args:
        models: by title, rows with longitude, latitude, observed and predicted.
    """
    figure = new_figure(5.4 * len(models), 4.8)
    errors = {title: (rows["predicted"] - rows["observed"]).to_numpy() for title, rows in models.items()}
    limit = max(float(np.quantile(np.abs(error), 0.95)) for error in errors.values()) or 1.0
    for axes, (title, rows) in zip(figure.subplots(1, len(models), squeeze=False)[0], models.items(), strict=True):
        order = np.argsort(np.abs(errors[title]))
        drawn = axes.scatter(
            rows["longitude"].to_numpy()[order],
            rows["latitude"].to_numpy()[order],
            c=errors[title][order],
            cmap="RdBu_r",
            vmin=-limit,
            vmax=limit,
            s=_size(len(rows)),
            linewidths=0,
        )
        figure.colorbar(drawn, ax=axes, extend="both", label="predicted - observed, g/kg", shrink=0.8)
        _as_map(axes, rows, title)
    return to_png(figure)


def calibration_plot(measured: Mapping[str, np.ndarray], levels: Sequence[float]) -> bytes:
    """Measured against nominal coverage of the intervals; the diagonal is the nominal coverage."""
    figure = new_figure(5.4, 5.0)
    axes = figure.subplots()
    axes.plot((0, 1), (0, 1), color=MUTED, linestyle="--", label="as promised")
    for title, shares in measured.items():
        axes.plot(levels, shares, marker="o", markersize=3, label=title)
    axes.set(xlabel="nominal coverage", ylabel="measured coverage", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_title("Calibration of the prediction intervals")
    axes.legend(frameon=False, fontsize=8)
    return to_png(figure)


def interval_bars(scores: pd.DataFrame, level: float) -> bytes:
    """Coverage and mean width of the intervals by part, a colour per model; the dashed line is the nominal coverage.

    Args:
        scores: rows of `interval_scores`; of more than 24 regions, those with the most samples are shown.
        level: share of samples that the intervals should cover.
    """
    parts = scores.drop_duplicates(["scope", "part"])
    regions = parts[parts["scope"] == "region"].nlargest(_MOST_REGIONS, "n")["part"]
    parts = parts[(parts["scope"] != "region") | parts["part"].isin(regions)]
    places = {key: place for place, key in enumerate(zip(parts["scope"], parts["part"], strict=True))}
    labels = [f"{part} g/kg" if scope == "oc_stratum" else label(part) for scope, part in places]
    figure = new_figure(9.6, 1.6 + 0.34 * len(places))
    left, right = figure.subplots(1, 2, sharey=True)
    models = list(scores.groupby(["model", "features"], sort=False))
    for number, ((model, features), rows) in enumerate(models):
        there = rows[[key in places for key in zip(rows["scope"], rows["part"], strict=True)]]
        y = np.array([places[key] for key in zip(there["scope"], there["part"], strict=True)], float)
        y += 0.22 * (number - (len(models) - 1) / 2)
        name = model if features == "chosen" else f"{model} on {features}"
        for axes, metric in ((left, "coverage"), (right, "width")):
            value, low, high = (there[name].to_numpy() for name in (metric, f"{metric}_low", f"{metric}_high"))
            ends = np.abs(np.stack([value - low, high - value]))
            axes.errorbar(value, y, xerr=ends, fmt="o", markersize=4, capsize=2, linewidth=1, label=name)
    left.axvline(level, color=MUTED, linestyle="--", label="promised")
    left.set(xlabel="coverage, 95 % interval", yticks=range(len(places)), yticklabels=labels)
    left.invert_yaxis()
    right.set(xlabel="mean width, g/kg", xlim=(0, None))
    figure.suptitle("Prediction intervals: all samples, strata of organic carbon, regions")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return to_png(figure)


def fold_maps(folds: Mapping[str, pd.DataFrame]) -> bytes:
    """Where the folds lie, a panel per scheme.

    Args:
        folds: by scheme, rows with longitude, latitude and fold.
    """
    columns = min(3, len(folds))
    lines = -(-len(folds) // columns)
    figure = new_figure(4.6 * columns, 4.0 * lines)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, (scheme, rows) in zip(panels, folds.items(), strict=False):
        axes.scatter(
            rows["longitude"],
            rows["latitude"],
            c=rows["fold"] % 20,
            cmap="tab20",
            vmin=0,
            vmax=19,
            s=_size(len(rows)),
            linewidths=0,
        )
        _as_map(axes, rows, f"{scheme}: {rows['fold'].nunique()} folds")
    for axes in panels[len(folds) :]:
        axes.set_axis_off()
    return to_png(figure)


def distance_curves(distances: Mapping[str, np.ndarray]) -> bytes:
    """Cumulative distances to the nearest neighbour: how hard each scheme is compared with the map.

    Args:
        distances: by name, metres: samples to samples, prediction area to samples, and test to training per scheme.
    """
    figure = new_figure(7.4, 4.6)
    axes = figure.subplots()
    smallest = min((float(v[v > 0].min()) for v in distances.values() if (v > 0).any()), default=1.0) / 1000
    for name, values in distances.items():
        kilometres = np.maximum(np.sort(values) / 1000, smallest)
        map_itself, alone = name == "prediction area to samples", name == "samples to samples"
        [line] = axes.step(kilometres, np.arange(1, len(values) + 1) / len(values), where="post", label=name)
        if map_itself:
            line.set(color="black", linewidth=2)
        if alone:
            line.set(color=MUTED, linestyle="--")
    axes.set_xscale("log")
    axes.set(
        xlabel="distance to the nearest neighbour, km", ylabel="share", title="Distances that a prediction must bridge"
    )
    axes.legend(frameon=False, fontsize=8)
    return to_png(figure)


def importance_bars(importance: pd.DataFrame, kind: str, most: int = 15) -> bytes:
    """Increase of the mean squared error when a group is permuted (bars) or set to its mean (dots).

    Args:
        importance: kind, group, permuted, occluded (g/kg squared, per sample).
        kind: what, band, lag, dynamics or window.
        most: groups shown.
    """
    shown = importance[importance["kind"] == kind].sort_values("permuted").tail(most)
    figure = new_figure(7.0, 1.2 + 0.3 * len(shown))
    axes = figure.subplots()
    axes.barh(shown["group"], shown["permuted"], color=ACCENT, height=0.65, label="permuted")
    axes.plot(shown["occluded"], shown["group"], "o", color="#e0a030", label="put to its mean")
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set(xlabel="increase of the mean squared error, (g/kg)²", title=f"Importance by {kind}")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    return to_png(figure)


def dependence_curves(dependence: pd.DataFrame, most: int = 12) -> bytes:
    """Partial dependence of the bands that move the prediction most."""
    names = dependence["band"] + dependence["lag"].map(lambda lag: "" if pd.isna(lag) else f", lag {lag}")
    spread = dependence.groupby(names)["predicted"].agg(lambda values: values.max() - values.min())
    figure = new_figure(7.4, 4.6)
    axes = figure.subplots()
    for name in spread.sort_values(ascending=False).index[:most]:
        part = dependence[names == name]
        axes.plot(part["value"], part["predicted"], label=name)
    axes.set(
        xlabel="point value, standard deviations of the training samples",
        ylabel=f"mean predicted {_UNIT}",
        title="Partial dependence",
    )
    axes.legend(frameon=False, fontsize=7, ncols=2)
    return to_png(figure)


def _as_map(axes: "Axes", rows: pd.DataFrame, title: str) -> None:
    axes.set_aspect(1 / np.cos(np.deg2rad(rows["latitude"].mean())))
    axes.set(xlabel="longitude, °E", ylabel="latitude, °N")
    axes.set_title(title, fontsize=9)


def _size(n: int) -> float:
    return float(np.clip(12_000 / max(n, 1), 2.5, 18))
