"""A picture of a map for the UI, read from its overviews."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import Resampling

from soc_assets.mapping.layers import QUALITY
from soc_assets.mapping.quality_classes import CLASSES, COLOURS
from soc_assets.reporting.figures import new_figure, to_png

_EDGE = 512


def picture_of_map(folder: Path, facts: dict[str, Any]) -> bytes:
    """Organic carbon beside the classes of quality, PNG."""
    from matplotlib.colors import BoundaryNorm, ListedColormap

    carbon, quality = (_decimated(folder / facts["files"][name]) for name in ("organic_carbon", QUALITY.name))
    figure = new_figure(10.0, 4.6)
    left, right = figure.subplots(1, 2)
    shown = left.imshow(carbon, cmap="YlOrBr", interpolation="nearest")
    figure.colorbar(shown, ax=left, label="organic carbon, g/kg", shrink=0.8)
    colours = ListedColormap([tuple(part / 255 for part in COLOURS[number]) for number in CLASSES])
    found = right.imshow(quality, cmap=colours, norm=BoundaryNorm(np.arange(-0.5, 6), 6), interpolation="nearest")
    bar = figure.colorbar(found, ax=right, ticks=list(CLASSES), shrink=0.8)
    bar.ax.set_yticklabels(list(CLASSES.values()), fontsize=7)
    for axes, words in ((left, f"{facts['period']}"), (right, "where it may be believed")):
        axes.set_title(words, fontsize=10)
        axes.set_axis_off()
    return to_png(figure)


def _decimated(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        scale = max(1.0, max(dataset.shape) / _EDGE)
        shape = tuple(max(1, round(size / scale)) for size in dataset.shape)
        values = dataset.read(1, out_shape=shape, resampling=Resampling.nearest, masked=True)
        return np.ma.filled(values.astype(float) * dataset.scales[0], np.nan)
