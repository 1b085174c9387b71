"""Columns that hold only the sign of a value, `<` beside 2.0: without it a detection limit would count as measured."""

from collections.abc import Callable, Iterable, Sequence

import pandas as pd

from soc_assets.ingest.soil.headers import words

_SIGNS = {
    "<": "<",
    "<=": "<",
    "≤": "<",
    "&lt;": "<",
    ">": ">",
    ">=": ">",
    "≥": ">",
    "=": "",
    "": "",
    "~": "",
    "ca.": "",
}
_GENERAL = {"qual", "qualifier", "sign", "flag", "vorzeichen", "vz", "kennung", "operator", "op", "symbol", "bg", "nwg"}
_GENERAL |= {"remark", "bemerkung", "lod", "lt", "code", "prefix", "detection", "censored", "result", "kz"}


def qualifier_of(
    header: Sequence[str], carbon: int, taken: Iterable[int], cells: Callable[[int], pd.Series]
) -> tuple[int | None, list[str]]:
    """The column of signs that belongs to organic carbon, and columns of signs of which that is not sure.

    It belongs to it where it carries its name (`OC_qual`), or stands left of it without a name of another column.

    Args:
        header: names of the columns.
        carbon: position of organic carbon.
        taken: positions of columns that are something else.
        cells: the text of a column by its position.
    """
    own, unsure, used = set(words(header[carbon])), [], set(taken)
    for place, name in enumerate(header):
        if place in used or (abs(place - carbon) > 1 and not own & set(words(name))):
            continue
        said = set(cells(place).unique())
        if not said <= _SIGNS.keys() or not any(_SIGNS[sign] for sign in said):
            continue
        named = set(words(name))
        if own & named or (place == carbon - 1 and named <= {*_GENERAL, "<"}):
            return place, []
        unsure.append(name)
    return None, unsure


def with_signs(values: pd.Series, signs: pd.Series) -> pd.Series:
    """Values [n] with the signs [n] before them; a value without a number stays as it is."""
    sign = signs.map(_SIGNS).fillna("")
    return values.mask((sign != "") & values.str.contains(r"^[\d.,]", regex=True), sign + " " + values)
