"""Reading CSV and TSV row by row: separator, and whether 1,5 is a number.

The encoding belongs to `ingest.soil.text_lines`, the row of names to `ingest.soil.header_row`, what is kept to
`ingest.soil.text_columns`.
"""

import csv
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import pandas as pd

from soc_assets.errors import LimitError, SoilError
from soc_assets.ingest.soil.columns import find_columns
from soc_assets.ingest.soil.header_row import (
    LOOKED_AT,
    filled,
    header_place,
    mapped_names,
    names_in_two_rows,
    recognised,
)
from soc_assets.ingest.soil.limits import Budget, require
from soc_assets.ingest.soil.text_columns import Row, body_of
from soc_assets.ingest.soil.text_lines import Lines, open_text
from soc_assets.ingest.soil.titles import lines_above
from soc_assets.settings import SoilLimits, SoilTable

_SEPARATORS = ",;\t|"
_TOLD = re.compile(r'"?sep=(?P<sign>[^"\r\n])"?[,;\t|]*(?:\r?\n|$)', re.IGNORECASE)
_COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+")
_MEASURED = ("longitude", "latitude", "organic_carbon", "depth_upper", "depth_lower")


@dataclass(frozen=True)
class Records:
    """The fields of a text file below its row of names."""

    header: list[str]
    body: pd.DataFrame
    """Text, null behind the end of a line and in columns that are not wanted; index = row as a person counts from 1."""
    header_row: int
    separator: str
    above: tuple[str, ...] = ()
    """The fields right above the names: units, or names of groups of columns."""
    titles: tuple[str, ...] = ()
    """The rows above the names, each as one text."""


def read_records(
    path: Path,
    how: SoilTable,
    limits: SoilLimits | None = None,
    wanted: Callable[[Sequence[str], SoilTable], Collection[int]] | None = None,
) -> Records:
    """The fields of a text file; blank rows are left out.

    Args:
        path: the file.
        how: how it is read.
        limits: how long its rows and fields may be.
        wanted: says which columns are kept; None keeps all.

    Raises:
        SoilError: the file is empty, its encoding is not the one of the settings, a quotation mark is never closed, or
            it holds more than the limits allow.
    """
    limits = limits or SoilLimits()
    with open_text(path, how) as file:
        lines = Lines(file, limits)
        first = _first_lines(lines, max(LOOKED_AT, how.header_row or 0))
        declared = _TOLD.match(first[0]) if first else None  # Excel's own first line, which is not of the table
        separator = how.separator or (declared["sign"] if declared else _likely_separator(first, how, limits))
        rows = _rows(chain(first, lines), lines, separator, limits, skipped=bool(declared))
        head = list(islice(rows, max(LOOKED_AT, how.header_row or 0)))
        if not any(any(fields) for _, fields in head) and (late := next((r for r in rows if any(r[1])), None)):
            head.append(late)
        if _are_quoted([fields for _, fields in head], separator):
            head, rows = list(_unquoted(head, separator)), _unquoted(rows, separator)
        if not any(any(fields) for _, fields in head):
            raise SoilError("it is empty. Put a table into the file, or take it out of the folder.")
        place = header_place([fields for _, fields in head], how)
        names, above = filled(head[place][1]), filled(head[place - 1][1])[: len(head[place][1])] if place else []
        header = names_in_two_rows(above, names, mapped_names(how)) if above else names
        body = body_of(chain(head[place + 1 :], rows), len(header), wanted and wanted(header, how), Budget(limits))
    titles = lines_above([fields for _, fields in head[:place]])
    return Records(header, body, head[place][0], separator, tuple(above), titles)


def decimal_commas(header: Sequence[str], body: pd.DataFrame, separator: str, how: SoilTable) -> bool:
    """Whether 1,5 is a number: between commas only where a quoted field cannot be a number with thousands, "1,234"."""
    if separator != ",":
        return True
    try:
        places = find_columns(header, how.columns)
    except SoilError:  # two columns for one field: told where the columns are named
        return False
    columns = [body.iloc[:, places[field]] for field in _MEASURED if field in places]
    fields = {field.strip() for column in columns for field in column if isinstance(field, str) and "," in field}
    return any(_COMMA_NUMBER.fullmatch(field) and not _THOUSANDS.fullmatch(field) for field in fields)


def _first_lines(lines: Lines, count: int) -> list[str]:
    """The lines among which the names are, as far as they are as long as one may be."""
    found = []
    for line in lines:
        found.append(line)
        if len(found) == count or lines.is_long:
            break
    lines.new_row()
    return found


def _rows(lines: Iterator[str], read: Lines, separator: str, limits: SoilLimits, *, skipped: bool) -> Iterator[Row]:
    """Each row; with `skipped` the first as a blank one.

    Raises:
        SoilError: a quotation mark is never closed, or a row holds too much.
    """
    reader = csv.reader(lines, delimiter=separator, strict=True)
    with _fields_up_to(limits.max_text):
        for number in _counted():
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise _uncut(error, reader.line_num, limits) from error
            read.new_row()
            if len(fields) > limits.max_columns:
                require(limits, "max_columns", len(fields), f"row {number}")
            yield number, [] if skipped and number == 1 else fields


def _are_quoted(rows: Sequence[Sequence[str]], separator: str) -> bool:
    """Whether each line is in quotation marks as a whole, as some programs export them."""
    lines = [fields for fields in rows if fields]
    return bool(lines) and all(len(fields) == 1 and separator in fields[0] for fields in lines)


def _unquoted(rows: Iterable[Row], separator: str) -> Iterator[Row]:
    for number, fields in rows:
        yield number, _cut(fields[0], separator) if len(fields) == 1 else fields


def _counted() -> Iterator[int]:
    number = 0
    while True:
        number += 1
        yield number


@contextmanager
def _fields_up_to(size: int) -> Iterator[None]:
    """The module csv has one limit for all of a process."""
    before = csv.field_size_limit(size)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _uncut(error: csv.Error, line: int, limits: SoilLimits) -> SoilError:
    if "field limit" in str(error):
        return LimitError(
            f"a field that reaches to line {line} has more than max_text = {limits.max_text:,} of [soil] characters. "
            "Look for a quotation mark that is opened and not closed there or above; if the field is honest, raise "
            "max_text under [soil] in soc.toml."
        )
    return SoilError(
        f"the text cannot be cut into fields at line {line}: {error}. Look for a quotation mark that is "
        "opened and not closed there or above."
    )


def _likely_separator(lines: Sequence[str], how: SoilTable, limits: SoilLimits) -> str:
    """The separator that splits the header into most known names, and into most fields."""
    lines = "".join(lines).splitlines()[: max(LOOKED_AT, how.header_row or 0)]

    def worth(sign: str) -> tuple[int, int]:
        try:
            rows = list(csv.reader(lines, delimiter=sign))
        except csv.Error:  # a field that is too long for this sign
            return 0, 0
        widest = max(map(len, rows), default=0)
        if widest > limits.max_columns:  # which is refused where the rows are read
            return 0, widest
        names = rows[header_place(rows, how)] if rows else []
        return len(recognised(names, how.columns)), len(names)

    worths = {sign: worth(sign) for sign in _SEPARATORS}
    best = max(worths, key=lambda sign: worths[sign])
    if worths[best][0]:
        return best
    first = next((line for line in lines if any(sign in line for sign in _SEPARATORS) and line[0] not in "#%!"), "")
    return max(_SEPARATORS, key=lambda sign: len(_cut(first, sign)))


def _cut(line: str, sign: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=sign), [])
    except csv.Error:
        return []
