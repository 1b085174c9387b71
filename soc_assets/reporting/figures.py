"""The look shared by every figure, and turning a figure into PNG bytes, or into files for a publication.

What a figure shows is decided in the `plots` module of each stage.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPLIT_COLOURS = {"train": "#3b6ea8", "validation": "#e0a030", "test": "#b5403a"}
ACCENT = "#3b6ea8"
MUTED = "#9aa5b1"
PRINT_WIDTH = 4.8  # inches of a figure of a report: text of 10 points can be read on a telephone, too
PRINT_DPI = 160
PUBLICATION_DPI = 300
FORMATS = ("pdf", "svg", "png")
"""Of figures for a publication."""
_FINER = 4  # times as many pixels of a raster along each edge as on a screen
_PUBLISHED: ContextVar["Publication | None"] = ContextVar("soc_assets_publication", default=None)
_FONTS: Any = {"pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "soc_assets"}  # embedded; always the same
_UNDATED: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}


def new_figure(width: float = 7.0, height: float = 4.2, dpi: int = 90) -> "Figure":
    """An empty figure of the given size in inches; needs no display and keeps no global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=dpi)


def report_figure(height: float = 4.0) -> "Figure":
    """An empty figure for a report, of the given height in inches: narrow, and sharp in print."""
    return new_figure(PRINT_WIDTH, height, PRINT_DPI)


class Publication:
    """What is drawn inside `publication`, in the formats that it is asked for."""

    def __init__(self, formats: Sequence[str]) -> None:
        self.formats = tuple(formats)
        self._drawn: dict[bytes, dict[str, bytes]] = {}

    def files(self, png: bytes) -> dict[str, bytes]:
        """The content of a figure's file in every format, by what `to_png` returned of it."""
        return {**self._drawn[png], **({"png": png} if "png" in self.formats else {})}

    def add(self, png: bytes, figure: "Figure") -> None:
        """Draw a figure in the formats that are no PNG."""
        self._drawn[png] = {kind: _saved(figure, kind) for kind in self.formats if kind != "png"}


@contextmanager
def publication(formats: Sequence[str]) -> Iterator[Publication]:
    """Inside the block figures are drawn for print: at 300 dpi, rasters finer, and in these formats, too.

    Args:
        formats: of `FORMATS`.
    """
    made = Publication(formats)
    token = _PUBLISHED.set(made)
    try:
        yield made
    finally:
        _PUBLISHED.reset(token)


def pixels(screen: int) -> int:
    """Pixels along an edge of a picture of a raster: so many on a screen, more for print."""
    return screen * _FINER if _PUBLISHED.get() else screen


def to_png(figure: "Figure") -> bytes:
    """The figure as PNG bytes; $ is a character like any other: what others call things is not a formula."""
    from matplotlib import rc_context
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)
    published = _PUBLISHED.get()
    with rc_context({"text.parse_math": False}):  # of the ticks, which are made while it is drawn
        if published is None:
            return _draw(figure)
        figure.set_dpi(PUBLICATION_DPI)
        png = _draw(figure)
        published.add(png, figure)
        return png


def _saved(figure: "Figure", kind: str) -> bytes:
    from matplotlib import rc_context

    buffer = io.BytesIO()
    with rc_context(_FONTS):
        figure.savefig(buffer, format=kind, dpi=figure.dpi, metadata=_UNDATED[kind])
    return buffer.getvalue()


def _draw(figure: "Figure") -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure)  # one renderer, which knows the sizes of texts, for layout and drawing
    if engine := figure.get_layout_engine():  # once, here: savefig would draw everything twice for its sake
        engine.execute(figure)
        figure.set_layout_engine(None)
    figure.savefig(buffer, format="png", dpi=figure.dpi)
    return buffer.getvalue()
