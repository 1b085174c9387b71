"""Figures of the supplementary analyses: learning curve, offsets of sources, the documented network's choices.

Every function returns PNG bytes. The numbers come from `soc_assets.regression.evaluation.supplement`.
"""

import numpy as np
import pandas as pd

from soc_assets.regression.report.forest_plots import forest
from soc_assets.reporting.as_text import percent
from soc_assets.reporting.figures import ACCENT, report_figure, to_png

CURVES = {"r2": "R2", "rmse": "RMSE, g/kg"}
"""Scores of which there is a learning curve, and what they are called."""


def curve_plot(curve: pd.DataFrame, metric: str) -> bytes:
    """A score with its 95 % interval against the number of locations fitted on.

    Args:
        curve: the table `learning_curve`.
        metric: one of `CURVES`.
    """
    known, figure = curve.dropna(subset=["r2"]), report_figure(3.2)
    axes = figure.subplots()
    value, low, high = (known[f"{metric}{end}"].to_numpy() for end in ("", "_low", "_high"))
    ends = np.nan_to_num(np.abs(np.stack([value - low, high - value])))  # no bar where an end is not known
    axes.errorbar(known["locations"], value, yerr=ends, fmt="o-", color=ACCENT, capsize=3)
    for place, share, height in zip(known["locations"], known["share"], value, strict=True):
        axes.annotate(percent(share, 0), (place, height), xytext=(4, 5), textcoords="offset points", fontsize=9)
    axes.set(xlabel="locations fitted on, mean of the folds", ylabel=CURVES[metric])
    axes.set_xlim(0, float(known["locations"].max()) * 1.15 if len(known) else 1)
    axes.spines[["top", "right"]].set_visible(False)
    return to_png(figure)


def offset_plot(offsets: pd.DataFrame) -> bytes:
    """Mean residual of each source with its 95 % interval; above zero it measures more than the model expects.

    Args:
        offsets: the table `source_offsets`.
    """
    names = [f"{source} (n = {n:,})" for source, n in zip(offsets["source"], offsets["n"], strict=True)]
    return forest(_rows(offsets, "offset", names), "mean of observed minus predicted, g/kg", 0.0, out=np.inf)


def choices_plot(choices: pd.DataFrame) -> bytes:
    """R2 of each variant minus that of the documented network, with the 95 % interval of the paired difference.

    Args:
        choices: the table `network_choices`.
    """
    names = [f"{choice}: {instead}" for choice, instead in zip(choices["choice"], choices["instead"], strict=True)]
    rows = _rows(choices, "difference", names).assign(baseline=(choices["choice"] == "current practice").to_numpy())
    return forest(rows, "R2 minus that of the documented MLP", 0.0, 3)


def _rows(table: pd.DataFrame, column: str, names: list[str]) -> pd.DataFrame:
    """What `forest` draws, of a column and its ends."""
    ends = {"value": "", "low": "_low", "high": "_high"}
    return pd.DataFrame(
        {"model": names, **{name: table[f"{column}{end}"].tolist() for name, end in ends.items()}}
    ).assign(baseline=False)
