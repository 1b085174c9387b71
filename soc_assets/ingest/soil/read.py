"""From the files of a folder to tables of text with known columns, with file and row of each entry.

Files are read in `ingest.soil.formats`, columns recognised in `ingest.soil.columns`, coordinates that are in another
file are fetched in `ingest.soil.join_coordinates`. Values stay text: what they mean is decided in `ingest.soil.rows`.
"""

from pathlib import Path

import pandas as pd

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.columns import missing_columns, require_mapped_names
from soc_assets.ingest.soil.extra import require_extra
from soc_assets.ingest.soil.files import Reading, find_tables, readings_of, require_entries
from soc_assets.ingest.soil.formats import Sheet, read_sheets
from soc_assets.ingest.soil.join_coordinates import Table, borrow_coordinates
from soc_assets.ingest.soil.limits import translated
from soc_assets.ingest.soil.sheet_tables import Named, make_table
from soc_assets.ingest.soil.table_words import hidden_rows, refusal, where_it_was_looked
from soc_assets.ingest.soil.used_columns import used_columns
from soc_assets.ingest.soil.usual_names import NEEDED
from soc_assets.runtime import progress
from soc_assets.settings import Soil, SoilLimits
from soc_assets.storage.names import nfc


def read_soil_tables(folder: Path, soil: Soil) -> tuple[list[Table], pd.DataFrame]:
    """Read every soil table of a folder, in the order of their names; blank rows are skipped.

    Args:
        folder: holds the files.
        soil: how they are read.

    Returns:
        The tables, and the files that cannot be used and the rows that a workbook hides: file, row (null for a file),
        source, reason, detail (what was found, what was expected, the fix).

    Raises:
        SoilError: the folder is missing, holds no table or no usable one, a mapped column is in no file, or an entry of
            [[soil.tables]] fits no file.
    """
    paths = find_tables(folder)
    require_entries(paths, soil)
    sheets, refused = [], []
    before, whole = 0, max(sum(path.stat().st_size for path in paths), 1)
    for path in paths:
        size = path.stat().st_size
        try:
            with progress.reading(path.name, before, whole):
                found, strange = _named_sheets(path, readings_of(path, soil), soil)
                progress.report_bytes(size)
        except SoilError as error:
            refused.append(refusal(path, nfc(path.name), "file not readable", error))
            continue
        finally:
            before += size
        sheets += found
        refused += strange
    with progress.reading(f"{sum(len(item.sheet.body) for item in sheets):,} rows are judged", whole, whole):
        progress.report_bytes(0)
    _require_names(sheets, soil)
    tables, unknown = _recognised(sheets)
    refused += unknown + [row for table in tables for row in hidden_rows(table)]
    if not tables:
        problems = "\n".join(f"  - {item['detail']}" for item in refused)
        raise SoilError(f"No soil table in {folder} can be used:\n{problems}")
    return tables, pd.DataFrame(refused, columns=["file", "row", "source", "reason", "detail"])


def _require_names(sheets: list[Named], soil: Soil) -> None:
    """Check that the columns that soc.toml names for several files are in one of them at least."""
    if headers := [item.names for item in sheets if not item.reading.own]:
        require_mapped_names(headers, soil.columns, "[soil.columns]")
    if sheets:
        require_extra([item.names for item in sheets], soil.extra, "[soil]")
    for table in soil.tables:
        section = f"[[soil.tables]] file = {table.file!r}"
        headers = [item.names for item in sheets if item.reading.section == section]
        if headers and table.extra:
            require_extra(headers, table.extra, section)


def _named_sheets(
    path: Path, readings: list[Reading], limits: SoilLimits
) -> tuple[list[Named], list[dict[str, object]]]:
    """The sheets of a file that are to be read, and those that no entry names.

    The first sheet of a workbook is called like the file, the others `soil.xlsx[2018]`.
    """
    how = [reading.how for reading in readings]
    sheets = read_sheets(path, *how, limits=limits, wanted=used_columns)
    parts = [sheet.part for sheet in sheets]
    for reading in readings:
        asked = nfc(reading.how.sheet or reading.how.layer or "")
        if asked and asked not in parts:
            had = ", ".join(part for part in parts if part) or "none: it is one table"
            raise SoilError(
                f"{reading.section} asks for its sheet or layer {asked!r}. It has {had}. Correct the name in soc.toml."
            )
    named, strange = [], []
    for number, sheet in enumerate(sheets):
        name = nfc(path.name) if number == 0 else f"{nfc(path.name)}[{sheet.part}]"
        fitting = [item for item in readings if nfc(item.how.sheet or item.how.layer or sheet.part) == sheet.part]
        if fitting:
            named.append(Named(path, name, sheet, fitting[0]))
        else:
            problem = SoilError(
                f"the entries of [[soil.tables]] for this file name other sheets than {sheet.part!r}. Add an entry for "
                "it if it holds samples."
            )
            strange.append(refusal(path, name, "sheet not asked for", problem))
    return named, strange


def table_of(path: Path, sheet: Sheet, reading: Reading) -> Table:
    """One sheet of a file as a table of text, whichever columns it has; for other tables than those of soil.

    Raises:
        SoilError: the layer holds no points.
    """
    return make_table(Named(path, path.name, sheet, reading))


def _recognised(sheets: list[Named]) -> tuple[list[Table], list[dict[str, object]]]:
    """Tables with all columns that are needed, and the sheets that are none."""
    tables, refused = [], []
    for item in sheets:
        try:
            with translated("it cannot be understood", "Save it again as CSV, and look at its first rows."):
                if item.reading.own:
                    require_mapped_names([item.names], item.reading.how.columns, item.reading.section)
                tables.append(make_table(item))
        except SoilError as error:
            refused.append(refusal(item.path, item.name, item.sheet.reason, error))
    tables = borrow_coordinates(tables)
    used = {table.borrowed_from for table in tables}
    usable = []
    for table in tables:
        missing = [field for field in NEEDED if field not in table.columns]
        if not missing:
            usable.append(table)
        elif table.file not in used:
            error = SoilError(f"{missing_columns(table.header, missing, table.reading)}{where_it_was_looked(table)}")
            refused.append(refusal(table.path, table.file, "columns not recognised", error))
    return usable, refused
