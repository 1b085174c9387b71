"""Profiles given by horizons: their rows become one sample of the wanted depth.

A profile is the rows of one table, id, place and day. How depths are written is in `ingest.soil.depth`, the spline in
`ingest.soil.spline`.
"""

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from soc_assets.ingest.soil.depth import CLOSE, wanted_limits
from soc_assets.ingest.soil.spline import spline_mean

if TYPE_CHECKING:
    from soc_assets.settings import Soil

JOINED = "joined to its profile"
"""Reason of the rows that are part of another row's sample."""
TOO_LITTLE = "profile covers too little of the depth"
_METRES = 3.0  # cm: horizons that all end above may be given in metres
_BY_HORIZONS = 0.5  # share of a table's profiles with several horizons, from which one alone is a horizon, too


def join_profiles(rows: pd.DataFrame, usable: pd.Series, soil: "Soil") -> pd.DataFrame:
    """Bring the horizons of each profile to the depth that is wanted.

    A row that states the wanted depth exactly stays as it is, and so do rows without both limits.

    Args:
        rows: [n] `file`, `source`, `id`, `place_key`, `survey_date`, `year`, `top`, `bottom` (cm), `wanted` (a setting
            of depth), `organic_carbon` (g/kg), `row`.
        usable: rows [n] that have place, carbon and date.
        soil: `horizons`, `min_cover` and `spline_smoothing`.

    Returns:
        Per row [n] `carbon` (g/kg, of the wanted depth), `horizons` (how many it is made of), `taken` (it fits now),
        `reason` and `detail` of the rows that are no sample by themselves ("" where others decide).
    """
    found = pd.DataFrame({"carbon": rows["organic_carbon"], "horizons": 1, "taken": False}, rows.index)
    found = found.assign(reason="", detail="").astype({"reason": "str", "detail": "str", "horizons": "int32"})
    possible = usable & rows["wanted"].str.contains("-") & (rows["bottom"] > rows["top"])
    if soil.horizons == "filter" or not possible.any():
        return found
    parts = _horizons(rows[possible])
    if parts.empty:
        return found
    covered = _covered(parts)
    joined = parts.loc[parts["overlap"] > 0].groupby("profile", sort=False)
    share = (covered.groupby(parts["profile"]).sum() / joined["thick"].first()).reindex(list(joined.groups))
    enough = share >= soil.min_cover - 1e-9
    values, shares = _means(parts, soil), share.to_dict()
    for profile, members in joined.groups.items():
        members = parts.loc[members].sort_values(["top", "row"], kind="stable").index
        if not enough.at[profile]:
            found.loc[members, "reason"] = TOO_LITTLE
            found.loc[members, "detail"] = _words(parts.loc[members], float(shares[profile]), soil.min_cover)
            continue
        first, others = members[0], members[1:]
        found.loc[first, ["carbon", "horizons", "taken"]] = [values[profile], len(members), True]
        found.loc[others, "reason"] = JOINED
        found.loc[others, "detail"] = f"part of the sample of row {rows.at[first, 'row']}"
    return found


def _horizons(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that are horizons of profiles: `profile`, limits, the wanted depth and the overlap with it (cm)."""
    parts = rows[["file", "row", "top", "bottom", "organic_carbon"]].copy()
    parts["profile"] = _profiles(rows)
    limits = {text: wanted_limits(text) for text in rows["wanted"].unique()}
    parts["above"], parts["below"] = (
        rows["wanted"].map({key: pair[i] for key, pair in limits.items()}) for i in (0, 1)
    )
    exactly = (parts["top"] - parts["above"]).abs().le(CLOSE) & (parts["bottom"] - parts["below"]).abs().le(CLOSE)
    parts = parts[~exactly.groupby(parts["profile"]).transform("any")]
    parts = parts.sort_values(["profile", "top", "bottom", "row"], kind="stable")
    apart = parts["top"] >= parts.groupby("profile")["bottom"].shift() - CLOSE
    several = apart.groupby(parts["profile"]).transform("any")
    by_table = several.groupby(parts["file"]).transform(
        lambda of: of[~parts.loc[of.index, "profile"].duplicated()].mean()
    )
    parts = parts[several | (by_table >= _BY_HORIZONS)]
    overlap = parts[["bottom", "below"]].min(axis=1) - parts[["top", "above"]].max(axis=1)
    return parts.assign(overlap=overlap.where(overlap > CLOSE, 0.0), thick=parts["below"] - parts["above"])


def _profiles(rows: pd.DataFrame) -> pd.Series:
    """The number of each row's profile [n]; ids that no two rows of a table share at a place are those of horizons."""
    date = rows["survey_date"].astype("str").fillna("").str.cat(rows["year"].astype("str").fillna(""))
    place = [rows["file"], rows["source"], rows["place_key"], date]
    shared = rows.groupby([*place, rows["id"]])["row"].transform("size") > 1
    own = rows["id"].where(shared.groupby(rows["file"]).transform("any"), "")
    return rows.groupby([*place, own], sort=False).ngroup()


def _covered(parts: pd.DataFrame) -> pd.Series:
    """What each horizon [n] adds to the depth that is covered, cm; horizons that overlap count once."""
    reached = parts.groupby("profile")["bottom"].cummax().groupby(parts["profile"]).shift().fillna(-np.inf)
    begin = np.maximum.reduce([parts["top"].to_numpy(), parts["above"].to_numpy(), reached.to_numpy(float)])
    return pd.Series(np.clip(np.minimum(parts["bottom"], parts["below"]) - begin, 0, None), parts.index)


def _means(parts: pd.DataFrame, soil: "Soil") -> dict[Hashable, float]:
    """Organic carbon of each profile over the wanted depth, g/kg: by overlap, or by the spline."""
    weighted = (parts["organic_carbon"] * parts["overlap"]).groupby(parts["profile"]).sum()
    means = (weighted / parts.groupby("profile")["overlap"].sum()).round(9).to_dict()
    if soil.horizons == "spline":
        for profile, of in parts.groupby("profile", sort=False):
            once = of.groupby(["top", "bottom"], as_index=False)["organic_carbon"].mean()  # replicates of a horizon
            tops, bottoms, carbon = (once[name].to_numpy(float) for name in ("top", "bottom", "organic_carbon"))
            if (of["overlap"] > 0).any() and (tops[1:] >= bottoms[:-1] - CLOSE).all():
                tops = np.append(tops[:1], np.maximum(tops[1:], bottoms[:-1]))
                wanted = (of["above"].iloc[0], of["below"].iloc[0])
                means[profile] = max(spline_mean(tops, bottoms, carbon, wanted, soil.spline_smoothing), 0.0)
    return means


def _words(parts: pd.DataFrame, share: float, needed: float) -> str:
    metres = ": in m? Then write the unit behind the names of the columns, as in 'bottom (m)'"
    seems = parts["bottom"].max() <= _METRES and (parts["bottom"] % 1 > 0).any()
    depths = ", ".join(f"{top:g}-{bottom:g}" for top, bottom in parts[["top", "bottom"]].to_numpy())
    wanted = f"{parts['above'].iloc[0]:g}-{parts['below'].iloc[0]:g}"
    return f"{depths}: {share:.0%} of {wanted} cm, [soil] min_cover = {needed:g}{metres if seems else ''}"
