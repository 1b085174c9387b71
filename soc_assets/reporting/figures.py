"""The look shared by every figure, and turning a figure into PNG bytes.

What a figure shows is decided in the `plots` module of each stage.
"""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPLIT_COLOURS = {"train": "#3b6ea8", "validation": "#e0a030", "test": "#b5403a"}
ACCENT = "#3b6ea8"
MUTED = "#9aa5b1"
PRINT_WIDTH = 4.8  # inches of a figure of a report: text of 10 points can be read on a telephone, too
PRINT_DPI = 160


def new_figure(width: float = 7.0, height: float = 4.2, dpi: int = 90) -> "Figure":
    """An empty figure of the given size in inches; needs no display and keeps no global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=dpi)


def report_figure(height: float = 4.0) -> "Figure":
    """An empty figure for a report, of the given height in inches: narrow, and sharp in print."""
    return new_figure(PRINT_WIDTH, height, PRINT_DPI)


def to_png(figure: "Figure") -> bytes:
    """The figure as PNG bytes; $ is a character like any other: what others call things is not a formula."""
    from matplotlib import rc_context
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)
    with rc_context({"text.parse_math": False}):  # of the ticks, which are made while it is drawn
        return _draw(figure)


def _draw(figure: "Figure") -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure)  # one renderer, which knows the sizes of texts, for layout and drawing
    if engine := figure.get_layout_engine():  # once, here: savefig would draw everything twice for its sake
        engine.execute(figure)
        figure.set_layout_engine(None)
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
