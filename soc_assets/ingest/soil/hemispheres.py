"""Degrees as people write them, 3.7 W, 40°12'N, or a number beside a column of E and W; signed in the end.

LUCAS has GPS_LONG without a sign and E or W, or 1 or 2, in GPS_EW.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.headers import side_of
from soc_assets.ingest.soil.values import is_missing, to_numbers

_NUMBER = r"\d+(?:[.,]\d+)?"
_DEGREES = (
    rf"^(?P<before>[^\W\d_]*)\s*(?P<sign>[+-]?)\s*(?P<degrees>{_NUMBER})\s*[°º˚]?\s*"
    rf"(?:(?P<minutes>{_NUMBER})\s*['′’´]\s*)?(?:(?P<seconds>{_NUMBER})\s*(?:[\"″”]|''|′′|´´|’’)\s*)?"
    r"(?P<after>[^\W\d_]*)\.?$"
)
_PARTED = (  # 11 34 08.04, 11:34:08 E, 11d34m8sE
    r"^(?P<before>[^\W\d_]*)\s*(?P<sign>[+-]?)\s*(?P<degrees>\d{1,3})(?:\s*[:d]\s*|\s+)"
    r"(?P<minutes>\d{1,2}(?:[.,]\d+)?)(?:(?:\s*[:m]\s*|\s+)(?P<seconds>\d{1,2}(?:[.,]\d+)?)|m)?\s*s?\s*"
    r"(?P<after>[^\W\d_]*)\.?$"
)
_SIGNS = {
    "longitude": {
        **dict.fromkeys(("e", "east", "est", "ost", "osten", "1"), 1.0),
        **dict.fromkeys(("w", "west", "westen", "ouest", "oeste", "ovest", "2", "-1"), -1.0),
    },
    "latitude": {
        **dict.fromkeys(("n", "north", "nord", "norden", "norte", "1"), 1.0),
        **dict.fromkeys(("s", "south", "süd", "süden", "sud", "sur", "2", "-1"), -1.0),
    },
}
_SIDES = {"longitude": "east_west", "latitude": "north_south"}


@dataclass(frozen=True)
class Axis:
    """One coordinate of every row."""

    values: pd.Series
    """Numbers [n] with their sign; NaN where there is none, or its side is not known."""
    text: pd.Series
    """As the file has it [n], with the side where that is why there is none."""


def read_axis(frame: pd.DataFrame, columns: Mapping[str, str], axis: str, comma: bool, *, degrees: bool) -> Axis:
    """A table's longitudes or latitudes.

    Letters in the values count, then a W or S in the column's own name, `Longitude (°W)`, then the column of sides
    (`ingest.soil.columns`, east_west or north_south). That column is not looked at where it belongs to another pair of
    coordinates (GPS_EW beside TH_LONG), or says nothing.

    Args:
        frame: the table's text.
        columns: the file's name of each recognised column.
        axis: longitude or latitude.
        comma: whether 1,5 is a number.
        degrees: whether the coordinates are degrees; metres have no letters.

    Raises:
        SoilError: O may be east (Ost) or west (Oeste, Ouest), and nothing tells which.
    """
    text = frame[axis]
    numbers = to_numbers(text, comma)
    if not degrees:
        return Axis(numbers, text)
    written = numbers.isna() & ~is_missing(text)
    if written.any():
        numbers = numbers.where(~written, _written(text[written], axis).reindex(text.index))
    side = _SIDES[axis]
    if side_of(columns.get(axis, "")) in ("w", "s"):  # `Longitude (°W)`
        return Axis((-numbers.abs()).where(~written, numbers), text)
    name = columns.get(side)
    if name is None or not _of_one_pair(name, columns.get(axis, "")):
        return Axis(numbers, text)
    said = frame[side].str.lower().str.removesuffix(".0")
    signs = _signs(said, axis, name)
    if signs.isna().all():
        return Axis(numbers, text)
    unsure = signs.isna() & (numbers > 0) if (signs < 0).any() else pd.Series(False, text.index)
    unsure |= (numbers < 0) & (signs > 0)
    unsure &= ~written
    as_text = text.str.cat(frame[side], sep=f" ({name}: ") + ")"
    signed = (numbers.abs() * signs).fillna(numbers)  # without a side a number keeps its own sign
    return Axis(signed.where(~written, numbers).mask(unsure), text.mask(unsure, as_text))


def _of_one_pair(side: str, axis: str) -> bool:
    """Whether a column of sides may belong to one of coordinates: GPS_EW to GPS_LONG and lon, not to TH_LONG."""
    kinds = [next((kind for kind in ("gps", "th") if name.lower().startswith(kind + "_")), "") for name in (side, axis)]
    return axis not in ("the point's x", "the point's y") and (kinds[0] in ("", kinds[1]) or kinds[1] == "")


def _written(text: pd.Series, axis: str) -> pd.Series:
    """Numbers [n] of degrees with letters, minutes or seconds; NaN where they are none."""
    plain = text.str.replace("−", "-", regex=False)
    parts = plain.str.extract(_DEGREES).fillna(plain.str.lower().str.extract(_PARTED))
    degrees, minutes, seconds = (to_numbers(parts[name].fillna(""), True) for name in ("degrees", "minutes", "seconds"))
    whole = degrees + minutes.fillna(0) / 60 + seconds.fillna(0) / 3600
    whole = whole.mask((minutes >= 60) | (seconds >= 60))
    letters = parts["before"].fillna("").str.cat(parts["after"].fillna("")).str.lower()
    signs = _signs(letters, axis, axis).mask(letters == "", 1.0)
    minus = parts["sign"] == "-"
    return (whole * signs.mask(minus & (letters == ""), -1.0)).mask(minus & (signs > 0) & (letters != ""))


def _signs(letters: pd.Series, axis: str, name: str) -> pd.Series:
    """1 or -1 of each side [n], NaN where it says none."""
    signs = letters.map(_SIGNS[axis]).astype("float64")
    ambiguous = letters == "o"
    if axis == "longitude" and ambiguous.any():
        east, west = letters.isin(("e", "east")).any(), letters.isin(("w", "west")).any()
        if east == west:
            raise SoilError(
                f"the column {name!r} says O, which is east in German (Ost) and west in French, Spanish or Italian. "
                "Write E or W into the table."
            )
        signs = signs.mask(ambiguous, -1.0 if east else 1.0)
    return signs
