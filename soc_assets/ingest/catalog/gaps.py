"""Which steps of the bands have no raster: a table for users, and the list that is stored with the catalog."""

from collections.abc import Iterable

import pandas as pd

from soc_assets.settings import Study


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


def missing_steps(frame: pd.DataFrame, study: Study) -> pd.DataFrame:
    """The steps of each band with time that samples of the study read and that have no raster.

    Args:
        frame: the raster catalog.
        study: its years and how far back they reach.

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
        for year, season in study.raster_steps(kind)
    ]
    gaps = pd.DataFrame([step for step in every if step not in there], columns=["band", "year", "season"])
    return gaps.astype({"band": "str", "year": "Int32", "season": "str"})
