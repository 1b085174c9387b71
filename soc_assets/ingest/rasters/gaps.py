"""Which steps of the bands have no raster: a table for people, and the list that is kept beside the catalog."""

from collections.abc import Callable, Iterable

import pandas as pd

from soc_assets.settings import SEASONS


def gap_table(frame: pd.DataFrame, years: Iterable[int]) -> pd.DataFrame:
    """Bands against years, as text: steps of the year ("1", up to "4" for seasons), "missing", or "static".

    Returns:
        One row per band in catalog order: `band`, then a column per year.
    """
    counts = frame.drop_duplicates(["band", "year", "season"]).groupby(["band", "year"], observed=True).size()
    kinds = dict(zip(frame["band"], frame["kind"], strict=True))
    cells = {
        str(year): [
            "static" if kind == "static" else str(counts.get((band, year), "missing")) for band, kind in kinds.items()
        ]
        for year in years
    }
    return pd.DataFrame({"band": list(kinds), **cells})


def missing_steps(frame: pd.DataFrame, years: Callable[[str], Iterable[int]]) -> pd.DataFrame:
    """The steps of each band with time that have no raster.

    Args:
        frame: the raster catalog.
        years: those of a `yearly` or `seasonal` band (`Study.raster_years`).

    Returns:
        One row per missing step: band, year (Int32), season (null for yearly bands); in catalog order, then by time.
    """
    kinds = dict(zip(frame["band"], frame["kind"], strict=True))
    there = {
        (band, int(year), None if pd.isna(season) else season)
        for band, year, season in zip(frame["band"], frame["year"], frame["season"], strict=True)
        if not pd.isna(year)
    }
    every = [
        (band, year, season)
        for band, kind in kinds.items()
        if kind != "static"
        for year in years(kind)
        for season in ((None,) if kind == "yearly" else SEASONS)
    ]
    gaps = pd.DataFrame([step for step in every if step not in there], columns=["band", "year", "season"])
    return gaps.astype({"band": "str", "year": "Int32", "season": "str"})
