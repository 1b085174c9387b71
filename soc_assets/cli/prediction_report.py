"""A summary of a prediction, in sentences: how many are applicable, which have none, and why."""

import numpy as np
import pandas as pd

from soc_assets.geo.grid import Grid
from soc_assets.ingest.soil.places import likely_crs
from soc_assets.ingest.soil.points import understood
from soc_assets.mapping.points import renamed

_LOOKED_AT = 200  # rows from which the CRS is inferred
_OFF = ("outside the rasters", "coordinates outside the world", "coordinates outside the CRS")


def report(points: pd.DataFrame, values: pd.DataFrame, model: str, grid: Grid) -> list[str]:
    """Sentences for people.

    Args:
        points: from `mapping.points.read_points`.
        values: from `mapping.points.predict_values`.
        model: what the model is called.
        grid: the reference grid.
    """
    rows = understood(points).reset_index(drop=True)
    counts = values["applicable"].fillna("none").value_counts().to_dict()
    yes, no, unknown, none = (counts.get(name, 0) for name in ("yes", "no", "unknown", "none"))
    return [
        f"{len(values)} points by {model}: applicable {yes}, not applicable {no}, unknown {unknown}, without a "
        f"prediction {none}.",
        *_reasons(rows, values),
        *_unknown(values),
        *_suspicions(rows, values["reason"].str.partition(":")[0], grid),
        *_names(points),
    ]


def _reasons(rows: pd.DataFrame, values: pd.DataFrame) -> list[str]:
    """A line per reason, with the first row that has it."""
    lines = []
    explained = values["reason"] != ""
    kinds = (
        values["reason"].str.partition(":")[0].where(values["predicted"].isna(), "not applicable for images missing")
    )
    for kind, group in values[explained].groupby(kinds[explained], sort=False):
        first = group.index[0]
        lines.append(f"  - {len(group)} {kind} (first: row {rows['row'][first]}, {group['reason'][first]})")
    return lines


def _unknown(values: pd.DataFrame) -> list[str]:
    if not len(values) or values["dissimilarity"].notna().any() or not (values["applicable"] == "unknown").any():
        return []
    return [
        "Whether they are like what it was fitted on is unknown: it was registered by an earlier release, in which the "
        "documented MLP had no area of applicability. With another `seed` in [training] of soc.toml `soc run` trains "
        "anew."
    ]


def _suspicions(rows: pd.DataFrame, kinds: pd.Series, grid: Grid) -> list[str]:
    """What may be wrong with coordinates that are off the rasters."""
    off = rows[kinds.isin(_OFF)]
    if off.empty:
        return []
    x, y = off["x"].astype(float), off["y"].astype(float)
    if off["in_degrees"].all():
        turned = grid.contains(*grid.pixels(np.clip(y, -180, 180), np.clip(x, -90, 90)))
        turned &= ((x.abs() <= 90) & (y.abs() <= 180)).to_numpy()
        if turned.mean() > 0.5:
            return [
                f"{int(turned.sum())} of {len(off)} would lie on the rasters with longitude and latitude exchanged: "
                "exchange the names of the two columns."
            ]
    beyond = off[kinds[off.index] != _OFF[0]]
    if beyond.empty:
        return []
    some = beyond.head(_LOOKED_AT).astype({"x": float, "y": float})
    code, exchanged = likely_crs(some["x"], some["y"], grid)
    turn = " with the names of the two columns exchanged" if exchanged else ""
    fit = f"--crs EPSG:{code} would fit{turn}" if code else "name their CRS by --crs"
    return [f"Coordinates of {len(beyond)} points are not in the CRS that they are read in; {fit}."]


def _names(points: pd.DataFrame) -> list[str]:
    ours = {name: called for name, called in renamed(points).items() if name != called}
    if not ours:
        return []
    return [f"The file has columns {', '.join(ours)}: they stay, and the new ones are {', '.join(ours.values())}."]
