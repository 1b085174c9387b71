"""The places of a request: each is understood, or has a reason that names its field, and the others are answered."""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from soc_assets.ingest.soil.points import OWN, points_of_text

MOST = 10_000
"""Places of a request."""
_LARGEST = 10**15  # beyond any coordinate or year, and within what a float holds exactly
_FIELDS = ("longitude", "latitude", "date", "year")


class RefusedError(Exception):
    """A request that cannot be answered at all, and its status."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


def places_of(body: Any) -> list[Any]:
    """The places of a request's JSON: one object, a list of them, or an object with the list `places`.

    Raises:
        RefusedError: it is neither, or there are too many.
    """
    if isinstance(body, Mapping):
        body = body.get("places", [body])
    if not isinstance(body, Sequence) or isinstance(body, str):
        example = '{"places": [{"longitude": 11.43, "latitude": 48.22, "year": 2018}]}'
        raise RefusedError(422, f"The body must be a place, or a list of places: {example}")
    if len(body) > MOST:
        raise RefusedError(
            413, f"{len(body):,} places in a request, at most {MOST:,} are answered. Send them in parts."
        )
    return list(body)


def cells_of(places: Sequence[Any]) -> pd.DataFrame:
    """Places as the text of a table [n], with the fault of each, "" where there is none; cheap, by request."""
    cells = []
    for place in places:
        fault = _fault(place)
        known = [""] * len(_FIELDS) if fault else [_cell(place.get(name)) for name in _FIELDS]
        cells.append([*known, fault])
    return pd.DataFrame(cells, columns=["longitude", "latitude", "survey_date", "year", "fault"], dtype="str")


def points_of(cells: pd.DataFrame) -> pd.DataFrame:
    """Points as `soc predict` reads them from a file, of the places of several requests at once.

    Args:
        cells: of `cells_of`.
    """
    points = points_of_text(cells.drop(columns="fault"))
    own = cells["fault"].set_axis(points.index)
    points[OWN + "reason"] = points[OWN + "reason"].mask(own != "", own)
    return points


def _fault(place: Any) -> str:
    """What is wrong with a place's fields, "" where nothing is."""
    if not isinstance(place, Mapping):
        return f"a place is an object with longitude, latitude and a date or year, not {_shown(place)}"
    if unknown := [str(name) for name in place if name not in _FIELDS]:
        return f"{_shown(unknown[0])} is not a field; known are {', '.join(_FIELDS)}"
    for name, most in (("longitude", 180), ("latitude", 90)):
        value = place.get(name)
        if value is None:
            return f"{name} is missing"
        if not _is_number(value):
            return f"{name} is not a finite number: {_shown(value)}"
        if abs(value) > most:
            return f"{name} is not in degrees of WGS84: {_shown(value)}"
    year, day = place.get("year"), place.get("date")
    if year is not None and not (_is_number(year) and float(year).is_integer() and 1 <= year <= 9999):
        return f"year is not a year: {_shown(year)}"
    if day is not None:
        return _fault_of_date(day, year)
    return ""


def _fault_of_date(day: Any, year: Any) -> str:
    try:
        found = date.fromisoformat(day)
    except (TypeError, ValueError):
        return f"date is not an ISO date such as 2018-05-31: {_shown(day)}"
    if year is not None and found.year != year:
        return f"date and year differ: {_shown(day)} and {year}"
    return ""


def _cell(value: Any) -> str:
    """A known value as a table has it: no exponents, whole numbers as such."""
    if value is None or isinstance(value, str):
        return value or ""
    return np.format_float_positional(value, trim="-")


def _is_number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) < _LARGEST and math.isfinite(value)


def _shown(value: Any) -> str:
    """A value of a request in a message, cut."""
    words = repr(value)
    return words if len(words) <= 60 else f"{words[:57]}..."
