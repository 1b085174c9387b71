"""Which row of a table holds the names of its columns: titles, comments and blank rows may stand above it."""

import re
from collections.abc import Collection, Sequence

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.columns import find_columns
from soc_assets.ingest.soil.headers import is_unit
from soc_assets.ingest.soil.usual_names import NEEDED
from soc_assets.settings import SoilColumns, SoilTable
from soc_assets.storage.names import nfc

LOOKED_AT = 50
"""Rows at the top of a table among which its names are looked for."""
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?")
_MEASURED = 3  # numbers in a row of measurements, at least: place and carbon
_NAMES_ABOVE = 2  # different names in a row, so that it is no title
_COMMENT = ("#", "//", "%", "!")


def header_place(rows: Sequence[Sequence[object]], how: SoilTable) -> int:
    """Position of the row of names.

    That of `header_row`, else the first with all names that are needed, else the one with most of the usual or mapped
    names, else the first that is as filled as a header.

    Args:
        rows: the first rows of a table, blank ones included.
        how: names the mapped columns, and may say which row it is.

    Raises:
        SoilError: there is no such row.
    """
    if how.header_row is not None:
        if how.header_row > len(rows) or not any(filled(rows[how.header_row - 1])):
            raise SoilError(
                f"header_row = {how.header_row} of [[soil.tables]] file = {how.file!r} in soc.toml is a row without "
                f"anything in it; the table has {len(rows)} rows. Correct it, or take it out."
            )
        return how.header_row - 1
    looked_at = _above_data([filled(row) for row in rows[:LOOKED_AT]])
    found = []
    for names in looked_at:  # one by one: to recognise thousands of names takes a while
        found.append(recognised(names, how.columns))
        if found[-1] >= set(NEEDED):
            return len(found) - 1
    most = max((len(fields) for fields in found), default=0)
    return next(place for place, fields in enumerate(found) if len(fields) == most) if most > 1 else _fullest(looked_at)


def recognised(names: Sequence[str], columns: SoilColumns) -> set[str]:
    """The fields that a row names; one that names a field twice, such as a merged title, names none surely."""
    try:
        return set(find_columns(list(names), columns))
    except SoilError:
        return set()


def filled(row: Sequence[object]) -> list[str]:
    """A row's cells as text, "" where there is nothing; numbers are no names."""
    return [
        cell.strip() if isinstance(cell, str) else "" if cell is None or cell != cell else str(cell) for cell in row
    ]


def mapped_names(how: SoilTable) -> set[str]:
    """The names of columns that soc.toml gives for a table."""
    return {nfc(name) for name in how.columns.model_dump().values() if isinstance(name, str)}


def names_in_two_rows(above: Sequence[str], names: Sequence[str], kept: Collection[str]) -> list[str]:
    """The names where some are in the row above: `Corg` over `%`, or `Profil` over an empty cell.

    Args:
        above: cells of the row above; a title, which is one text alone, names nothing.
        names: cells of the row of names.
        kept: names that stay as they are.
    """
    if len({*above} - {""}) < _NAMES_ABOVE:
        return list(names)
    pairs = zip([*above, *[""] * (len(names) - len(above))], names, strict=False)
    return [
        name
        if name in kept or not over or is_unit(over) or (name and not is_unit(name)) or over == name
        else f"{over} {name}".strip()
        for over, name in pairs
    ]


def _above_data(rows: list[list[str]]) -> list[list[str]]:
    """The rows before the first that holds measurements: names below these would lose the rows above them."""
    measured = (sum(bool(_NUMBER.fullmatch(cell)) for cell in row) >= _MEASURED for row in rows)
    first = next((place for place, holds in enumerate(measured) if holds), len(rows))
    return rows[:first] or rows


def _fullest(rows: list[list[str]]) -> int:
    """The first row that has half as many cells as the fullest, so that a title is no header."""
    counts = [sum(map(bool, row)) if not "".join(row).startswith(_COMMENT) else 0 for row in rows]
    enough = max(1, max(counts, default=0) / 2)
    return next((place for place, count in enumerate(counts) if count >= enough), 0)
