"""A figure becomes the same picture that matplotlib's savefig makes of it, whatever its texts are."""

import io

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.text import Text

from soc_assets.reporting.figures import new_figure, to_png


def compose() -> Figure:
    """Two panels whose long labels only a layout keeps apart, a legend and a colour bar."""
    figure = new_figure()
    for axes in figure.subplots(1, 2):
        image = axes.imshow(np.arange(12).reshape(3, 4), label="a")
        axes.plot([0, 3], [0, 2], label="price in $ or $/t")
        axes.set(xlabel="a long label", ylabel="on two\nlines", title="costs $5 and $x_2$")
        axes.legend()
    figure.colorbar(image)
    return figure


@pytest.fixture
def saved() -> bytes:
    figure, buffer = compose(), io.BytesIO()
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    with rc_context({"text.parse_math": False}):
        figure.savefig(buffer, format="png")
    return buffer.getvalue()


def test_picture_is_that_of_savefig(saved):
    assert to_png(compose()) == saved


def test_picture_of_a_figure_without_a_layout_is_drawn_too(saved):
    figure = compose()
    figure.set_layout_engine("none")
    picture = to_png(figure)
    assert picture.startswith(b"\x89PNG") and picture != saved
