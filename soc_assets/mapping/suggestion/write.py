"""The files of a suggestion: a table, points for a GIS, and a picture."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from soc_assets.mapping.suggestion.sites import Suggestion
from soc_assets.reporting.as_text import csv_safe
from soc_assets.reporting.figures import ACCENT, MUTED, new_figure, to_png
from soc_assets.storage import files

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DIGITS = {"longitude": 6, "latitude": 6}
_NAMED = 60  # ranks that are written beside their site


def write_suggestion(found: Suggestion, path: Path) -> list[Path]:
    """Write the sites as CSV, and as GeoJSON and PNG beside it; returns what was written.

    Args:
        found: the suggestion.
        path: of the CSV file.

    Raises:
        StorageError: the disk is full or read-only.
    """
    sites = rounded(found.sites)
    points, picture = path.with_suffix(".geojson"), path.with_suffix(".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(picture, "--output") as temporary:
        temporary.write_bytes(picture_of_sites(found))
    files.write_text(points, json.dumps(as_geojson(sites), indent=1) + "\n")
    with files.replacing(path, "--output") as temporary:
        csv_safe(sites).to_csv(temporary, index=False)
    return [path, points, picture]


def rounded(sites: pd.DataFrame) -> pd.DataFrame:
    """The sites with as many digits as they deserve: degrees to 0.1 m, everything else to three."""
    numbers = sites.select_dtypes("float").columns
    return sites.round({name: _DIGITS.get(name, 3) for name in numbers})


def as_geojson(sites: pd.DataFrame) -> dict[str, Any]:
    """The sites as a GeoJSON object (RFC 7946: WGS84, longitude first); what is not known is null."""
    plain = sites.astype(object).where(sites.notna(), None)
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [row["longitude"], row["latitude"]]},
            "properties": {name: value for name, value in row.items() if name not in ("longitude", "latitude")},
        }
        for row in plain.to_dict("records")
    ]
    return {"type": "FeatureCollection", "features": features}


def picture_of_sites(found: Suggestion) -> bytes:
    """The places by dissimilarity, the samples and the sites by rank, PNG; axes in the CRS of the grid."""
    figure = new_figure(8.6, 7.0)
    axes = figure.subplots()
    places, sites = found.places, found.sites
    size = max(4.0, min(60.0, 40_000 / len(places)))
    drawn = axes.scatter(places["x"], places["y"], c=places["dissimilarity"], cmap="YlOrRd", s=size, marker="s")
    figure.colorbar(drawn, ax=axes, label="dissimilarity from the samples", shrink=0.8)
    axes.plot(*found.samples.T, ".", color=MUTED, markersize=2, label=f"samples ({len(found.samples):,})")
    axes.plot(
        sites["x"], sites["y"], "o", color=ACCENT, markersize=6, markeredgecolor="white", label=f"sites ({len(sites)})"
    )
    for rank, x, y in sites[["rank", "x", "y"]].head(_NAMED).itertuples(index=False):
        axes.annotate(f"{rank:.0f}", (x, y), xytext=(4, 4), textcoords="offset points", fontsize=7)
    _frame(axes, places)
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.06), ncols=2)
    axes.set_title("Suggested sites", fontsize=10)
    return to_png(figure)


def _frame(axes: "Axes", places: pd.DataFrame) -> None:
    """As the region, whatever lies beyond it."""
    for along, name in (("x", "x"), ("y", "y")):
        low, high = places[name].min(), places[name].max()
        edge = 0.04 * max(float(high - low), 1e-9)
        getattr(axes, f"set_{along}lim")(low - edge, high + edge)
    axes.set_aspect("equal")
    axes.ticklabel_format(style="plain", useOffset=False)
    axes.tick_params(labelsize=7)
