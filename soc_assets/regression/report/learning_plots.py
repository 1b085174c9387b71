"""Figures of the supplementary analyses: learning curve, offsets of sources, the documented network's choices.

Every function returns PNG bytes. The numbers come from `soc_assets.regression.evaluation.supplement`.
"""

import numpy as np
import pandas as pd

from soc_assets.reporting.as_text import label
from soc_assets.reporting.figures import ACCENT, MUTED, new_figure, to_png

_MOST_SOURCES = 24


def curve_plot(curve: pd.DataFrame) -> bytes:
    """R2 and RMSE with their 95 % intervals against the number of locations fitted on.

    Args:
        curve: the table `learning_curve`.
    """
    figure = new_figure(8.6, 3.9)
    known = curve.dropna(subset=["r2"])
    for axes, metric, words in zip(
        figure.subplots(1, 2), ("r2", "rmse"), ("R² of the pooled predictions", "RMSE, g/kg"), strict=True
    ):
        value, low, high = (known[f"{metric}{end}"].to_numpy() for end in ("", "_low", "_high"))
        axes.errorbar(known["locations"], value, yerr=_ends(value, low, high), fmt="o-", color=ACCENT, capsize=3)
        for place, share, height in zip(known["locations"], known["share"], value, strict=True):
            axes.annotate(f"{share:.0%}", (place, height), xytext=(5, 6), textcoords="offset points", fontsize=8)
        axes.set(xlabel="locations fitted on, mean of the folds", ylabel=f"{words}, 95 % interval")
        axes.set_xlim(0, float(known["locations"].max()) * 1.12 if len(known) else 1)
        axes.spines[["top", "right"]].set_visible(False)
    return to_png(figure)


def offset_plot(offsets: pd.DataFrame) -> bytes:
    """Mean residual of each source with its 95 % interval; above zero it measures more than the model expects.

    Args:
        offsets: the table `source_offsets`.
    """
    shown = offsets.head(_MOST_SOURCES).iloc[::-1] if len(offsets) > _MOST_SOURCES else offsets.iloc[::-1]
    figure = new_figure(7.4, 1.3 + 0.36 * len(shown))
    axes = figure.subplots()
    value, low, high = (shown[f"offset{end}"].to_numpy() for end in ("", "_low", "_high"))
    labels = [f"{label(source)} ({n:,})" for source, n in zip(shown["source"], shown["n"], strict=True)]
    places = np.arange(len(shown))
    axes.errorbar(value, places, xerr=_ends(value, low, high), fmt="o", color=ACCENT, capsize=3)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set(xlabel="mean of observed - predicted, g/kg, 95 % interval", yticks=places, yticklabels=labels)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.spines[["top", "right"]].set_visible(False)
    return to_png(figure)


def choices_plot(choices: pd.DataFrame) -> bytes:
    """R2 of each variant minus that of the documented network, with the 95 % interval of the paired difference.

    Args:
        choices: the table `network_choices`.
    """
    shown = choices.dropna(subset=["difference"]).iloc[::-1]
    figure = new_figure(7.8, 1.3 + 0.42 * len(shown))
    axes = figure.subplots()
    value, low, high = (shown[f"difference{end}"].to_numpy() for end in ("", "_low", "_high"))
    places = np.arange(len(shown))
    whole = (shown["choice"] == "current practice").to_numpy()
    for members, colour in ((~whole, ACCENT), (whole, MUTED)):
        axes.errorbar(
            value[members], places[members], xerr=_ends(value, low, high)[:, members], fmt="o", color=colour, capsize=3
        )
    labels = [f"{choice}: {instead}" for choice, instead in zip(shown["choice"], shown["instead"], strict=True)]
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set(xlabel="R² minus that of the documented MLP, 95 % interval", yticks=places, yticklabels=labels)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.spines[["top", "right"]].set_visible(False)
    return to_png(figure)


def _ends(value: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Lengths [2, n] of error bars; none where an end is not known."""
    return np.nan_to_num(np.abs(np.stack([value - low, high - value])))
