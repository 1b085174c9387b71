"""A figure of the feature vector: which band and lag is where."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from soc_assets.features.sql.vector import Segment
from soc_assets.reporting.figures import new_figure, to_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def vector_layout(parts: Sequence[Segment]) -> bytes:
    """Bars of the vector's slices, one row per band, PNG bytes; darker is more recent."""
    rows = list(dict.fromkeys(_row(part) for part in parts))
    figure = new_figure(8.0, 1.2 + 0.3 * len(rows))
    axes: Axes = figure.subplots()
    first = 0
    for part in parts:
        lag = part.lag or 0
        shade = max(0.95 - 0.15 * lag, 0.25)
        bar = axes.barh(
            _row(part), part.length, left=first, color="#3b6ea8", alpha=shade, edgecolor="white", height=0.7
        )
        if len(parts) <= 60 and part.lag is not None:
            axes.bar_label(bar, labels=[f"lag {part.lag}"], label_type="center", fontsize=6.5, color="white")
        first += part.length
    axes.invert_yaxis()
    axes.set_xlim(0, first)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set(xlabel="position in the vector", title=f"The feature vector: {first:,} numbers")
    axes.spines[["top", "right"]].set_visible(False)
    return to_png(figure)


def _row(part: Segment) -> str:
    return part.band if part.what == "embedding" else f"{part.band} ({part.what})"
