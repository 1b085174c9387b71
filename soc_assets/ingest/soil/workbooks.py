"""The cells of workbooks, .xlsx, .xlsm and .xls, as they show them, and what is hidden in them.

Which row holds the names is decided in `ingest.soil.headers`, what the cells mean elsewhere.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from zipfile import ZipFile

import numpy as np
import pandas as pd

from soc_assets.ingest.soil.archives import require_sound
from soc_assets.ingest.soil.limits import Box, Budget, require_parts, translated
from soc_assets.ingest.soil.number_formats import shown
from soc_assets.ingest.soil.sheet_marks import Marks, read_marks
from soc_assets.settings import SoilLimits

_MERGED_AT_MOST = 100_000  # cells: a merged title over all 16,384 columns is no table

Rows = dict[int, list[Any]]
"""The rows that are in a sheet by their numbers from 0, each up to its last filled cell; empty ones too."""


@dataclass(frozen=True)
class SheetCells:
    """A sheet of a workbook; rows and columns from 0, merged cells filled with what they show."""

    name: str
    cells: pd.DataFrame
    """The filled rows, index = number of the row."""
    marks: Marks


def read_cells(path: Path, limits: SoilLimits) -> list[SheetCells]:
    """The cells of each sheet, the visible sheets first.

    Raises:
        SoilError: the workbook is damaged or none, or holds more than the limits allow.
    """
    kind = "XLS" if _is_old_workbook(path) else "XLSX"
    with translated(f"it cannot be read as an {kind} workbook", "Save it again as XLSX or CSV."):
        sheets = _xls_cells(path, Budget(limits)) if kind == "XLS" else _xlsx_cells(path, Budget(limits))
    return sorted(sheets, key=lambda sheet: sheet.marks.hidden)


def _is_old_workbook(path: Path) -> bool:
    """Whether a workbook is what .xls says; some carry that name and are XLSX inside."""
    with path.open("rb") as file:
        return path.suffix.lower() == ".xls" and file.read(2) != b"PK"


def _xlsx_cells(path: Path, budget: Budget) -> list[SheetCells]:
    from openpyxl import load_workbook

    with path.open("rb") as file:
        with ZipFile(file) as archive:
            require_sound(archive, budget.limits)
            marks = read_marks(archive)
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        return [
            _filled(sheet.title, _xlsx_rows(sheet, budget), marks[sheet.title], budget) for sheet in book.worksheets
        ]


def _xlsx_rows(sheet: Any, budget: Budget) -> Rows:
    """The rows of a sheet that are in it, as far as their cells say: its own word for its size is often wrong."""
    from openpyxl.worksheet._reader import WorkSheetParser

    book, rows, box = sheet.parent, {}, Box(budget, sheet.title)
    dates = {"epoch": book.epoch, "date_formats": book._date_formats, "timedelta_formats": book._timedelta_formats}
    with sheet._get_source() as source:
        for number, cells in WorkSheetParser(source, sheet._shared_strings, data_only=True, **dates).parse():
            filled = {cell["column"]: _xlsx_value(sheet, cell) for cell in cells if cell["value"] is not None}
            box.add(number, filled)
            rows[number - 1] = [filled.get(column) for column in range(1, max(filled, default=0) + 1)]
    box.close()
    return rows


def _xlsx_value(sheet: Any, cell: dict[str, Any]) -> Any:
    from openpyxl.cell.read_only import ReadOnlyCell

    value = cell["value"]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number(shown(value, ReadOnlyCell(sheet, **cell).number_format))
    return value


def _number(value: float | str) -> float | str:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _filled(name: str, rows: Rows, marks: Marks, budget: Budget) -> SheetCells:
    """The filled rows of a sheet as a table, as wide as the last value; merged cells show the same in each."""
    used = max(map(len, rows.values()), default=0)
    _fill_merged(rows, marks, used, budget)
    numbers = sorted(number for number, row in rows.items() if row)
    cells = np.full((len(numbers), used), None, object)
    for place, number in enumerate(numbers):
        cells[place, : len(rows[number])] = rows[number]
    return SheetCells(name, pd.DataFrame(cells, index=pd.Index(numbers, dtype="int64")), marks)


def _fill_merged(rows: Rows, marks: Marks, used: int, budget: Budget) -> None:
    last = max(rows, default=-1)
    for top, left, bottom, right in marks.merged:
        bottom, right = min(bottom, last), min(right, used - 1)
        area = (bottom - top + 1) * (right - left + 1)
        if top > bottom or left > right or area > _MERGED_AT_MOST:
            continue
        first = rows.get(top, [])
        value = first[left] if left < len(first) else None
        length = len(value) if isinstance(value, str) else 8
        budget.text(0, length * area, "it")
        for number in range(top, bottom + 1):
            row = rows.setdefault(number, [])
            row += [None] * (right + 1 - len(row) if value is not None else 0)
            row[left : right + 1] = [value] * max(min(right + 1, len(row)) - left, 0)


def _xls_cells(path: Path, budget: Budget) -> list[SheetCells]:
    import xlrd

    book = xlrd.open_workbook(str(path), logfile=io.StringIO(), formatting_info=True, on_demand=True, ragged_rows=True)
    require_parts(book.nsheets, "sheets")
    sheets = []
    for number in range(book.nsheets):
        sheet = book.sheet_by_index(number)
        sheets.append(_filled(sheet.name, _xls_rows(sheet, book, budget), _xls_marks(sheet), budget))
        book.unload_sheet(number)
    return sheets


def _xls_rows(sheet: Any, book: Any, budget: Budget) -> Rows:
    formats = [book.format_map[form.format_key].format_str for form in book.xf_list]
    mode, rows, box = (1 if book.datemode else 0), {}, Box(budget, sheet.name)
    for number, cells in enumerate(sheet.get_rows()):
        values = [_xls_value(cell, formats, mode) for cell in cells]
        filled = {column: value for column, value in enumerate(values, start=1) if value is not None}
        box.add(number + 1, filled)
        rows[number] = values[: max(filled, default=0)]
    box.close()
    return rows


def _xls_marks(sheet: Any) -> Marks:
    columns = {number for number, info in sheet.colinfo_map.items() if info.hidden or info.width == 0}
    rows = {number for number, info in sheet.rowinfo_map.items() if info.hidden or info.height == 0}
    merged = [(top, left, bottom - 1, right - 1) for top, bottom, left, right in sheet.merged_cells]
    return Marks(bool(sheet.visibility), rows, columns, merged)


def _xls_value(cell: Any, formats: list[str], datemode: Literal[0, 1]) -> Any:
    """A cell as XLSX would give it: whole numbers without .0, days as dates, the words for errors."""
    import xlrd

    match cell.ctype:
        case xlrd.XL_CELL_DATE:
            try:
                return xlrd.xldate_as_datetime(cell.value, datemode)
            except (ValueError, OverflowError):
                return cell.value
        case xlrd.XL_CELL_NUMBER:
            return _number(shown(cell.value, formats[cell.xf_index]))
        case xlrd.XL_CELL_ERROR:
            return xlrd.error_text_from_code.get(cell.value, "#N/A")
        case xlrd.XL_CELL_BOOLEAN:
            return bool(cell.value)
        case xlrd.XL_CELL_EMPTY | xlrd.XL_CELL_BLANK:
            return None
        case _:
            return cell.value
