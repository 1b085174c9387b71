"""How much a table may hold, and every library's error as one of ours.

The limits are settings (`SoilLimits`): each reader asks before it takes memory, from what a file says of itself and,
because that may be wrong, again while it reads. What libraries raise about a file is reported with the file's name in
`translated`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from soc_assets.errors import LimitError, SocError, SoilError
from soc_assets.settings import SoilLimits

SHEET_ROWS, SHEET_COLUMNS = 1_048_576, 16_384
"""Of a sheet of a workbook, as XLSX has it."""
MOST_PARTS = 1000
"""Sheets or layers of a file."""
_TOLD = 300  # characters of another library's message
_WHOLE = {
    "max_bytes": "bytes",
    "max_cells": "cells",
    "max_columns": "columns",
    "max_text": "characters in one cell",
}


def require(limits: SoilLimits, name: str, found: int, where: str = "it") -> None:
    """Check a number against the limit of a name.

    Args:
        limits: the settings.
        name: of the field of `SoilLimits`.
        found: what the file has or says it has.
        where: subject of the message: `it`, `the sheet 'a'`.

    Raises:
        LimitError: it is more.
    """
    if found > (most := getattr(limits, name)):
        raise beyond(name, most, f"{where} has {found:,} {_WHOLE[name]}")


def beyond(name: str, most: int, found: str) -> LimitError:
    """The error for more than a limit allows; `found` says what was found."""
    return LimitError(
        f"{found}, more than {name} = {most:,} of [soil] allows. If the file is honest and there is memory for it, "
        f"raise {name} under [soil] in soc.toml; if not, take it out of the folder, or save what you need of it as CSV."
    )


def require_parts(count: int, what: str) -> None:
    """Check the number of sheets or layers.

    Raises:
        LimitError: there are too many.
    """
    if count > MOST_PARTS:
        raise LimitError(f"it has {count:,} {what}, more than {MOST_PARTS:,}. Part it into several files.")


class Budget:
    """What is read of a file so far, against its limits; one for all sheets or layers of a file.

    Attributes:
        limits: the settings.
        cells: rows times columns so far.
        bytes: of text so far.
    """

    def __init__(self, limits: SoilLimits) -> None:
        self.limits = limits
        self.cells = 0
        self.bytes = 0

    def box(self, rows: int, columns: int, found: str) -> None:
        """Count a sheet's box of cells; `found` says in the message how far it reaches.

        Raises:
            LimitError: there are too many columns, or too many cells in all.
        """
        require(self.limits, "max_columns", columns)
        if self.cells + rows * columns > self.limits.max_cells:
            found = f"{found}, which makes {self.cells + rows * columns:,} cells (rows times columns)"
            raise beyond("max_cells", self.limits.max_cells, found)
        self.cells += rows * columns

    def text(self, longest: int, size: int, where: str) -> None:
        """Count some text: the characters of its longest cell, and bytes in all.

        Raises:
            LimitError: a cell is too long, or it is too much in all.
        """
        require(self.limits, "max_text", longest, where)
        self.bytes += size
        require(self.limits, "max_bytes", self.bytes)


class Box:
    """The box around the filled cells of a sheet, counted while they are read.

    Attributes:
        budget: of the workbook.
        name: of the sheet.
        rows: up to the last that is filled.
        columns: up to the last that is filled.
    """

    def __init__(self, budget: Budget, name: str) -> None:
        self.budget, self.name = budget, name
        self.rows = self.columns = 0

    def add(self, row: int, filled: Mapping[int, object]) -> None:
        """Count a row, and its filled cells by their columns, both from 1; text that cells share counts in each.

        Raises:
            LimitError: it stands where no cell can, or the box or the text is too large.
        """
        if row < 1 or row > SHEET_ROWS or min(filled, default=1) < 1 or max(filled, default=1) > SHEET_COLUMNS:
            raise LimitError(
                f"the sheet {self.name!r} has a cell in row {row:,} and column {max(filled, default=1):,}; a workbook "
                f"has {SHEET_ROWS:,} rows and {SHEET_COLUMNS:,} columns. Save the table as CSV."
            )
        if filled:
            self.rows, self.columns = max(self.rows, row), max(self.columns, *filled)
            if self.budget.cells + self.rows * self.columns > self.budget.limits.max_cells:
                self.close()
        texts = [(len(value), column) for column, value in filled.items() if isinstance(value, str)]
        if texts:
            longest, column = max(texts)
            where = f"cell {_letters(column)}{row} of the sheet {self.name!r}"
            self.budget.text(longest, sum(length for length, _ in texts), where)

    def close(self) -> None:
        """Count the box.

        Raises:
            LimitError: it is too large.
        """
        found = f"the cells of the sheet {self.name!r} reach to {_letters(max(self.columns, 1))}{self.rows}"
        self.budget.box(self.rows, self.columns, found)


def _letters(column: int) -> str:
    from openpyxl.utils import get_column_letter

    return get_column_letter(column)


@contextmanager
def translated(what: str, cure: str) -> Iterator[None]:
    """Raise as a `SoilError` whatever a library raises inside the block; the caller names the file.

    Args:
        what: `it cannot be read as an XLSX workbook`.
        cure: a sentence.
    """
    try:
        yield
    except SocError:
        raise
    except MemoryError as error:
        raise SoilError(f"{what}: there is not enough memory for it. {cure}") from error
    except RecursionError as error:
        raise SoilError(f"{what}: it is nested too deeply. {cure}") from error
    except Exception as error:
        raise SoilError(f"{what} ({_first_line(error)}). {cure}") from error


def _first_line(error: Exception) -> str:
    """What a library says, in one line; its kind where it says nothing or only a name."""
    said = " ".join(str(error).split()).rstrip(".")
    said = said if len(said) <= _TOLD else said[: _TOLD - 3] + "..."
    return said if " " in said else f"{type(error).__name__}: {said}".rstrip(": ")
