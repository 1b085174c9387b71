"""Which columns of a table can be of use, by their names alone: the others need not be held in memory.

Which of them is used is decided in `ingest.soil.columns`, `ingest.soil.extra` and where tables are made; here each
name is asked for itself, so that no column is left out that those could take.
"""

from collections.abc import Sequence

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.columns import find_columns
from soc_assets.ingest.soil.degree_columns import part_of
from soc_assets.ingest.soil.depth_columns import depth_field
from soc_assets.ingest.soil.extra import extra_columns
from soc_assets.ingest.soil.headers import words
from soc_assets.ingest.soil.odd_rows import LABELS
from soc_assets.ingest.soil.zones import zone_column
from soc_assets.settings import SoilTable

_FEW = 64
"""Columns of a table that is read whole."""


def used_columns(header: Sequence[str], how: SoilTable) -> set[int]:
    """Positions of the columns that a soil table may be asked for.

    Args:
        header: column names as the file has them.
        how: names columns and further ones.
    """
    if len(header) <= _FEW:
        return {*range(len(header))}
    fields = {place: {*find_columns([name], how.columns)} for place, name in enumerate(header) if name}
    named = {place for place, found in fields.items() if found or _is_beside(header[place])}
    signs = _of_signs(header, [place for place, found in fields.items() if "organic_carbon" in found])
    named |= signs | {*range(min(LABELS, len(header)))}
    try:
        return named | {*extra_columns(header, how.extra or (), ()).values()}
    except SoilError:  # two columns would get one name, which is told where they are taken
        return {*range(len(header))}


def _is_beside(name: str) -> bool:
    """Whether a column says more of a place or a depth: minutes, a zone, a limit."""
    return bool(part_of(name) or depth_field(name)) or zone_column([name], []) is not None


def _of_signs(header: Sequence[str], carbon: Sequence[int]) -> set[int]:
    """Columns that can hold the signs of organic carbon: those beside it, or with a word of its name."""
    own = {word for place in carbon for word in words(header[place])}
    beside = {other for place in carbon for other in (place - 1, place + 1) if 0 <= other < len(header)}
    return beside | {place for place, name in enumerate(header) if own & {*words(name)}}
