"""Forest plots: a score of many models with its interval, one below the other. They return PNG bytes."""

from typing import TYPE_CHECKING

import pandas as pd

from soc_assets.regression.report.sections import interval, rounded
from soc_assets.reporting.as_text import label
from soc_assets.reporting.figures import ACCENT, MUTED, report_figure, to_png

if TYPE_CHECKING:
    from matplotlib.text import Annotation

MOST = 24
"""Models that are drawn: the best."""
_PLAIN = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
_SIZE = 9.5  # points
_DRAWN = 0.96  # of the width of a figure: the axes
_OUT = 0.6  # below this R2 an interval runs off the axis: a failure needs no scale


def forest(rows: pd.DataFrame, axis: str, reference: float, decimals: int = 2, out: float = _OUT) -> bytes:
    """A score with its interval per model, names above the marks so that long ones are not cut.

    Args:
        rows: model (in words), value, low, high, baseline; the first is drawn on top.
        axis: what the score is, with its unit.
        reference: a vertical line: no better than that.
        decimals: of the numbers beside the marks.
        out: so far below the reference the axis ends, at most.
    """
    shown = rows[rows["value"].notna()].head(MOST).reset_index(drop=True)
    low, high = shown["low"].fillna(shown["value"]), shown["high"].fillna(shown["value"])
    left, right = max(min(low.min(), reference), reference - out), max(high.max(), reference)
    figure = report_figure(1.0 + 0.46 * len(shown))
    axes = figure.subplots()
    for y, row in enumerate(shown.to_dict("records")):
        colour = MUTED if row["baseline"] else ACCENT
        axes.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=2, solid_capstyle="butt")
        axes.plot(row["value"], y, marker="s" if row["baseline"] else "o", color=colour, markersize=6)
        text = f"{rounded(row['value'], decimals)} ({interval(row['low'], row['high'], decimals) or 'no interval'})"
        if row["value"] < left:
            axes.plot(left, y, marker="<", color=colour, markersize=7)
        place = {"xycoords": ("axes fraction", "data"), "va": "bottom", "fontsize": _SIZE, "bbox": _PLAIN}
        name = axes.annotate(label(row["model"]), (0, y - 0.22), **place)
        number = axes.annotate(text, (1, y - 0.22), ha="right", color="#333333", **place)
        _fit(name, figure.get_figwidth() * figure.dpi * _DRAWN - number.get_window_extent().width)
    axes.axvline(reference, color="black", linewidth=0.8)
    pad = 0.04 * (right - left) or 0.1
    axes.set(xlabel=axis, yticks=[], xlim=(left - pad, right + pad), ylim=(len(shown) - 0.4, -0.9))
    axes.spines[["top", "right", "left"]].set_visible(False)
    return to_png(figure)


def _fit(text: "Annotation", width: float) -> None:
    """Make a name smaller until it is so many pixels wide; names are cut at 60 characters, which can be read then."""
    wide = text.get_window_extent().width
    text.set_fontsize(_SIZE * min(1.0, width / wide))
