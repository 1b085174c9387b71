"""Degrees, minutes and seconds in columns of their own, `lat_deg`, `lat_min`, `lat_sec`: one coordinate in the end."""

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from soc_assets.ingest.soil.headers import words
from soc_assets.ingest.soil.values import is_missing, to_numbers

_AXES = {
    **dict.fromkeys(("lat", "latitude", "breite", "breitengrad"), "latitude"),
    **dict.fromkeys(("lon", "long", "lng", "longitude", "länge", "laenge", "längengrad"), "longitude"),
}
_PARTS = {
    **dict.fromkeys(("d", "deg", "degree", "degrees", "grad"), "degrees"),
    **dict.fromkeys(("m", "min", "minute", "minutes", "minuten"), "minutes"),
    **dict.fromkeys(("s", "sec", "second", "seconds", "sek", "sekunden"), "seconds"),
}
_JOINED = re.compile(r"(?P<axis>latitude|lat|longitude|long|lon)(?P<part>degrees|minutes|seconds|deg|min|sec)")


def part_of(name: str) -> tuple[str, str, tuple[str, ...]] | None:
    """The axis of a column, its part (degrees, minutes, seconds) and its other words; None where it is no coordinate.

    A column without a word for its part holds degrees.
    """
    found = words(name)
    if len(found) == 1 and (joined := _JOINED.fullmatch(found[0])):
        found = [joined["axis"], joined["part"]]
    axes = [word for word in found if word in _AXES]
    parts = [word for word in found if word in _PARTS]
    if len(axes) != 1 or len(parts) > 1:
        return None
    others = tuple(word for word in found if word not in (*axes, *parts))
    return _AXES[axes[0]], _PARTS[parts[0]] if parts else "degrees", others


def minute_columns(header: Sequence[str], place: int) -> dict[str, int]:
    """Positions of the minutes and seconds that belong to a column of degrees; empty where there are no minutes."""
    own = part_of(header[place])
    if own is None or own[1] != "degrees":
        return {}
    if any({"max", "maximum"} & {*words(name)} and {*words(name)} & _AXES.keys() for name in header):
        return {}  # `lat_min` beside `lat_max` is the southern end of something
    found = {
        part[1]: other
        for other, name in enumerate(header)
        if (part := part_of(name)) and part[1] != "degrees" and (part[0], part[2]) == (own[0], own[2])
    }
    return found if "minutes" in found else {}


def with_minutes(parts: Mapping[str, pd.Series]) -> pd.Series:
    """Coordinates [n] in decimal degrees, as text.

    Degrees with decimal places are whole coordinates: then minutes are not looked at. Where a part is not a number, or
    minutes are missing, the row has the three texts in parallel, which are not a coordinate.

    Args:
        parts: text [n] of `degrees`, `minutes` and, if there are any, `seconds`.
    """
    degrees, minutes = parts["degrees"], parts["minutes"]
    seconds = parts.get("seconds", pd.Series("", degrees.index, dtype="str"))
    whole, sixtieths = to_numbers(degrees, True), to_numbers(minutes, True)
    if (whole.dropna() % 1 != 0).any():
        return degrees
    rest = to_numbers(seconds.mask(is_missing(seconds), "0"), True)
    known = whole.notna() & sixtieths.between(0, 60, inclusive="left") & rest.between(0, 60, inclusive="left")
    joined = (whole.abs() + sixtieths / 60 + rest / 3600).round(9).astype("str")
    signed = joined.mask(degrees.str.startswith(("-", "−")), "-" + joined)
    as_text = (degrees + " " + minutes + " " + seconds).str.strip() + " (degrees, minutes, seconds)"
    return signed.where(known, as_text.where(~is_missing(degrees), ""))
