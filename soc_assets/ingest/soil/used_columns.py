"""Which columns of a table can be of use, by their names alone: the others need not be held in memory.

Which of them is used is decided in `soil.columns` and `soil.extra`; here each name is asked for itself, so that no
column is left out that those could take.
"""

from collections.abc import Sequence

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.columns import find_columns
from soc_assets.ingest.soil.depth_columns import depth_field
from soc_assets.ingest.soil.extra import extra_columns
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
    named = {
        place for place, name in enumerate(header) if name and (find_columns([name], how.columns) or depth_field(name))
    }
    try:
        return named | {*extra_columns(header, how.extra or (), ()).values()}
    except SoilError:  # two columns would get one name, which is told where they are taken
        return {*range(len(header))}
