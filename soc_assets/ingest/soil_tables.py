"""Reading soil tables (CSV, XLSX, Parquet) of unknown dialect into one table of text, with file and row of each entry.

Files, encodings and separators belong here, columns are recognised in `soil_columns`. Values stay text: what they mean
is decided in `soil_values`.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from soc_assets.errors import SoilError
from soc_assets.ingest.soil_columns import USUAL_NAMES, find_columns, require_mapped_names
from soc_assets.settings import Soil

_READ = (".csv", ".xlsx", ".parquet")
_NOT_READ = (".xls", ".ods", ".gpkg", ".shp", ".geojson", ".tsv", ".dbf")


@dataclass(frozen=True)
class Table:
    """A soil table as text."""

    file: str
    """File name; for the further sheets of a workbook with the sheet: `soil.xlsx[2018]`."""
    frame: pd.DataFrame
    """Text columns named as in `soil_columns.USUAL_NAMES` ("" where empty or absent), and `row` (as a person counts,
    header = 1), `malformed` (what is wrong with the row, or ""), `decimal_comma` (whether 1,5 is a number)."""


@dataclass(frozen=True)
class _Sheet:
    """Header and body of a file, nothing interpreted: text in CSV, any cells in workbooks and Parquet."""

    header: list[str]
    body: pd.DataFrame
    """Columns 0, 1, ...; index = row as a person counts."""
    decimal_comma: bool


def read_soil_tables(folder: Path, soil: Soil) -> tuple[list[Table], pd.DataFrame]:
    """Read every *.csv, *.xlsx and *.parquet of a folder, in the order of their names; blank rows are skipped.

    Returns:
        The tables, and the files that cannot be used: file, row (null), source, reason, detail (what was found,
        what was expected, the cure).

    Raises:
        SoilError: the folder is missing, holds no table or no usable one, or a mapped column is in no file.
    """
    tables, headers, refused = [], [], []
    for path in find_tables(folder):
        try:
            sheets = _sheets(path)
        except SoilError as error:
            refused.append(_refused(path, path.name, "file not readable", error))
            continue
        for name, sheet in sheets.items():
            headers.append(sheet.header)
            try:
                tables.append(Table(name, _as_text(sheet, find_columns(sheet.header, soil.columns), path.stem)))
            except SoilError as error:
                refused.append(_refused(path, name, "columns not recognised", error))
    if headers:
        require_mapped_names(headers, soil.columns)
    if not tables:
        problems = "\n".join(f"  - {item['detail']}" for item in refused)
        raise SoilError(f"No soil table in {folder} can be used:\n{problems}")
    return tables, pd.DataFrame(refused, columns=["file", "row", "source", "reason", "detail"])


def find_tables(folder: Path) -> list[Path]:
    """The soil tables of a folder by name, unreadable formats included; hidden and temporary files are not tables.

    Raises:
        SoilError: the folder is missing or holds no table.
    """
    if not folder.is_dir():
        raise SoilError(
            f"The folder of soil tables {folder} does not exist. Create it, or set [paths] soil in soc.toml; "
            "`soc demo` writes synthetic samples."
        )
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith((".", "~$"))]
    tables = [path for path in files if path.suffix.lower() in (*_READ, *_NOT_READ)]
    if not tables:
        raise SoilError(
            f"The folder of soil tables {folder} holds no *.csv, *.xlsx or *.parquet file "
            f"(found: {', '.join(path.name for path in files[:5]) or 'nothing'}). Put the soil tables there, or set "
            "[paths] soil in soc.toml; `soc demo` writes synthetic samples."
        )
    return tables


def _refused(path: Path, name: str, reason: str, error: SoilError) -> dict[str, object]:
    return {"file": name, "row": None, "source": path.stem, "reason": reason, "detail": f"{name}: {error}"}


def _sheets(path: Path) -> dict[str, _Sheet]:
    match path.suffix.lower():
        case ".csv":
            return {path.name: _read_csv(path)}
        case ".parquet":
            return {path.name: _read_parquet(path)}
        case ".xlsx":
            return _read_workbook(path)
        case other:
            raise SoilError(f"{other} files are not read. Save the table as CSV, XLSX or Parquet.")


def _read_csv(path: Path) -> _Sheet:
    text = _decoded(path.read_bytes())
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(",;\t", key=lambda sign: len(next(csv.reader([first], delimiter=sign), [])))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        records = list(reader)
    except csv.Error as error:
        raise SoilError(
            f"the text cannot be cut into fields at line {reader.line_num}: {error}. Look for a quotation mark that is "
            "opened and not closed there or above."
        ) from error
    cells = pd.DataFrame(records, index=range(1, len(records) + 1), dtype="object")
    return _with_header(cells, decimal_comma=separator != ",")


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):  # Excel's "Unicode text"
        return content.decode("utf-16", errors="replace")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def _read_workbook(path: Path) -> dict[str, _Sheet]:
    try:
        sheets = pd.read_excel(path, sheet_name=None, header=None, dtype="object", na_filter=False, engine="openpyxl")
    except (BadZipFile, KeyError, ValueError, OSError) as error:
        raise SoilError(f"it is no readable XLSX workbook ({error}). Save it again as XLSX or CSV.") from error
    filled = {name: cells.set_axis(cells.index + 1) for name, cells in sheets.items() if not cells.empty}
    if not filled:
        raise SoilError("every sheet is empty. Put a table into the file, or take it out of the folder.")
    names = [path.name, *(f"{path.name}[{name}]" for name in [*filled][1:])]
    return {name: _with_header(cells, decimal_comma=True) for name, cells in zip(names, filled.values(), strict=True)}


def _read_parquet(path: Path) -> _Sheet:
    try:
        schema = pq.read_schema(path)
        header = [field.name for field in schema if not pa.types.is_nested(field.type)]
        body = pq.read_table(path, columns=header).to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError) as error:
        raise SoilError(f"it is no readable Parquet file ({error}). Write it again.") from error
    body = body.set_axis(range(len(header)), axis=1).set_axis(range(2, len(body) + 2))
    return _Sheet(header, body, decimal_comma=True)


def _with_header(cells: pd.DataFrame, *, decimal_comma: bool) -> _Sheet:
    """Take the first row that is not blank as the header."""
    cells = cells.loc[~(cells.isna() | (cells == "")).all(axis=1)]
    if cells.empty:
        raise SoilError("it is empty. Put a table into the file, or take it out of the folder.")
    header = cells.iloc[0].dropna()  # the fields of the header line itself: shorter than a row with too many fields
    return _Sheet([str(name).strip() for name in header], cells.iloc[1:], decimal_comma)


def _as_text(sheet: _Sheet, places: dict[str, int], default_source: str) -> pd.DataFrame:
    body, width = sheet.body, len(sheet.header)
    empty = pd.Series("", body.index, dtype="str")
    columns = {name: _text(body.iloc[:, places[name]]) if name in places else empty for name in USUAL_NAMES}
    frame = pd.DataFrame(columns, index=body.index)
    frame["source"] = frame["source"].mask(frame["source"] == "", default_source)
    surplus = body.iloc[:, width:]
    too_long = (surplus.notna() & (surplus != "")).any(axis=1)
    frame["malformed"] = empty.mask(too_long, f"more fields than the {width} of the header")
    return frame.assign(decimal_comma=sheet.decimal_comma, row=body.index).reset_index(drop=True)


def _text(cells: pd.Series) -> pd.Series:
    return cells.astype("str").fillna("").str.strip()
