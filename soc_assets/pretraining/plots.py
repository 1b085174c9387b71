"""Pictures of a pre-training: how the held-out loss fell, and what is reconstructed."""

import numpy as np
import pandas as pd

from soc_assets.reporting.figures import ACCENT, MUTED, new_figure, to_png

ROWS = 6  # windows of the picture of reconstructions


def loss_curve(curve: pd.DataFrame) -> bytes:
    """Training and held-out loss over the images seen, with the two references."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(6.4, 3.8)
    axes = figure.add_subplot()
    axes.plot(curve["images"], curve["loss"], color=MUTED, label="training windows")
    axes.plot(curve["images"], curve["held_out"], color=ACCENT, marker="o", markersize=3, label="held-out rectangle")
    last = curve.iloc[-1]
    axes.axhline(last["interpolation"], color="#e0a030", linestyle="--", label="interpolation of visible patches")
    axes.axhline(last["band_mean"], color="#b5403a", linestyle=":", label="the band's mean")
    axes.set(xlabel="images seen", ylabel="mean squared error per masked token", yscale="log")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    for ticks in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        ticks(lambda value, _: f"{value:.3g}" if f"{value:e}"[0] in "125" else "")
    axes.legend(frameon=False, fontsize=8)
    return to_png(figure)


def reconstructions(
    images: np.ndarray, visible: np.ndarray, model: np.ndarray, interpolation: np.ndarray, names: tuple[str, ...]
) -> bytes:
    """Windows [n, h, w] of the held-out rectangle: as they are (NaN: gaps), what is visible, both reconstructions."""
    figure = new_figure(7.0, 1.75 * len(images), dpi=80)
    axes = figure.subplots(len(images), 4, squeeze=False)
    titles = ("window", "visible", "encoder and decoder", "interpolation")
    for row, (name, *panels) in enumerate(zip(names, images, visible, model, interpolation, strict=True)):
        low, high = np.nanmin(panels[0]), np.nanmax(panels[0])
        for column, (title, panel) in enumerate(zip(titles, panels, strict=True)):
            cell = axes[row, column]
            cell.imshow(panel, cmap="viridis", vmin=low, vmax=high, interpolation="nearest")
            cell.set(xticks=[], yticks=[])
            cell.set_facecolor("#eeeeee")
            if row == 0:
                cell.set_title(title, fontsize=9)
        axes[row, 0].set_ylabel(name.replace("_", " "), fontsize=8 if len(name) < 20 else 6.5)
    return to_png(figure)
