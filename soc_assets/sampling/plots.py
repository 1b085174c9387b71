"""Figures of the sampling stage, as PNG bytes: what the filters, the split and the balancing did.

They show tables from the other modules; no result depends on anything computed here.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from soc_assets.reporting.figures import ACCENT, MUTED, SPLIT_COLOURS, new_figure, to_png
from soc_assets.sampling.balance import tail_share
from soc_assets.settings.soil import TAIL_THRESHOLD

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def oc_before_after(balanced: pd.DataFrame) -> bytes:
    """Histogram of organic carbon in the training split before and after balancing.

    Args:
        balanced: the balanced table joined with organic_carbon (g/kg); only its training rows are shown.
    """
    train = balanced.loc[balanced["split"] == "train"]
    oc, counted = train["organic_carbon"].to_numpy(float), (train["multiplicity"] * train["weight"]).to_numpy(float)
    shown = np.clip(oc, 0.1, None)
    edges = np.geomspace(shown.min() * 0.98, shown.max() * 1.02, min(40, max(8, len(oc) // 8)) + 1)
    figure = new_figure()
    axes: Axes = figure.subplots()
    before, after = tail_share(oc), tail_share(oc, counted)
    axes.hist(shown, edges, color=MUTED, alpha=0.65, label=f"before: {len(oc):,} samples, {_tail(before)}")
    how = f"{counted.sum():,.0f} with repeats" if (train["multiplicity"] > 1).any() else "weighted, the same sum"
    label = f"after: {how}, {_tail(after)}"
    axes.hist(shown, edges, weights=counted, histtype="step", color=ACCENT, linewidth=1.8, label=label)
    axes.axvline(TAIL_THRESHOLD, color="black", linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylim(top=axes.get_ylim()[1] * 1.28)
    axes.set(xlabel="organic carbon, g/kg", ylabel="training samples", title="Balancing the training split")
    axes.legend(loc="upper left", fontsize=8.5, frameon=False)
    return to_png(figure)


def split_map(samples: pd.DataFrame) -> bytes:
    """Map of the samples, coloured by split.

    Args:
        samples: columns longitude, latitude (WGS84 degrees), split, location_id.
    """
    figure = new_figure(7.0, 5.4)
    axes: Axes = figure.subplots()
    for split, colour in SPLIT_COLOURS.items():
        part = samples.loc[samples["split"] == split]
        label = f"{split}\n{len(part):,} samples\n{part['location_id'].nunique():,} locations"
        axes.scatter(part["longitude"], part["latitude"], s=_size(len(samples)), c=colour, linewidths=0, label=label)
    axes.set_aspect(float(1 / np.cos(np.radians(samples["latitude"].mean()))))
    axes.set(xlabel="longitude, °E", ylabel="latitude, °N", title="Split by location")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8.5, frameon=False, markerscale=2, labelspacing=1.2)
    return to_png(figure)


def filter_counts(kept: int, excluded: pd.DataFrame) -> bytes:
    """Bars of the samples kept and of those each filter of the study excluded.

    Args:
        kept: samples kept.
        excluded: the excluded table.
    """
    counts = excluded["filter"].value_counts()
    names, values = ["kept", *counts.index], [kept, *counts.to_list()]
    figure = new_figure(7.0, 1.0 + 0.42 * len(names))
    axes: Axes = figure.subplots()
    bars = axes.barh(names, values, color=[ACCENT, *[MUTED] * len(counts)], height=0.6)
    axes.bar_label(bars, labels=[f"{value:,}" for value in values], padding=4, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(right=max(values) * 1.12 or 1)
    axes.set(xlabel="samples", title="Filters of the study")
    axes.spines[["top", "right"]].set_visible(False)
    return to_png(figure)


def _tail(share: float) -> str:
    return f"{share:.1%} above {TAIL_THRESHOLD:g} g/kg"


def _size(n: int) -> float:
    return float(np.clip(12_000 / max(n, 1), 1.5, 16))
