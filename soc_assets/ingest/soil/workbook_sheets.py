"""From the cells of workbooks to sheets: hidden parts and formulas without a value are left out and reported."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.columns import find_columns
from soc_assets.ingest.soil.formats import Sheet, below_header
from soc_assets.ingest.soil.header_row import LOOKED_AT, header_place, mapped_names
from soc_assets.ingest.soil.workbooks import SheetCells, read_cells
from soc_assets.settings import SoilLimits, SoilTable
from soc_assets.storage.names import nfc, nfc_texts

_NAMED = 8  # rows or cells, at most, that are named one by one


def read_workbook(path: Path, entries: Sequence[SoilTable], limits: SoilLimits) -> list[Sheet]:
    """Every filled sheet of a workbook, hidden ones last.

    Args:
        path: the workbook.
        entries: how its sheets are read; the first that names a sheet, or none, holds for it.
        limits: how much it may hold.

    Raises:
        SoilError: the workbook is damaged or empty or holds too much, or a `header_row` is none.
    """
    found = [cells for cells in read_cells(path, limits) if not cells.cells.empty]
    if not found:
        raise SoilError("every sheet is empty. Put a table into the file, or take it out of the folder.")
    return [_sheet(cells, _entry(nfc(cells.name), entries)) for cells in found]


def _entry(part: str, entries: Sequence[SoilTable]) -> SoilTable:
    return next((entry for entry in entries if nfc(entry.sheet or part) == part), entries[0])


def _sheet(found: SheetCells, how: SoilTable) -> Sheet:
    marks, part = found.marks, nfc(found.name)
    cells = found.cells.apply(nfc_texts).set_axis(found.cells.index + 1)
    gone = [row + 1 for row in sorted(marks.hidden_rows.intersection(found.cells.index))]
    visible, hidden = _whole_top(cells, how), {*gone}
    visible.loc[gone] = None
    if visible.isna().all(axis=None):
        message = "all of its rows are hidden in the workbook. Show them if they hold samples."
        return Sheet(part, [], cells.iloc[:0], True, problem=message, reason="hidden", hidden=marks.hidden)
    rows = visible.head(max(LOOKED_AT, how.header_row or 0)).to_numpy(object).tolist()
    place = header_place(rows, how)
    sheet = below_header(part, visible, place, decimal_comma=True, kept=mapped_names(how))
    kept = _kept_columns(sheet, marks.hidden_columns, how)
    header = [sheet.header[column] for column in kept]
    named = [_name(column, sheet.header) for column in range(len(sheet.header)) if column not in kept]
    below = tuple(row for row in gone if row > place + 1)
    body = sheet.body.iloc[:, kept].set_axis(range(len(kept)), axis=1)
    above = tuple(sheet.above[column] for column in kept if column < len(sheet.above))
    sheet = replace(sheet, header=header, above=above, body=body, hidden=marks.hidden, hidden_rows=below)
    return replace(
        sheet,
        left_out="; ".join([*_listed("hidden columns", named), *_listed("hidden rows", map(str, gone))]),
        **_problem(sheet, kept, [(row, column) for row, column in marks.uncalculated if row + 1 not in hidden], how),
    )


def _whole_top(cells: pd.DataFrame, how: SoilTable) -> pd.DataFrame:
    """The filled rows of a sheet and, among those where the names are looked for, also the blank ones."""
    top = min(max(LOOKED_AT, how.header_row or 0), int(cells.index[-1]))
    return cells.reindex(cells.index.union([*range(1, top + 1)]))


def _kept_columns(sheet: Sheet, hidden: set[int], how: SoilTable) -> list[int]:
    """Columns that are not hidden, and hidden ones that soc.toml names."""
    mapped = mapped_names(how)
    return [column for column, name in enumerate(sheet.header) if column not in hidden or name in mapped]


def _problem(sheet: Sheet, kept: list[int], uncalculated: list[tuple[int, int]], how: SoilTable) -> dict[str, str]:
    if sheet.hidden and how.sheet is None:
        message = (
            f"the sheet {sheet.part!r} is hidden in the workbook. If it holds samples, show it, or give it an entry in "
            f"[[soil.tables]] of soc.toml with sheet = {sheet.part!r}."
        )
        return {"problem": message, "reason": "hidden"}
    try:
        needed = [kept[place] for place in find_columns(sheet.header, how.columns).values()]
    except SoilError:  # two columns for one field: told where the columns are named
        needed = kept
    top = (sheet.header_row or 1) - 1
    lacking = [(row, column) for row, column in uncalculated if row == top or (row > top and column in needed)]
    if not lacking:
        return {}
    places = ", ".join(_listed("", (f"{_letters(column)}{row + 1}" for row, column in lacking)))
    message = (
        f"it holds formulas whose values are not stored, as some programs write them ({places.strip()}). Open the "
        "workbook in Excel or LibreOffice and save it: then it holds the values."
    )
    return {"problem": message, "reason": "formulas without values"}


def _listed(what: str, named: Iterable[str]) -> list[str]:
    names = list(named)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return [f"{what} {', '.join(names[:_NAMED])}{more}"] if names else []


def _name(column: int, header: list[str]) -> str:
    return f"{_letters(column)} ({header[column]})" if header[column] else _letters(column)


def _letters(column: int) -> str:
    from openpyxl.utils import get_column_letter

    return get_column_letter(column + 1)
