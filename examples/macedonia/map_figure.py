"""The map of examples/macedonia as one picture: organic carbon, width of the interval, area of applicability.

.venv/bin/python examples/macedonia/map_figure.py [folder of the map] [picture.png]
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import rasterio
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

HERE = Path(__file__).parent
INK, MUTED = "#22313f", "#5d6d7e"
BELIEVED = {
    0: ("#4f9d8b", "inside the area of applicability"),
    1: ("#e3a24b", "outside: no profile resembles the cell"),
    3: ("#8d6e97", "too many inputs missing"),
    4: ("#9db8cc", "water or built-up land: no soil"),
}
SCORES = (
    "Five networks on values of 51 rasters at the point, fitted on 3,878 profiles. Held out by blocks of 18.5 x 14 km: "
    "R² 0.45 (95 % interval 0.37 to 0.51), RMSE 11.7 g/kg; the 90 % interval covers 91 % of the profiles."
)


def main() -> None:
    """Draw the picture."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else next(HERE.glob("data/maps/*/2010"))
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else HERE / "figures/map.png"
    facts = json.loads((folder / "map.json").read_text())
    carbon, lower, upper, quality = (
        read(folder / f"{name}.tif") for name in ("organic_carbon", "lower", "upper", "quality")
    )
    with rasterio.open(folder / "organic_carbon.tif") as dataset:
        west, south, east, north = dataset.bounds
    extent, aspect = (west, east, south, north), 1 / np.cos(np.radians((south + north) / 2))
    plt.rcParams.update({"font.size": 9, "text.color": INK, "axes.edgecolor": "#c5ccd3", "font.family": "DejaVu Sans"})
    figure = plt.figure(figsize=(12, 8.3), facecolor="white")
    places = ((0.035, 0.19, 0.585, 0.68), (0.665, 0.57, 0.31, 0.3), (0.665, 0.19, 0.31, 0.3))
    panels = [figure.add_axes(place) for place in places]
    amounts(panels[0], carbon, extent, "YlOrBr", "organic carbon, g/kg")
    amounts(panels[1], upper - lower, extent, "PuBu", "width of the 90 % interval, g/kg")
    classes(panels[2], quality, extent)
    for axes, words in zip(
        panels, ("Organic carbon, 0 to 30 cm", "How uncertain", "Where it may be believed"), strict=True
    ):
        axes.set(aspect=aspect, xticks=[], yticks=[], facecolor=BELIEVED[4][0], anchor="NW")
        axes.set_title(words, loc="left", fontsize=11, fontweight="bold", color=INK)
    scale_bar(panels[0], extent)
    figure.text(0.035, 0.95, "Soil organic carbon in and around North Macedonia", fontsize=19, fontweight="bold")
    values = facts["statistics"]["organic_carbon"]["quantiles"]
    inside = (quality == 0).sum() / np.isin(quality, (0, 1)).sum()
    words = (
        f"1 km; median {values['0.5']:.0f} g/kg, 90 % of the cells from {values['0.05']:.0f} to {values['0.95']:.0f}; "
    )
    figure.text(
        0.035, 0.918, words + f"{100 * inside:.0f} % inside the area of applicability", fontsize=11, color=MUTED
    )
    figure.text(0.035, 0.022, SCORES, fontsize=8, color=MUTED, wrap=True)
    figure.savefig(target, dpi=100, pil_kwargs={"optimize": True})
    print(target, f"{target.stat().st_size / 1000:.0f} kB")


def read(path: Path) -> np.ndarray:
    """Values, NaN where there is none."""
    with rasterio.open(path) as dataset:
        return np.ma.filled(dataset.read(1, masked=True).astype(float), np.nan)


def amounts(
    axes: Axes, values: np.ndarray, extent: tuple[float, float, float, float], colours: str, words: str
) -> None:
    """A panel of amounts with its legend; the colours end at the quantiles of 2 and 98 %."""
    low, high = np.nanquantile(values, (0.02, 0.98))
    shown = axes.imshow(values, cmap=colours, vmin=low, vmax=high, extent=extent, interpolation="nearest")
    legend = axes.inset_axes((0, -0.055, 0.6, 0.025) if axes.get_position().width > 0.5 else (0, -0.08, 0.6, 0.04))
    bar = plt.colorbar(shown, cax=legend, orientation="horizontal", extend="both")
    bar.outline.set_visible(False)
    legend.text(1.08, 0.5, words, transform=legend.transAxes, va="center", fontsize=9)


def classes(axes: Axes, quality: np.ndarray, extent: tuple[float, float, float, float]) -> None:
    """A panel of the classes of quality."""
    there = [number for number in BELIEVED if (quality == number).any()]
    colours = ListedColormap([BELIEVED[number][0] for number in there])
    axes.imshow(
        np.searchsorted(there, quality), cmap=colours, vmin=0, vmax=len(there), extent=extent, interpolation="nearest"
    )
    handles = [Patch(color=BELIEVED[number][0], label=BELIEVED[number][1]) for number in there]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(-0.02, -0.01), frameon=False, fontsize=8.5, ncols=1)


def scale_bar(axes: Axes, extent: tuple[float, float, float, float]) -> None:
    """50 km at the lower left corner."""
    west, east, south, north = extent
    length = 50 / (111.32 * np.cos(np.radians(south)))
    x, y = west + 0.04 * (east - west), south + 0.05 * (north - south)
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 3}
    axes.text(x + length / 2, y + 0.015 * (north - south), "50 km", ha="center", va="bottom", fontsize=9, bbox=box)
    axes.plot([x, x + length], [y, y], color=INK, linewidth=3, solid_capstyle="butt")


if __name__ == "__main__":
    main()
