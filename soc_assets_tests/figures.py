"""Figures that are composed in full, but drawn only where somebody looks at them: drawing is most of their cost."""

from contextlib import AbstractContextManager
from unittest import mock

from matplotlib.figure import Figure

from soc_assets.reporting import figures

_draw = figures._draw


def undrawn() -> AbstractContextManager[object]:
    """Every figure is the same small picture."""
    return mock.patch.object(figures, "_draw", lambda figure: _draw(Figure(figsize=(0.1, 0.1))))


def drawn() -> AbstractContextManager[object]:
    """As in the product, also within `undrawn`."""
    return mock.patch.object(figures, "_draw", _draw)
