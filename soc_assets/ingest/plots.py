"""Figures of what was ingested: a thumbnail of each band, the histogram of organic carbon, the map of the samples.

Shared looks are in `soc_assets.reporting.figures`.
"""

import math
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from soc_assets.ingest.soil.clean import COORDINATE_DIGITS
from soc_assets.rasters.coding import shares_of_class
from soc_assets.rasters.georeferencing import crs_of
from soc_assets.rasters.names import BandName, band_names
from soc_assets.rasters.opening import open_raster
from soc_assets.rasters.reading import read_decimated
from soc_assets.reporting.as_text import label
from soc_assets.reporting.figures import ACCENT, new_figure, pixels, to_png
from soc_assets.settings import Channel, Rasters

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST = 240  # pixels of a thumbnail's longer edge
_TITLE = 28  # characters of a line above it
_STRETCH = (2, 98)  # percentiles between which the colours run
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 30, 50, 100, 200, 500)  # g/kg
_MOST_BANDS = 24  # thumbnails in one figure, which is kept with every materialisation
_OC_LABEL = "organic carbon, g/kg"


def thumbnails(frame: pd.DataFrame, rasters: Rasters) -> bytes:
    """The latest step of each band, coloured between its 2nd and 98th percentile; pixels without value are grey.

    Args:
        frame: the raster catalog.
        rasters: the bands, for how they are read.

    Returns:
        A PNG.

    Raises:
        RasterError: a raster has become unreadable since it was catalogued.
    """
    every = frame.drop_duplicates("band", keep="last").to_dict("records")
    latest = every[:_MOST_BANDS]
    channels, names = {channel.name: channel for channel in rasters.channels}, band_names(rasters, frame)
    across = min(math.ceil(math.sqrt(len(latest))), 6)
    down = math.ceil(len(latest) / across)
    figure = new_figure(max(2.5 * across, 5.0), 2.2 * down + 0.3)
    all_axes = figure.subplots(down, across, squeeze=False).ravel()
    for axes, row in zip(all_axes, latest, strict=False):
        _thumbnail(axes, row, channels[row["band"]], names[row["band"]])
    for axes in all_axes[len(latest) :]:
        axes.set_axis_off()
    low, high = _STRETCH
    which = "each band" if len(latest) == len(every) else f"the first {len(latest)} of {len(every)} bands"
    figure.suptitle(f"latest step of {which}; colours from percentile {low} to {high}; grey: no value", fontsize=9)
    return to_png(figure)


def _thumbnail(axes: "Axes", row: Mapping[Any, Any], channel: Channel, name: BandName) -> None:
    with open_raster(row["path"], channel.variable, overviews=False) as dataset:
        how = (channel.fill_values, int(row["layer"]), channel.valid_range, channel.scaling)
        values = read_decimated(dataset, pixels(_LONGEST), *how)
        left, bottom, right, top = dataset.bounds
        stretch = 1 / math.cos(math.radians((bottom + top) / 2)) if crs_of(dataset).is_geographic else 1
    if channel.value is not None:
        values = shares_of_class(values, channel.value)
    valid = values[~np.isnan(values)]
    low, high = np.percentile(valid, _STRETCH) if valid.size else (row["min"], row["max"])
    image = axes.imshow(
        values,
        cmap="viridis",
        vmin=low,
        vmax=high,
        extent=(left, right, bottom, top),
        aspect=stretch,
        interpolation="nearest",
    )
    step = " ".join(str(part) for part in (row["season"], row["year"], row["tile"]) if not pd.isna(part))
    axes.set_title(textwrap.fill(label(f"{name.label} {step or '(static)'}"), _TITLE), fontsize=9)
    axes.set_facecolor("#d5d9de")
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(f"{row['valid_share']:.1%} valid", fontsize=7, color="0.4")
    bar = axes.figure.colorbar(image, ax=axes, extend="both", shrink=0.85)
    bar.set_label(label(name.unit), size=7)
    bar.ax.tick_params(labelsize=7)


