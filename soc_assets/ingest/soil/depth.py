"""The depth that a row states, and whether it is the one that is wanted.

Depths are in cm, measured downwards from the surface of the soil.
"""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from soc_assets.ingest.soil.values import is_missing, to_numbers

_NUMBER = r"(?:\d+(?:[.,]\d+)?|[.,]\d+)"
_UNIT = r"\(?(?:cm|mm|dm|m|in|inch|ft)\)?"
_RANGE = (
    rf"^(?P<upper>{_NUMBER})\s*(?P<first>{_UNIT})?\s*"
    rf"(?:(?:-|–|—|−|_|/|à|to|bis|\.\.)\s*(?P<lower>{_NUMBER})\s*(?P<unit>{_UNIT})?)?\.?$"
)
_IN_NAME = re.compile(r"(?<![\d.])(\d{1,3})\s*(?:-|–|—|_|to|bis)\s*(\d{1,3})\s*_?cm(?![a-z])", re.IGNORECASE)
_CM = {"cm": 1.0, "m": 100.0, "dm": 10.0, "mm": 0.1, "in": 2.54, "inch": 2.54, "ft": 30.48}
CLOSE = 0.05
"""cm to which two depths are one: 0.3 m kept in single precision is 30 cm."""


def depth_texts(depth: pd.Series, upper: pd.Series, lower: pd.Series) -> pd.Series:
    """The depth as the file has it [n]: `upper-lower` of two columns, else one text; "" where a row states none."""
    one, limits = ~is_missing(depth), ~is_missing(upper) & ~is_missing(lower)
    some = ~(is_missing(upper) & is_missing(lower))
    both = upper.str.cat(lower, sep="-").str.removesuffix("-")
    return both.where(limits, depth.where(one, both.where(some, "")))


def depth_limits(
    depth: pd.Series, upper: pd.Series, lower: pd.Series, units: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Limits of depth in numbers.

    Args:
        depth: one text [n], for example `0-20 cm`, `0 - 20`, `0-0.2 m`, `20-30`, `0` (an upper limit alone).
        upper: upper limits as text [n].
        lower: lower limits as text [n].
        units: of the columns `depth`, `depth_upper` and `depth_lower` where a cell states none; cm if left out.

    Returns:
        `text` (of `depth_texts`), `top` and `bottom` [n] in cm (NaN where there is none or it is not a number).
    """
    units = units or {}
    ranges = _limits(depth, units.get("depth", "cm"))
    tops, bottoms = (_limits(text, units.get(f"depth_{name}", "cm"))["top"] for text, name in _named(upper, lower))
    text = depth_texts(depth, upper, lower)
    by_limits = (~is_missing(upper) & ~is_missing(lower)) | is_missing(depth)
    return pd.DataFrame(
        {
            "text": text,
            "top": tops.where(by_limits, ranges["top"]),
            "bottom": bottoms.where(by_limits, ranges["bottom"]),
        }
    )


def fits_depth(limits: pd.DataFrame, wanted: str) -> pd.Series:
    """Whether the stated depth [n] is the wanted one; a row that states none is taken to fit.

    Args:
        limits: of `depth_limits`; an upper limit alone must equal that of the wanted depth.
        wanted: `0-20` (cm), `topsoil` (whatever begins at the surface) or `any`, which also fits a text without a
            depth.
    """
    text, top, bottom = limits["text"], limits["top"], limits["bottom"]
    if wanted == "any":
        return pd.Series(True, text.index)
    if wanted == "topsoil":
        return (text == "") | (top <= CLOSE)
    first, last = wanted_limits(wanted)
    return (text == "") | (_near(top, first) & (bottom.isna() | _near(bottom, last)))


def not_understood(limits: pd.DataFrame, wanted: str) -> pd.Series:
    """Whether the depth [n] is a text without a number that is understood, and one is wanted."""
    return (limits["text"] != "") & limits["top"].isna() & (wanted != "any")


def wanted_limits(wanted: str) -> tuple[float, float]:
    """Upper and lower limit of a setting such as `0-20`, cm."""
    top, bottom = (float(part) for part in wanted.split("-"))
    return top, bottom


def limits_in(name: str) -> tuple[float, float] | None:
    """Upper and lower limit, cm, that the name of a file or of a group of columns says: `soil_20-30cm`."""
    found = _IN_NAME.search(name)
    return (float(found[1]), float(found[2])) if found else None


def _limits(text: pd.Series, unit: str) -> pd.DataFrame:
    distinct = pd.Series(text.unique(), dtype="str")  # most tables have few
    return _of_texts(distinct, unit).take(pd.Index(distinct).get_indexer(pd.Index(text))).set_axis(text.index)


def _of_texts(text: pd.Series, unit: str) -> pd.DataFrame:
    if not text.any():
        return pd.DataFrame(np.nan, text.index, ["top", "bottom"])
    parts = text.str.lower().str.extract(_RANGE)
    parts[["first", "unit"]] = parts[["first", "unit"]].apply(lambda unit: unit.str.strip("()"))
    common = parts["unit"].fillna(parts["first"]).fillna(unit)
    factors = {"top": parts["first"].fillna(common), "bottom": common}
    numbers = {"top": parts["upper"], "bottom": parts["lower"]}
    return pd.DataFrame(
        {name: to_numbers(numbers[name].fillna(""), True) * factors[name].map(_CM) for name in numbers}, text.index
    )


def _named(upper: pd.Series, lower: pd.Series) -> list[tuple[pd.Series, str]]:
    return [(upper, "upper"), (lower, "lower")]


def _near(numbers: pd.Series, wanted: float) -> pd.Series:
    return pd.Series(np.isclose(numbers, wanted, rtol=0, atol=CLOSE), numbers.index)
