"""Steps, lags and keys: which raster of which year (or season) a sample reads.

Lag 0 lies `first_lag` steps before sampling, lag 1 one step earlier. In a seasonal set-up steps count seasons; a yearly
band in it still counts years, back from the sampling year. A winter belongs to the year of its January.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from soc_assets.settings import SEASONS, Band


@dataclass(frozen=True)
class Slot:
    """A place in the feature vector: a band and a lag (None for a static band)."""

    band: Band
    lag: int | None


@dataclass(frozen=True, order=True)
class Step:
    """One time slice: a year, or a season of a year; both None for a static band."""

    year: int | None = None
    season: str | None = None

    def key(self, band: str) -> str:
        """`<band>`, `<band>_<year>` or `<band>_<year>_<season>`."""
        return "_".join([band, *(str(part) for part in (self.year, self.season) if part is not None)])


def slots(bands: tuple[Band, ...], reference: str, time_before: int) -> list[Slot]:
    """Feature order: the reference band, further static bands, then band by band, lag 0 first."""
    static = sorted((band for band in bands if band.kind == "static"), key=lambda band: band.name != reference)
    timed = [band for band in bands if band.kind != "static"]
    return [Slot(band, None) for band in static] + [Slot(band, lag) for band in timed for lag in range(time_before)]


def steps_of(slot: Slot, samples: pd.DataFrame, first_lag: int) -> list[Step]:
    """The step that each sample reads in this slot.

    Args:
        slot: band and lag.
        samples: [n] rows with year (of sampling) and, for seasonal bands, season_year and season.
        first_lag: steps between sampling and lag 0.
    """
    if slot.lag is None:
        return [Step()] * len(samples)
    back = first_lag + slot.lag
    if slot.band.kind == "yearly":
        return [Step(int(year) - back) for year in samples["year"]]
    order = {season: index for index, season in enumerate(SEASONS)}
    count = (
        samples["season_year"].to_numpy(np.int64) * 4 + np.array([order[season] for season in samples["season"]]) - back
    )
    return [Step(int(number // 4), SEASONS[number % 4]) for number in count]


def groups(steps: list[Step]) -> Iterator[tuple[Step, np.ndarray]]:
    """Each distinct step with the positions of the samples that read it."""
    if not steps:
        return
    codes, distinct = pd.factorize(np.array(steps, dtype=object))
    for code, step in enumerate(distinct):
        yield step, np.flatnonzero(codes == code)
