"""Reading files of every format into sheets: a header and a body, nothing interpreted.

Encodings, separators and workbooks belong here, layers with geometry in `soil.layers`; which column is what is decided
in `soil.columns`.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.workbooks import read_cells
from soc_assets.settings import SoilTable


@dataclass(frozen=True)
class Sheet:
    """Header and body of a table: text in CSV, any cells in the other formats."""

    part: str
    """Sheet of a workbook or layer of a GeoPackage; "" in files that hold one table."""
    header: list[str]
    body: pd.DataFrame
    """Columns 0, 1, ...; index = row as a person counts, header = 1."""
    decimal_comma: bool
    """Whether 1,5 is a number, where the settings do not say."""
    points: pd.DataFrame | None = None
    """Coordinates x and y of a layer, on the body's index; null where a row has no point."""
    crs: str | None = None
    """CRS of `points` as the file has it."""
    problem: str = ""
    """Why this layer is of no use, though the file is read."""


def read_sheets(path: Path, how: SoilTable) -> list[Sheet]:
    """Every filled sheet or layer of a file.

    Raises:
        SoilError: the file is empty, damaged, or of a format that is not read.
    """
    match path.suffix.lower():
        case ".csv" | ".tsv":
            return [_read_csv(path, how)]
        case ".xlsx" | ".xls":
            return _read_workbook(path)
        case ".parquet":
            from soc_assets.ingest.soil.layers import is_geoparquet, read_geoparquet

            return [read_geoparquet(path) if is_geoparquet(path) else _read_parquet(path)]
        case ".gpkg" | ".geojson" | ".shp" | ".dbf":
            from soc_assets.ingest.soil.layers import read_layers

            return read_layers(path)
        case other:
            raise SoilError(f"{other} files are not read. Save the table as CSV, XLSX, Parquet or GeoPackage.")


def _read_csv(path: Path, how: SoilTable) -> Sheet:
    text = _decoded(path.read_bytes(), how)
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = how.separator or max(",;\t", key=lambda sign: len(next(csv.reader([first], delimiter=sign), [])))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        records = list(reader)
    except csv.Error as error:
        raise SoilError(
            f"the text cannot be cut into fields at line {reader.line_num}: {error}. Look for a quotation mark that is "
            "opened and not closed there or above."
        ) from error
    width = max((len(record) for record in records), default=0)
    padded = [record + [None] * (width - len(record)) for record in records]
    cells = pd.DataFrame(padded, index=range(1, len(records) + 1), dtype="object")
    return _with_header("", cells, decimal_comma=separator != ",")


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
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def _read_workbook(path: Path) -> list[Sheet]:
    filled = {str(name): cells.set_axis(cells.index + 1) for name, cells in read_cells(path).items() if not cells.empty}
    if not filled:
        raise SoilError("every sheet is empty. Put a table into the file, or take it out of the folder.")
    return [_with_header(name, cells, decimal_comma=True) for name, cells in filled.items()]


def _read_parquet(path: Path) -> Sheet:
    try:
        schema = pq.read_schema(path)
        header = [field.name for field in schema if not pa.types.is_nested(field.type)]
        body = pq.read_table(path, columns=header).to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError) as error:
        raise SoilError(f"it is no readable Parquet file ({error}). Write it again.") from error
    return of_records(body)


def of_records(body: pd.DataFrame, part: str = "") -> Sheet:
    """A sheet of a table whose columns are named already; its first record counts as row 2."""
    header = [str(name).strip() for name in body.columns]
    return Sheet(part, header, body.set_axis(range(len(header)), axis=1).set_axis(range(2, len(body) + 2)), True)


def _with_header(part: str, cells: pd.DataFrame, *, decimal_comma: bool) -> Sheet:
    """Take the first row that is not blank as the header."""
    cells = cells.loc[~(cells.isna() | (cells == "")).all(axis=1)]
    if cells.empty:
        raise SoilError("it is empty. Put a table into the file, or take it out of the folder.")
    header = cells.iloc[0].dropna()  # the fields of the header line itself: shorter than a row with too many fields
    return Sheet(part, [str(name).strip() for name in header], cells.iloc[1:], decimal_comma)
