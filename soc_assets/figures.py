"""The look shared by every picture, and turning a figure into PNG bytes.

What a picture shows is decided in the `plots` module of each stage.
"""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPLIT_COLOURS = {"train": "#3b6ea8", "validation": "#e0a030", "test": "#b5403a"}
ACCENT = "#3b6ea8"
MUTED = "#9aa5b1"


def new_figure(width: float = 7.0, height: float = 4.2) -> "Figure":
    """An empty figure of the given size in inches; needs no display and keeps no global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=90)


def to_png(figure: "Figure") -> bytes:
    """The figure as PNG bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
