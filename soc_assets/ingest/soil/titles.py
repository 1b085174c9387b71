"""What the lines above the names say of units: `# OC in %`, `# unit: g/kg`, `Organic carbon (g/100 g), depth in m`.

Only unambiguous lines count; what the unit then means is decided in `ingest.soil.carbon_units`.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from soc_assets.ingest.soil.headers import carbon_unit_of, depth_unit_of, tokens

_CLAUSES = re.compile(r"[,;|\n]|\.\s|\b(?:and|und|et|y|e)\b", re.IGNORECASE)
_OF_UNITS = {"unit", "units", "einheit", "einheiten", "values", "werte", "concentrations", "contents", "gehalte"}
_FILLERS = _OF_UNITS | {
    *("in", "as", "is", "are", "was", "were", "all", "the", "of", "given", "measured", "reported", "expressed"),
    *("content", "concentration", "gehalt", "konzentration", "alle", "ist", "sind", "angegeben", "en"),
}
_BELONGS = {"for", "of", "von", "für", "fuer"}
_DEPTHS = {"depth", "depths", "tiefe", "tiefen", "profondeur", "top", "bottom", "horizon_depth", "sampling_depth"}
_MOST_TOKENS = 6  # of a unit: g, C, 100, g, dry, soil
_LONGEST_NAME = 3  # tokens
_MOST_LINES = 50

UnitOf = Callable[[Sequence[str]], str | None]


@dataclass(frozen=True)
class Said:
    """A unit that a line above the names says."""

    text: str
    unit: str
    general: bool
    """Whether it is said of the table and not of a column by its name."""


def lines_above(rows: Sequence[Sequence[object]]) -> tuple[str, ...]:
    """The filled cells of rows above the names, a text for each row."""
    cells = ([str(cell).strip() for cell in row if cell is not None and cell == cell] for row in rows[-_MOST_LINES:])
    return tuple(filter(None, (", ".join(filter(None, row)) for row in cells)))


def carbon_units(lines: Sequence[str], names: Collection[str]) -> list[Said]:
    """The units that lines say of organic carbon.

    Args:
        lines: of `lines_above`.
        names: of the column, in words joined by _.
    """
    return _said(lines, names, carbon_unit_of)


def depth_unit(lines: Sequence[str]) -> str | None:
    """The unit that lines say of depths; None where they say none, or several."""
    units = {said.unit for said in _said(lines, _DEPTHS, depth_unit_of) if not said.general}
    return units.pop() if len(units) == 1 else None


def _said(lines: Sequence[str], names: Collection[str], unit_of: UnitOf) -> list[Said]:
    found = []
    for line in lines:
        for clause in _CLAUSES.split(line):
            words = tokens(clause)
            by_name = _of_a_name(words, names, unit_of)
            general = None if by_name else _of_all(words, unit_of)
            if unit := by_name or general:
                found.append(Said(line.strip(), unit, by_name is None))
    return found


def _of_a_name(words: Sequence[str], names: Collection[str], unit_of: UnitOf) -> str | None:
    """`OC in %`, or `% for OC`."""
    for start in range(len(words)):
        for length in range(_LONGEST_NAME, 0, -1):
            if "_".join(words[start : start + length]) not in names:
                continue
            if unit := _unit_at(words, _behind_fillers(words, start + length), unit_of):
                return unit
            if start > 1 and words[start - 1] in _BELONGS:
                return next((unit for at in range(start - 1) if (unit := unit_of(words[at : start - 1]))), None)
    return None


def _of_all(words: Sequence[str], unit_of: UnitOf) -> str | None:
    """`unit: g/kg`, `all values in %`."""
    words = words[1:] if words[:1] == ["%"] else words  # the sign of a comment
    start = _behind_fillers(words, 0)
    unit = _unit_at(words, start, unit_of) if _OF_UNITS & {*words[:start]} else None
    return unit if unit and unit_of(words[start:]) == unit else None


def _behind_fillers(words: Sequence[str], start: int) -> int:
    return next((at for at in range(start, len(words)) if words[at] not in _FILLERS), len(words))


def _unit_at(words: Sequence[str], start: int, unit_of: UnitOf) -> str | None:
    parts = (words[start : start + length] for length in range(min(_MOST_TOKENS, len(words) - start), 0, -1))
    return next((unit for part in parts if (unit := unit_of(part))), None)
