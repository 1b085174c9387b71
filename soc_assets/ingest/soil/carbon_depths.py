"""Columns of carbon for several depths side by side: OC_0_10, SOC_10-30cm, OC_topsoil.

A sample has one depth, so such columns are named and not read unless soc.toml names one.
"""

import re
from collections.abc import Collection, Sequence

from soc_assets.ingest.soil.headers import words

_LIMITS = re.compile(
    r"(?<!\d)(\d{1,3})\s*(?:cm)?\s*(?:-|–|—|_|\.|to|bis|\s)\s*(\d{1,3})(?!\d)\s*_?\s*(?:cm)?(?![^\W\d_])", re.IGNORECASE
)
_PARTS = {"top", "topsoil", "oberboden", "sub", "subsoil", "unterboden"}
_LONGEST_NAME = 3  # words


def carbon_by_depth(header: Sequence[str], names: Collection[str]) -> dict[int, str]:
    """The depth that the names of columns of carbon state, by position: `0-10 cm`, `topsoil`.

    Args:
        header: names of columns.
        names: what carbon and organic matter are called, in words joined by _.
    """
    return {place: depth for place, name in enumerate(header) if (depth := _depth_of(name, names))}


def limits_of(name: str) -> tuple[float, float] | None:
    """Upper and lower limit in a column's name, cm."""
    found = _LIMITS.search(name)
    return (float(found[1]), float(found[2])) if found and int(found[1]) < int(found[2]) else None


def listed(header: Sequence[str], depths: dict[int, str]) -> str:
    """The columns and their depths for a message."""
    return ", ".join(f"{header[place]!r} ({depth})" for place, depth in depths.items())


def _depth_of(name: str, names: Collection[str]) -> str | None:
    if limits := limits_of(name):
        rest, depth = words(_LIMITS.sub(" ", name)), f"{limits[0]:g}-{limits[1]:g} cm"
    else:
        found = words(name)
        part = next((word for word in found if word in _PARTS), None)
        rest, depth = [word for word in found if word != part], part
    called = ("_".join(rest[:length]) for length in range(min(_LONGEST_NAME, len(rest)), 0, -1))
    return depth if depth and any(each in names for each in called) else None
