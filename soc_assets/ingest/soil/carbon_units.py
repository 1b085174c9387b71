"""The unit of a table's organic carbon: from soc.toml, the column's name, a row of units, or a column of units.

What contradicts is refused, never guessed; how units are spelled is in `ingest.soil.headers`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from soc_assets.errors import SoilError, UnitNotStatedError
from soc_assets.ingest.soil.headers import CARBON_UNITS, carbon_unit_of, is_unit, tokens, without_unit
from soc_assets.ingest.soil.titles import Said
from soc_assets.ingest.soil.values import to_numbers

VAN_BEMMELEN = 1.724
"""Organic matter / organic carbon: organic matter is taken to hold 58 % carbon."""

G_PER_KG = {
    **{"g/kg": 1.0, "%": 10.0, "mg/kg": 0.001, "dg/kg": 0.1, "kg/kg": 1000.0},
    **{"organic_matter_g/kg": 1 / VAN_BEMMELEN, "organic_matter_%": 10 / VAN_BEMMELEN},
    **{"organic_matter_mg/kg": 0.001 / VAN_BEMMELEN, "organic_matter_kg/kg": 1000 / VAN_BEMMELEN},
    "organic_matter_dg/kg": 0.1 / VAN_BEMMELEN,
}
"""Organic carbon in g/kg of one of the unit."""

_MATTER = ("humus", "matter", "om", "som", "substanz", "matiere", "humusgehalt")
_FIRST_ROWS = 3  # below the header, where a row of units may stand
_NUMBERS = ("id", "longitude", "latitude", "organic_carbon", "year", "depth_upper", "depth_lower")


@dataclass(frozen=True)
class CarbonUnit:
    """The unit of a table's column of organic carbon."""

    unit: str | None
    """A key of `G_PER_KG`; None where each row has to say it."""
    said_by: str
    """Where it comes from, for people."""
    matter: bool = False
    """Whether the column holds organic matter."""


GRAMS = CarbonUnit("g/kg", "the default")
BY_CELLS = "the cells"
"""`CarbonUnit.said_by` where the cells themselves say per cent and nothing else does."""


def is_matter(name: str) -> bool:
    """Whether a column's name speaks of organic matter (humus) and not of carbon."""
    return not {*_MATTER}.isdisjoint(tokens(name))


def resolve_unit(
    given: str | None,
    column: str,
    in_row: str,
    section: str,
    *,
    needed: bool,
    by_row: bool,
    percent: tuple[int, str] | None = None,
    above: Sequence[Said] = (),
) -> CarbonUnit:
    """The unit of organic carbon.

    Args:
        given: `unit` of soc.toml.
        column: the column's name.
        in_row: the column's cell in the row of units, "" where there is none.
        section: the table of soc.toml, for messages.
        needed: whether the name alone does not mean g/kg.
        by_row: whether a column of units is next to.
        percent: row and text of the first cell that says per cent itself, None where none does.
        above: what lines above the names say; of the table as a whole it counts where no column says more.

    Raises:
        SoilError: a unit is none of a content, two of them contradict, or none is stated where one is needed.
    """
    matter = is_matter(column)
    units = _units_of_file(given, column, in_row, section, percent)
    general = [said for said in above if said.general and not units and not by_row]
    units |= _units_above([said for said in above if not said.general] + general, given, section)
    require_agreement(units)
    if given and matter and not given.startswith("organic_matter"):
        raise SoilError(
            f"the column {column!r} holds organic matter, but {section} of soc.toml says unit = {given!r}, which is of "
            f"carbon. Set unit = 'organic_matter_{given}' (organic matter is divided by {VAN_BEMMELEN}), or rename the "
            "column if it does hold carbon."
        )
    if given:
        return CarbonUnit(given, section, given.startswith("organic_matter"))
    for where, unit in units.items():
        by = BY_CELLS if where.startswith("row ") else where
        return CarbonUnit(f"organic_matter_{unit}" if matter else unit, by, matter)
    if by_row:
        return CarbonUnit(None if needed or matter else "g/kg", "the column of units", matter)
    if needed or matter:
        choice = "'organic_matter_%' or 'organic_matter_g/kg'" if matter else "'g/kg' or '%'"
        raise UnitNotStatedError(
            f"no unit is stated for the column {column!r}: it may be in g/kg or in per cent. Set unit = {choice} in an "
            "entry of [[soil.tables]] in soc.toml."
        )
    return GRAMS


