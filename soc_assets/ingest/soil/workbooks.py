"""The cells of workbooks, .xlsx and .xls; what they mean is decided elsewhere."""

import io
import struct
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import pandas as pd

from soc_assets.errors import SoilError


def read_cells(path: Path) -> dict[str, pd.DataFrame]:
    """The cells of each sheet by its name, rows and columns from 0.

    Raises:
        SoilError: the workbook is damaged or none.
    """
    return _xls_cells(path) if _is_old_workbook(path) else _xlsx_cells(path)


def _is_old_workbook(path: Path) -> bool:
    """Whether a workbook is what .xls says; some carry that name and are XLSX inside."""
    with path.open("rb") as file:
        return path.suffix.lower() == ".xls" and file.read(2) != b"PK"


def _xlsx_cells(path: Path) -> dict[str, pd.DataFrame]:
    from openpyxl import load_workbook

    try:
        with path.open("rb") as file:
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            return {sheet.title: _padded(_rows(sheet)) for sheet in book.worksheets}
    except (BadZipFile, KeyError, ValueError, OSError) as error:
        raise SoilError(f"it is no readable XLSX workbook ({error}). Save it again as XLSX or CSV.") from error


def _rows(sheet: Any) -> list[tuple[Any, ...]]:
    sheet.reset_dimensions()  # some programs write wrong ones, and cells beyond them would be lost
    return list(sheet.iter_rows(values_only=True))


def _padded(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Rows of unequal length as a table; trailing columns without a value are left out."""
    used = max((column for row in rows for column, value in enumerate(row, start=1) if value is not None), default=0)
    return pd.DataFrame([(*row[:used], *(None,) * (used - len(row))) for row in rows] if used else [], dtype="object")


def _xls_cells(path: Path) -> dict[str, pd.DataFrame]:
    import xlrd
    from xlrd.biffh import XLRDError

    try:
        book = xlrd.open_workbook(str(path), logfile=io.StringIO())
    except (XLRDError, AssertionError, struct.error, IndexError, ValueError, OSError) as error:
        raise SoilError(f"it is no readable XLS workbook ({error}). Save it again as XLSX or CSV.") from error
    mode = 1 if book.datemode else 0
    rows = {sheet.name: [[_xls_value(cell, mode) for cell in row] for row in sheet.get_rows()] for sheet in book}
    return {name: pd.DataFrame(cells, dtype="object") for name, cells in rows.items()}


def _xls_value(cell: Any, datemode: Literal[0, 1]) -> Any:
    """A cell as XLSX would give it: whole numbers without .0, days as dates, nothing for errors."""
    import xlrd

    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            return xlrd.xldate_as_datetime(cell.value, datemode)
        except (ValueError, OverflowError):
            return cell.value
    if cell.ctype == xlrd.XL_CELL_NUMBER and cell.value.is_integer():
        return int(cell.value)
    return "" if cell.ctype in (xlrd.XL_CELL_ERROR, xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK) else cell.value
