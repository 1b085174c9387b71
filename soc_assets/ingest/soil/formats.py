"""Reading files of every format into sheets: a header and a body, nothing interpreted.

Text belongs to `ingest.soil.delimited`, the cells of workbooks to `ingest.soil.workbooks`, Parquet to
`ingest.soil.parquet_files`, layers with geometry to `ingest.soil.layers`; the row of names is found in
`ingest.soil.header_row`, which column is what is decided in `ingest.soil.columns`. Whatever a library raises about a
file becomes a `SoilError` here.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.cells import plain_cells
from soc_assets.ingest.soil.header_row import LOOKED_AT, filled, names_in_two_rows
from soc_assets.ingest.soil.limits import translated
from soc_assets.ingest.soil.titles import lines_above
from soc_assets.settings import SoilLimits, SoilTable
from soc_assets.storage.names import nfc

Wanted = Callable[[Sequence[str], SoilTable], Collection[int]]
"""Positions of the columns that are used of a header."""


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
    """Why this layer or sheet is of no use, though the file is read."""
    reason: str = "columns not recognised"
    """The problem in short, as the rejected rows have it."""
    hidden: bool = False
    """Whether a workbook hides the sheet: then it is read only where it is asked for by name."""
    hidden_rows: tuple[int, ...] = ()
    """Rows below the header that are left out because the workbook hides them."""
    left_out: str = ""
    """What of the sheet is left out because it is hidden, for people."""
    above: tuple[str, ...] = ()
    """The cells right above the names: units, or names of groups of columns."""
    titles: tuple[str, ...] = ()
    """The rows above the names, each as one text: comments, titles."""
    header_row: int | None = None
    """The row in which the names were found; None in formats that have names of their own."""


def read_sheets(
    path: Path,
    how: SoilTable,
    *others: SoilTable,
    limits: SoilLimits | None = None,
    wanted: Wanted | None = None,
) -> list[Sheet]:
    """Every filled sheet or layer of a file; hidden sheets come last.

    Args:
        path: the file.
        how: how it is read, or its first sheet.
        others: further entries of soc.toml for the file, which name their sheet or layer.
        limits: how much it may hold.
        wanted: which columns of a text or Parquet file are kept, the others being null; None keeps all.

    Raises:
        SoilError: the file is empty, damaged, of a format that is not read, or holds more than the limits allow.
    """
    limits, suffix = limits or SoilLimits(), path.suffix.lower()
    with translated(f"it cannot be read as {suffix[1:]}", "Write it again, or save the table as CSV."):
        match suffix:
            case ".csv" | ".tsv":
                return [_read_text(path, how, limits, wanted)]
            case ".xlsx" | ".xlsm" | ".xls":
                from soc_assets.ingest.soil.workbook_sheets import read_workbook

                return read_workbook(path, (how, *others), limits)
            case ".parquet":
                from soc_assets.ingest.soil.parquet_files import read_parquet

                return [read_parquet(path, limits, lambda header: wanted(header, how) if wanted else None)]
            case ".gpkg" | ".geojson" | ".shp" | ".dbf":
                from soc_assets.ingest.soil.layers import read_layers

                return read_layers(path, limits)
    raise SoilError(f"{suffix} files are not read. Save the table as CSV, XLSX, Parquet or GeoPackage.")


def of_records(body: pd.DataFrame, part: str = "") -> Sheet:
    """A sheet of a table whose columns are named already; its first record counts as row 2."""
    header = [nfc(str(name)).strip() for name in body.columns]
    cells = pd.DataFrame({place: plain_cells(body.iloc[:, place]) for place in range(len(header))}, body.index)
    return Sheet(nfc(part), header, cells.set_axis(range(2, len(body) + 2)), True)


def below_header(
    part: str, cells: pd.DataFrame, place: int, *, decimal_comma: bool, kept: Collection[str] = ()
) -> Sheet:
    """The sheet whose names are in the row at a position; blank rows are left out.

    Args:
        part: name of the sheet, or "".
        cells: of the whole table, index = row as a person counts.
        place: of the row of names.
        decimal_comma: whether 1,5 is a number.
        kept: names that soc.toml gives as they are in the row.

    Raises:
        SoilError: there is nothing in the table.
    """
    blank = (cells.isna() | (cells == "")).all(axis=1)
    if blank.all():
        raise SoilError("it is empty. Put a table into the file, or take it out of the folder.")
    names, above = filled(cells.iloc[place].tolist()), filled(cells.iloc[place - 1].tolist()) if place else []
    body = cells.iloc[place + 1 :][~blank.iloc[place + 1 :]]
    names = names_in_two_rows(above, names, kept) if above else names
    titles = lines_above(cells.iloc[max(place - LOOKED_AT, 0) : place].to_numpy().tolist())
    return Sheet(
        part, names, body, decimal_comma, above=tuple(above), titles=titles, header_row=int(cells.index[place])
    )


def _read_text(path: Path, how: SoilTable, limits: SoilLimits, wanted: Wanted | None) -> Sheet:
    from soc_assets.ingest.soil.delimited import decimal_commas, read_records

    records = read_records(path, how, limits, wanted)
    above = {"above": records.above, "titles": records.titles, "header_row": records.header_row}
    sheet = Sheet("", records.header, records.body, False, **above)
    return replace(sheet, decimal_comma=decimal_commas(sheet.header, sheet.body, records.separator, how))
