"""Steps, lags and keys: which raster of which year (or season) a sample reads.

Lag 0 is the step of sampling, lag 1 the one before; a study reads `time_before` lags from `first_lag` on. In a seasonal
configuration steps count seasons; a yearly band in it still counts years, back from the sampling year.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from soc_assets.settings import Band
from soc_assets.settings.seasons import SEASONS, season_number, season_of_number


@dataclass(frozen=True)
class Slot:
    """A position in the feature vector: a band (or a group of bands seen together) and a lag (None if static).

    Attributes:
        name: of the band, or `group1`, ...; the first part of the keys.
        kind: static, yearly or seasonal.
        bands: the frames: one band, or as many as the transformer takes in one group.
    """

    name: str
    kind: str
    lag: int | None
    bands: tuple[Band, ...]


@dataclass(frozen=True, order=True)
class Step:
    """One time slice: a year, or a season of a year; both None for a static band."""

    year: int | None = None
    season: str | None = None

    def key(self, band: str) -> str:
        """`<band>`, `<band>_<year>` or `<band>_<year>_<season>`."""
        return "_".join([band, *(str(part) for part in (self.year, self.season) if part is not None)])


def slots(bands: tuple[Band, ...], reference: str, time_before: int, first_lag: int = 0, frames: int = 1) -> list[Slot]:
    """Feature order: the reference band, further static bands, then band by band (group by group), lag 0 first.

    Args:
        bands: in the order of the settings.
        reference: the static band that comes first.
        time_before: lags of each band with time.
        first_lag: the first of them.
        frames: bands seen together in one group; the last group is filled up by repeating the last band.

    >>> bands = (Band(name="Elevation", kind="static"), Band(name="LAI"))
    >>> [(slot.name, slot.lag) for slot in slots(bands, "Elevation", time_before=2)]
    [('Elevation', None), ('LAI', 0), ('LAI', 1)]
    """
    static = sorted((band for band in bands if band.kind == "static"), key=lambda band: band.name != reference)
    timed = [band for band in bands if band.kind != "static"]
    lags = range(first_lag, first_lag + time_before)
    result = [Slot(band.name, "static", None, (band,) * frames) for band in static]
    if frames == 1:
        return result + [Slot(band.name, band.kind, lag, (band,)) for band in timed for lag in lags]
    groups = [(timed[i : i + frames] + [timed[-1]] * frames)[:frames] for i in range(0, len(timed), frames)]
    names = [(f"group{number}", tuple(group)) for number, group in enumerate(groups, start=1)]
    return result + [Slot(name, group[0].kind, lag, group) for name, group in names for lag in lags]


def step_numbers(slot: Slot, samples: pd.DataFrame) -> np.ndarray:
    """The step [n] that each sample reads in this slot: a year, the count of a season, or 0 if static.

    Args:
        slot: band and lag.
        samples: [n] rows with year (of sampling) and, for seasonal bands, season_year and season.
    """
    if slot.lag is None:
        return np.zeros(len(samples), np.int64)
    if slot.kind == "yearly":
        return samples["year"].to_numpy(np.int64) - slot.lag
    seasons = np.array([SEASONS.index(season) for season in samples["season"]], np.int64)
    return season_number(samples["season_year"].to_numpy(np.int64), seasons) - slot.lag


def step_of(number: int, kind: str) -> Step:
    """The step that a number from `step_numbers` stands for.

    >>> step_of(4 * 2015, "seasonal").key("LAI")  # December 2014 to February 2015
    'LAI_2015_winter'
    """
    if kind == "static":
        return Step()
    return Step(number) if kind == "yearly" else Step(*season_of_number(number))


def groups(numbers: np.ndarray, kind: str) -> Iterator[tuple[Step, np.ndarray]]:
    """Each distinct step with the positions of the samples that read it."""
    distinct, member_of = np.unique(numbers, return_inverse=True)
    for index, number in enumerate(distinct.tolist()):
        yield step_of(number, kind), np.flatnonzero(member_of == index)


def steps_read(slots: Sequence[Slot], samples: pd.DataFrame) -> Iterator[tuple[Slot, Step, np.ndarray]]:
    """Each slot and step that samples read, with the positions of those that do: `groups` of all slots.

    Samples that read the same step in a slot do so in all slots of its kind, whatever the lag.
    """
    known: dict[str, list[tuple[int, np.ndarray]]] = {}
    for slot in slots:
        if slot.kind not in known:
            present = step_numbers(replace(slot, lag=None if slot.lag is None else 0), samples)
            distinct, member_of = np.unique(present, return_inverse=True)
            known[slot.kind] = [(n, np.flatnonzero(member_of == index)) for index, n in enumerate(distinct.tolist())]
        for number, positions in known[slot.kind]:
            yield slot, step_of(number - (slot.lag or 0), slot.kind), positions


def keys_of(slot: Slot, numbers: np.ndarray) -> list[str]:
    """The key [n] of each sample in this slot (`LAI_2012`)."""
    words = {int(number): step_of(int(number), slot.kind).key(slot.name) for number in np.unique(numbers)}
    return [words[number] for number in numbers.tolist()]
