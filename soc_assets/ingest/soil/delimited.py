"""Reading CSV and TSV: encoding, separator, and whether 1,5 is a number; the row of names is in `soil.header_row`."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.columns import find_columns
from soc_assets.ingest.soil.header_row import LOOKED_AT, header_place, recognised
from soc_assets.names import nfc
from soc_assets.settings import SoilTable

_SEPARATORS = ",;\t|"
_TOLD = re.compile(r'"?sep=(?P<sign>[^"\r\n])"?[,;\t|]*(?:\r?\n|$)', re.IGNORECASE)
_COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+")
_FIRST = 400  # bytes in which UTF-16 without a mark shows
_MEASURED = ("longitude", "latitude", "organic_carbon", "depth_upper", "depth_lower")


def read_records(path: Path, how: SoilTable) -> tuple[pd.DataFrame, int, str]:
    """The fields of a text file.

    Returns:
        The fields as text (null behind the end of a line), index = row as a person counts from 1; the position of the
        row of names; the separator.

    Raises:
        SoilError: the file is empty, its encoding is not the one of the settings, or a quotation mark is never closed.
    """
    text = nfc(_decoded(path.read_bytes(), how))
    told = _TOLD.match(text)  # Excel's own first line, which is not of the table
    separator = how.separator or (told["sign"] if told else _likely_separator(text, how))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        records = list(reader)
        if (
            records
            and all(len(record) <= 1 for record in records)
            and all(separator in row[0] for row in records if row)
        ):
            records = [next(csv.reader(row, delimiter=separator), []) for row in records]  # whole lines in quotes
    except csv.Error as error:
        raise SoilError(
            f"the text cannot be cut into fields at line {reader.line_num}: {error}. Look for a quotation mark that is "
            "opened and not closed there or above."
        ) from error
    if told:
        records[0] = []
    width = max((len(record) for record in records), default=0)
    padded = [record + [None] * (width - len(record)) for record in records]
    cells = pd.DataFrame(padded, index=range(1, len(records) + 1), dtype="object")
    return cells, header_place(records, how), separator


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


def _likely_separator(text: str, how: SoilTable) -> str:
    """The sign that cuts the row of names into most names that are known, and into most fields."""
    lines = text.splitlines()[: max(LOOKED_AT, how.header_row or 0)]

    def worth(sign: str) -> tuple[int, int]:
        rows = list(csv.reader(lines, delimiter=sign))
        names = rows[header_place(rows, how)] if rows else []
        return len(recognised(names, how.columns)), len(names)

    best = max(_SEPARATORS, key=worth)
    if worth(best)[0]:
        return best
    first = next((line for line in lines if any(sign in line for sign in _SEPARATORS) and line[0] not in "#%!"), "")
    return max(_SEPARATORS, key=lambda sign: len(next(csv.reader([first], delimiter=sign), [])))


def _decoded(content: bytes, how: SoilTable) -> str:
    if how.encoding:
        try:
            return content.decode(how.encoding)
        except (LookupError, UnicodeDecodeError) as error:
            raise SoilError(
                f"it cannot be read in the encoding {how.encoding!r} of [[soil.tables]] file = {how.file!r} ({error}). "
                "Correct encoding in soc.toml (utf-8, cp1252, latin-1, utf-16), or take it out."
            ) from error
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):  # Excel's "Unicode text"
        return content.decode("utf-16", errors="replace")
    if b"\0" in content[:_FIRST]:  # no table of single bytes has any
        little = content[1:_FIRST:2].count(0) >= content[:_FIRST:2].count(0)
        return content.decode("utf-16-le" if little else "utf-16-be", errors="replace")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")
