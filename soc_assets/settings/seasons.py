"""The rule of seasons: which there are, in what order, and to which year a winter belongs.

A winter is December to February and has the year of its January. Seasons are counted as steps, four a year; every other
module asks here.
"""

from typing import Any

SEASONS = ("winter", "spring", "summer", "autumn")
"""In the order of a year."""


def season_index(month: Any) -> Any:
    """Position in `SEASONS` of a month (1 to 12), or of an array of months."""
    return month % 12 // 3


def season_year(year: Any, month: Any) -> Any:
    """The year that a season has, of the year and month of a day in it (or of arrays): a December's is the next."""
    return year + (month == 12)


def season_number(year: Any, index: Any) -> Any:
    """The count of a season, from the season's year and position (or arrays of them): one more is the season after."""
    return year * len(SEASONS) + index


def season_of_number(number: int) -> tuple[int, str]:
    """Year and season that a count stands for."""
    year, index = divmod(number, len(SEASONS))
    return year, SEASONS[index]


def season_rank(season: str | None) -> int:
    """By which steps of a year are sorted; what has no season comes first."""
    return -1 if season is None else SEASONS.index(season)
