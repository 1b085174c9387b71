"""The cells of workbooks, .xlsx, .xlsm and .xls, as they show them, and what is hidden in them.

Which row holds the names is decided in `soil.headers`, what the cells mean elsewhere.
"""

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile, ZipFile

import pandas as pd

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.number_formats import shown
from soc_assets.ingest.soil.sheet_marks import Marks, read_marks

_OF_OPENPYXL = (AttributeError, IndexError, TypeError)  # what it raises where a part of the workbook is missing
_MERGED_AT_MOST = 100_000  # cells: a merged title over all 16,384 columns is no table


@dataclass(frozen=True)
class SheetCells:
    """A sheet of a workbook; rows and columns from 0, merged cells filled with what they show."""

    name: str
    cells: pd.DataFrame
    marks: Marks


def read_cells(path: Path) -> list[SheetCells]:
    """The cells of each sheet, the visible sheets first.

    Raises:
        SoilError: the workbook is damaged or none.
    """
    sheets = _xls_cells(path) if _is_old_workbook(path) else _xlsx_cells(path)
    return sorted(sheets, key=lambda sheet: sheet.marks.hidden)


def _is_old_workbook(path: Path) -> bool:
    """Whether a workbook is what .xls says; some carry that name and are XLSX inside."""
    with path.open("rb") as file:
        return path.suffix.lower() == ".xls" and file.read(2) != b"PK"


def _xlsx_cells(path: Path) -> list[SheetCells]:
    from xml.etree.ElementTree import ParseError

    from openpyxl import load_workbook

    try:
        with path.open("rb") as file:
            with ZipFile(file) as archive:
                marks = read_marks(archive)
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            return [_filled(sheet.title, _rows(sheet), marks[sheet.title]) for sheet in book.worksheets]
    except (BadZipFile, KeyError, ValueError, OSError, ParseError, *_OF_OPENPYXL) as error:
        raise SoilError(f"it cannot be read as an XLSX workbook ({error}). Save it again as XLSX or CSV.") from error


def _rows(sheet: Any) -> list[list[Any]]:
    sheet.reset_dimensions()  # some programs write wrong ones, and cells beyond them would be lost
    return [[_xlsx_value(cell) for cell in row] for row in sheet.iter_rows()]


def _xlsx_value(cell: Any) -> Any:
    value = cell.value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number(shown(value, cell.number_format))
    return value


def _number(value: float | str) -> float | str:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _filled(name: str, rows: list[list[Any]], marks: Marks) -> SheetCells:
    """The rows of a sheet as a table, as wide as its last value; what merged cells show stands in each of them."""
    used = max((column for row in rows for column, value in enumerate(row, start=1) if value is not None), default=0)
    table = [[*row[:used], *[None] * (used - len(row))] for row in rows] if used else []
    for top, left, bottom, right in marks.merged:
        bottom, right = min(bottom, len(table) - 1), min(right, used - 1)
        if top > bottom or left > right or (bottom - top + 1) * (right - left + 1) > _MERGED_AT_MOST:
            continue
        value = table[top][left]
        for row in table[top : bottom + 1]:
            row[left : right + 1] = [value] * (right + 1 - left)
    return SheetCells(name, pd.DataFrame(table, dtype="object"), marks)


def _xls_cells(path: Path) -> list[SheetCells]:
    import xlrd
    from xlrd.biffh import XLRDError

    try:
        book = xlrd.open_workbook(str(path), logfile=io.StringIO(), formatting_info=True)
    except (XLRDError, AssertionError, struct.error, IndexError, ValueError, OSError) as error:
        raise SoilError(f"it cannot be read as an XLS workbook ({error}). Save it again as XLSX or CSV.") from error
    return [_filled(sheet.name, _xls_rows(sheet, book), _xls_marks(sheet)) for sheet in book]


def _xls_rows(sheet: Any, book: Any) -> list[list[Any]]:
    formats = [book.format_map[form.format_key].format_str for form in book.xf_list]
    mode = 1 if book.datemode else 0
    return [[_xls_value(cell, formats, mode) for cell in row] for row in sheet.get_rows()]


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
