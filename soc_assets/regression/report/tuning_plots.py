"""Figures of a search for hyperparameters."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from soc_assets.reporting.figures import ACCENT, MUTED, new_figure, to_png

if TYPE_CHECKING:
    pass


def search_history(trials: pd.DataFrame) -> bytes:
    """R2 of every finished trial and the best so far; pruned trials along the bottom."""
    figure = new_figure()
    axes = figure.subplots()
    done = trials[trials["state"] == "COMPLETE"]
    axes.scatter(done["number"], done["value"], s=18, color=ACCENT, label="finished")
    axes.step(done["number"], done["value"].cummax(), where="post", color="black", linewidth=1, label="best so far")
    pruned = trials.loc[trials["state"] == "PRUNED", "number"]
    if len(pruned) and len(done):
        axes.scatter(pruned, [done["value"].min()] * len(pruned), marker="x", color=MUTED, label="pruned")
    axes.set(xlabel="trial", ylabel="R² in the inner folds", title="Search of hyperparameters")
    axes.legend(frameon=False, fontsize=8)
    return to_png(figure)


def parameter_importance(importance: Mapping[str, float]) -> bytes:
    """Share of the trials' variance that each parameter explains."""
    names = sorted(importance, key=lambda name: importance[name])
    figure = new_figure(6.4, 1.2 + 0.34 * len(names))
    axes = figure.subplots()
    axes.barh(names, [importance[name] for name in names], color=ACCENT, height=0.65)
    axes.set(xlabel="importance (fANOVA)", title="Which hyperparameters mattered")
    axes.spines[["top", "right"]].set_visible(False)
    return to_png(figure)
