"""Pictures of maps and changes for the UI, read from their overviews."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.enums import Resampling

from soc_assets.mapping.change import classes as change_classes
from soc_assets.mapping.layers import QUALITY
from soc_assets.mapping.quality_classes import CLASSES, COLOURS
from soc_assets.mapping.read_layer import open_layer
from soc_assets.reporting.figures import new_figure, pixels, report_figure, to_png

_EDGE = 512


def picture_of_map(folder: Path, facts: dict[str, Any]) -> bytes:
    """Organic carbon beside the classes of quality, PNG."""
    carbon, quality = (_decimated(folder / facts["files"][name]) for name in ("organic_carbon", QUALITY.name))
    figure = new_figure(10.0, 4.6)
    left, right = figure.subplots(1, 2)
    shown = left.imshow(carbon, cmap="YlOrBr", interpolation="nearest")
    figure.colorbar(shown, ax=left, label="organic carbon, g/kg", shrink=0.8)
    _show_classes(figure, right, quality, CLASSES, COLOURS)
    _title(left, facts["period"])
    _title(right, "where it may be believed")
    return to_png(figure)


def carbon_and_width(folder: Path, facts: dict[str, Any]) -> tuple[bytes, bytes] | None:
    """Organic carbon, and how wide its prediction interval is, as two PNG for a report.

    Returns:
        Both pictures; None for a map that was written without the ends of the interval.
    """
    names = ("organic_carbon", "lower", "upper")
    if not set(names) <= set(facts["files"]):
        return None
    carbon, lower, upper = (_decimated(folder / facts["files"][name]) for name in names)
    return _of_report(carbon, "YlOrBr", "organic carbon, g/kg"), _of_report(
        upper - lower, "viridis", "width of the prediction interval, g/kg"
    )


def _of_report(values: np.ndarray, colours: str, words: str) -> bytes:
    figure = report_figure(4.4)
    axes = figure.subplots()
    shown = axes.imshow(values, cmap=colours, interpolation="nearest")
    figure.colorbar(shown, ax=axes, label=words, shrink=0.8)
    axes.set_axis_off()
    return to_png(figure)


def picture_of_change(folder: Path, facts: dict[str, Any]) -> bytes:
    """A change, with zero in the middle of the colours, beside its classes, PNG."""
    change, beyond = (_decimated(folder / facts["files"][name]) for name in ("change", "beyond_uncertainty"))
    figure = new_figure(10.0, 4.6)
    left, right = figure.subplots(1, 2)
    known = np.abs(change[np.isfinite(change)])
    most = float(np.percentile(known, 98)) if len(known) else 1.0
    shown = left.imshow(change, cmap="BrBG", vmin=-max(most, 1e-6), vmax=max(most, 1e-6), interpolation="nearest")
    figure.colorbar(shown, ax=left, label="change of organic carbon, g/kg", shrink=0.8)
    _show_classes(figure, right, beyond, change_classes.CLASSES, change_classes.CLASS_COLOURS)
    _title(left, f"{facts['after']} minus {facts['before']}")
    _title(right, "more than the uncertainty?")
    return to_png(figure)


def _show_classes(
    figure: Any, axes: Any, values: np.ndarray, classes: Mapping[int, str], colours: Mapping[int, tuple[int, ...]]
) -> None:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    chosen = ListedColormap([tuple(part / 255 for part in colours[number]) for number in classes])
    norm = BoundaryNorm(np.arange(-0.5, len(classes)), len(classes))
    bar = figure.colorbar(
        axes.imshow(values, cmap=chosen, norm=norm, interpolation="nearest"), ax=axes, ticks=list(classes), shrink=0.8
    )
    bar.ax.set_yticklabels(list(classes.values()), fontsize=7)


def _title(axes: Any, words: str) -> None:
    axes.set_title(words, fontsize=10)
    axes.set_axis_off()


def _decimated(path: Path) -> np.ndarray:
    with open_layer(path) as dataset:
        scale = max(1.0, max(dataset.shape) / pixels(_EDGE))
        shape = tuple(max(1, round(size / scale)) for size in dataset.shape)
        values = dataset.read(1, out_shape=shape, resampling=Resampling.nearest, masked=True)
        return np.ma.filled(values.astype(float) * dataset.scales[0], np.nan)
