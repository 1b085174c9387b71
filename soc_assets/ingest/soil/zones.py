"""A column that says the zone or CRS of each row, where the table is read in one: other rows are not in it."""

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from soc_assets.ingest.soil.headers import words
from soc_assets.ingest.soil.places import parse_crs

_ZONE = re.compile(r"(?:utm|zone)?\s*(\d{1,2})\s*[c-hj-np-x]?(?:\.0)?", re.IGNORECASE)
_EPSG = re.compile(r"(?:epsg:?)?\s*(\d{4,5})(?:\.0)?", re.IGNORECASE)
_GAUSS_KRUEGER = {31466: 2, 31467: 3, 31468: 4, 31469: 5}
_CLEAR = 25  # a bare `zone` below may be one of climate
_FILLERS = {"utm", "zone", "zones", "gk", "meridianstreifen", "streifen", "grid", "no", "nr", "number", "id", "code"}


def zone_column(header: Sequence[str], taken: Sequence[int]) -> int | None:
    """Position of a column of zones or EPSG codes, if there is one."""
    for place, name in enumerate(header):
        found = set(words(name))
        if place in taken or not found:
            continue
        if found & {"epsg", "srid"} or found in ({"crs"}, {"utm"}, {"utmzone"}):
            return place
        if found <= _FILLERS and found & {"zone", "meridianstreifen", "streifen"}:
            return place
    return None


def outside_zone(text: pd.Series, name: str, crs: str | None, where: str) -> pd.Series:
    """What is said of rows [n] whose zone is not that of the table's CRS; "" of all others.

    Args:
        text: the zones, "" where a row says none.
        name: of their column.
        crs: of the table.
        where: the setting or file that gives the CRS.
    """
    nothing = pd.Series("", text.index, dtype="str")
    if crs is None or (text == "").all():
        return nothing
    system = parse_crs(crs, where)
    code = system.to_epsg()
    by_code = not set(words(name)).isdisjoint({"epsg", "srid", "crs"})
    own = code if by_code else _zone_of(system.utm_zone, code)
    if own is None:
        return nothing
    said = text.map(lambda cell: _number(_EPSG if by_code else _ZONE, cell))
    clear = by_code or len(words(name)) > 1 or bool((said == own).any() or said.dropna().ge(_CLEAR).all())
    if not clear:
        return nothing
    other = said.notna() & (said != own)
    reason = f" ({name}: " + text + f"; the table is read as {crs}: give rows of another zone a file of their own)"
    return nothing.mask(other, reason)


def _zone_of(utm: str | None, code: int | None) -> int | None:
    return int(re.sub(r"\D", "", utm)) if utm else _GAUSS_KRUEGER.get(code or 0)


def _number(pattern: re.Pattern[str], cell: str) -> float | None:
    found = pattern.fullmatch(cell)
    return float(found[1]) if found else None


def zones_of(frame: pd.DataFrame, columns: Mapping[str, str], crs: str | None, where: str) -> pd.Series:
    """`outside_zone` of a table's rows [n]."""
    return outside_zone(frame["zone"], columns.get("zone", ""), crs, where)