def oc_histogram(samples: pd.DataFrame) -> bytes:
    """How organic carbon is distributed, on a logarithmic axis because it spans three orders of magnitude.

    Args:
        samples: `organic_carbon`, g/kg.

    Returns:
        A PNG.
    """
    carbon = samples["organic_carbon"].to_numpy(float)
    positive = carbon[carbon > 0]
    figure = new_figure()
    axes: Axes = figure.subplots()
    if positive.size:
        edges = np.geomspace(positive.min() * 0.98, positive.max() * 1.02, min(48, max(8, len(carbon) // 8)) + 1)
        axes.hist(positive, edges, color=ACCENT)
        for value, name, style in ((np.median(carbon), "median", "-"), (carbon.mean(), "mean", "--")):
            axes.axvline(value, color="black", linewidth=1, linestyle=style, label=f"{name} {value:.1f} g/kg")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.legend(fontsize=8.5, frameon=False)
    zeros = int((carbon == 0).sum())
    title = f"{len(carbon):,} samples" + (f", {zeros:,} of them 0 and not shown" if zeros else "")
    axes.set(xlabel=_OC_LABEL, ylabel="samples", title=title)
    axes.spines[["top", "right"]].set_visible(False)
    return to_png(figure)


def sample_map(samples: pd.DataFrame) -> bytes:
    """Where the samples are, coloured by organic carbon between its 2nd and 98th percentile on a logarithmic scale.

    Args:
        samples: `longitude`, `latitude` (WGS84 degrees), `organic_carbon` (g/kg).

    Returns:
        A PNG.
    """
    from matplotlib.colors import LogNorm

    drawn = samples.sort_values(["organic_carbon", "longitude", "latitude"])  # the rare high values on top
    carbon = drawn["organic_carbon"].to_numpy(float)
    low, high = np.percentile(carbon[carbon > 0], _STRETCH) if (carbon > 0).any() else (1, 10)
    figure = new_figure(7.0, 5.4)
    axes: Axes = figure.subplots()
    points = axes.scatter(
        drawn["longitude"],
        drawn["latitude"],
        c=np.maximum(carbon, low),
        s=float(np.clip(12_000 / max(len(drawn), 1), 2, 16)),
        linewidths=0,
        cmap="viridis_r",
        norm=LogNorm(low, max(high, low * 1.01)),
    )
    bar = figure.colorbar(points, ax=axes, label=_OC_LABEL, extend="both", shrink=0.85)
    ticks = [tick for tick in _TICKS if low <= tick <= high]
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    bar.minorticks_off()
    places = len(drawn[["longitude", "latitude"]].round(COORDINATE_DIGITS).drop_duplicates())
    axes.set_aspect(float(1 / np.cos(np.radians(drawn["latitude"].mean()))))
    axes.set(xlabel="longitude, °E", ylabel="latitude, °N", title=f"{len(drawn):,} samples at {places:,} coordinates")
    return to_png(figure)


def coverage_map(samples: pd.DataFrame, share: np.ndarray) -> bytes:
    """Where the samples are, coloured by the share of the images they need which are there.

    Args:
        samples: [n] `longitude`, `latitude` (WGS84 degrees).
        share: [n] between 0 and 1.

    Returns:
        A PNG.
    """
    order = np.argsort(-share, kind="stable")  # the poorly covered on top
    figure = new_figure(7.0, 5.4)
    axes: Axes = figure.subplots()
    points = axes.scatter(
        samples["longitude"].to_numpy()[order],
        samples["latitude"].to_numpy()[order],
        c=share[order],
        s=float(np.clip(12_000 / max(len(samples), 1), 2, 16)),
        linewidths=0,
        cmap="RdYlGn",
        vmin=0,
        vmax=1,
    )
    figure.colorbar(points, ax=axes, label="share of the needed images present", shrink=0.85)
    axes.set_aspect(float(1 / np.cos(np.radians(samples["latitude"].mean()))))
    title = f"{len(samples):,} samples; {share.mean():.1%} of their images are there"
    axes.set(xlabel="longitude, °E", ylabel="latitude, °N", title=title)
    axes.spines[["top", "right"]].set_visible(False)
    return to_png(figure)
