"""The time step of a raster from text: dates in file names, and the names of the bands of a file.

Only text and dates belong here; the rule of seasons is in `soc_assets.settings.seasons`.
"""

import re
from datetime import date, timedelta
from typing import TypeVar

from soc_assets.settings.seasons import SEASONS, season_index, season_year

T = TypeVar("T", int, str)

DATE = r"\d{4}-\d{2}-\d{2}|\d{8}"
"""Regular expression of a date: YYYYMMDD or YYYY-MM-DD."""
_YEAR = re.compile(r"(?<!\d)(?:1[89]|20|21)\d{2}(?!\d)")
_DATE = re.compile(rf"(?<!\d)(?:{DATE})(?!\d)")
_SEASON = re.compile(rf"(?i)(?<![a-z])(?:{'|'.join(SEASONS)})(?![a-z])")


def to_date(text: str) -> date:
    """The date of YYYYMMDD or YYYY-MM-DD.

    Raises:
        ValueError: there is no such day.
    """
    return date.fromisoformat(text)


def middle(start: date, end: date) -> date:
    """The day halfway between two, both of which belong to the period.

    Raises:
        ValueError: the period ends before it starts.
    """
    if end < start:
        raise ValueError(f"the period ends ({end}) before it starts ({start})")
    return start + timedelta(days=(end - start).days // 2)


def step_of_date(day: date, kind: str) -> tuple[int, str | None]:
    """Year, and for seasonal bands the season, to which a day belongs."""
    if kind == "yearly":
        return day.year, None
    return season_year(day.year, day.month), SEASONS[season_index(day.month)]


def step_of_text(text: str, kind: str, year: int | None = None, season: str | None = None) -> tuple[int, str | None]:
    """Year and season that a text names (`2007`, `LAI 2007 winter`, `2007-01-15`).

    Args:
        text: what a band is called.
        kind: yearly or seasonal.
        year: known already, as the file's name says it.
        season: known already.

    Raises:
        ValueError: the text does not name exactly one year (one season), or another one than is known already.
    """
    dates = {to_date(found) for found in _DATE.findall(text)}
    beside = {int(found) for found in _YEAR.findall(_DATE.sub(" ", text))}
    if len(dates) == 1 and not beside and year is None and season is None:
        return step_of_date(dates.pop(), kind)
    years = {int(found) for found in _YEAR.findall(text)} | {day.year for day in dates}
    only_year = _only(years, year, text, "year")
    if kind == "yearly":
        return only_year, None
    return only_year, _only({found.lower() for found in _SEASON.findall(text)}, season, text, "season")


def _only(found: set[T], known: T | None, text: str, what: str) -> T:
    """What a text names, or what is known already if the text does not contradict it."""
    if known is not None:
        if found and known not in found:
            raise ValueError(f"{text!r} names {', '.join(sorted(map(str, found)))}, the name of the file {known}")
        return known
    if len(found) != 1:
        seasons = f" ({', '.join(SEASONS)})" if what == "season" else ""
        raise ValueError(f"{text!r} names {f'several {what}s' if found else f'no {what}'}{seasons}")
    return next(iter(found))