def _units_of_file(
    given: str | None, column: str, in_row: str, section: str, percent: tuple[int, str] | None
) -> dict[str, str]:
    """What the file itself says of the unit, by where it says so; it must agree with itself and with soc.toml."""
    said = {
        f"the name of the column {column!r}": without_unit(column, "carbon")[1],
        f"the row of units under {column!r}": carbon_unit_of(in_row) if in_row else None,
        (f"row {percent[0]} of {column!r} ({percent[1]!r})" if percent else BY_CELLS): "%" if percent else None,
    }
    if in_row and carbon_unit_of(in_row) is None and in_row != "-":
        raise SoilError(
            f"the row of units under {column!r} says {in_row!r}, which is not a known unit of organic carbon. "
            "Expected g/kg, %, ‰, mg/g or mg/kg. Correct it in the file, or take that row out and set unit in an entry "
            "of [[soil.tables]] in soc.toml."
        )
    units = {where: unit for where, unit in said.items() if unit}
    _require_given(units, given, section)
    return units


def _units_above(above: Sequence[Said], given: str | None, section: str) -> dict[str, str]:
    units = {f"the line {said.text!r} above the names": said.unit for said in above}
    _require_given(units, given, section)
    return units


def _require_given(units: Mapping[str, str], given: str | None, section: str) -> None:
    for where, unit in units.items():
        require_content(unit, where)
        if given and unit != given.removeprefix("organic_matter_"):
            raise SoilError(
                f"{where} says {unit}, but {section} of soc.toml says unit = {given!r}. Correct unit, or take it out: "
                "then the file's own unit counts."
            )


def require_agreement(units: Mapping[str, str]) -> None:
    """Raise `SoilError` where a file says two units."""
    if len({*units.values()}) > 1:
        raise SoilError(f"{' and '.join(f'{where} says {unit}' for where, unit in units.items())}. Correct the file.")


def require_content(unit: str, where: str) -> None:
    """Raise `SoilError` for units that are of no content by mass."""
    if unit not in CARBON_UNITS.values():
        raise SoilError(
            f"{where} gives {unit}, not a content by mass. Organic carbon is read in g/kg, %, ‰, mg/g or mg/kg: "
            "convert it by bulk density (and depth, for stocks) and stone content, or name another column."
        )


def units_of_rows(text: pd.Series, rows: pd.Series, unit: CarbonUnit, given: str | None, section: str) -> pd.Series:
    """The unit of each row [n] (keys of `G_PER_KG`, null where it is not understood or not stated).

    Args:
        text: of the column of units [n], "" where it is empty; all "" where there is none.
        rows: their numbers in the file [n].
        unit: of the table.
        given: `unit` of soc.toml.
        section: the table of soc.toml, for messages.

    Raises:
        SoilError: a row contradicts soc.toml or the column's name.
    """
    if (text == "").all():
        return pd.Series(unit.unit, text.index, dtype="object")
    known = {value: carbon_unit_of(value) for value in text.unique() if value}
    matter = "organic_matter_" if unit.matter else ""
    own = {value: f"{matter}{found}" for value, found in known.items() if found in CARBON_UNITS.values()}
    stated = given or (unit.unit if unit.said_by.startswith(("the name", "the row", "the line", BY_CELLS)) else None)
    for value, found in own.items():
        if stated and found != stated:
            raise SoilError(
                f"the column of units says {value!r} (first in row {rows[text == value].iloc[0]}), but "
                f"{section + ' of soc.toml' if given else unit.said_by} says {stated}. "
                + ("Take unit out of soc.toml: then each row's own unit counts." if given else "Correct the file.")
            )
    return text.map({"": unit.unit, **own}).astype("object")


def find_unit_row(body: pd.DataFrame, places: dict[str, int]) -> int | None:
    """The row under the header that says the columns' units, if there is one.

    Args:
        body: the cells as text, index = row of the file.
        places: position of each recognised column.
    """
    numbers = [places[field] for field in _NUMBERS if field in places]
    for position in range(min(_FIRST_ROWS, len(body))):
        cells = body.iloc[position].astype("str").fillna("").str.strip()
        if to_numbers(cells.iloc[numbers].reset_index(drop=True), True).notna().any():
            return None
        if any(is_unit(cell) for cell in cells if cell and cell != "-"):
            return position
    return None
