"""Points to predict at: read by the reader of soil tables, each row with its place and date, or why it has none.

The columns of the file stay as they are; what was understood is next to them under names that begin with `OWN`.
Whether points lie on the rasters and need dates is decided where the model is known, in `soc_assets.mapping.points`.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.columns import find_columns
from soc_assets.ingest.soil.degree_columns import part_of
from soc_assets.ingest.soil.files import READ, Reading, readings_of
from soc_assets.ingest.soil.formats import Sheet, read_sheets
from soc_assets.ingest.soil.join_coordinates import Table
from soc_assets.ingest.soil.limits import translated
from soc_assets.ingest.soil.odd_rows import SECOND_TABLE, SUMMARY
from soc_assets.ingest.soil.read import table_of
from soc_assets.ingest.soil.rows import rows_of
from soc_assets.ingest.soil.usual_names import USUAL_NAMES
from soc_assets.ingest.soil.values import is_missing
from soc_assets.ingest.soil.zones import zone_column
from soc_assets.runtime import progress
from soc_assets.settings import Soil, SoilColumns, SoilLimits, SoilTable

OWN = "_soc_assets."
"""What the names of our columns begin with, beside those of the file."""

KEPT = ("row", "x", "y", "longitude", "latitude", "year", "season", "season_year", "undated", "in_degrees")
_SOUGHT = ("longitude", "latitude", "east_west", "north_south", "survey_date", "year")

Fault = tuple[str, pd.Series, pd.Series | str]
"""Why rows have no prediction: the reason, the rows that have it, and what was found."""


def read_point_table(path: Path, soil: Soil, layer: str | None = None, **how: str | None) -> pd.DataFrame:
    """A table of points in any format of `ingest.soil.files.READ`.

    Args:
        path: the file.
        soil: [soil] of the settings: an entry of [[soil.tables]] that fits the file's name holds for it, too.
        layer: the sheet of a workbook or layer of a GeoPackage.
        how: fields of `SoilTable` that go before the settings: crs, separator, decimal, encoding, date_format.

    Returns:
        The file's columns, and those of `KEPT` and `reason` ("" where the place is known) under names that begin with
        `OWN`. A file of geometries gets longitude and latitude (WGS84 degrees) as columns of its own.

    Raises:
        SoilError: the file cannot be read, holds no points or those of several sheets, or a row has too many fields.
    """
    if not path.is_file():
        raise SoilError(f"{path} does not exist. Name a table of points ({', '.join(READ)}).")
    try:
        with translated("it cannot be understood", "Save it again as CSV, and look at its cells."):
            sheet, reading = _chosen(path, _readings(path, soil, how), layer, soil)
            return _with_own_columns(path, sheet, reading)
    except SoilError as error:
        raise SoilError(f"{path}: {error}") from error


def points_of_text(cells: pd.DataFrame) -> pd.DataFrame:
    """Points that come from elsewhere than a file, read by the same rules.

    Args:
        cells: text in the columns longitude, latitude (WGS84 degrees), survey_date and year, "" where nothing is known.

    Returns:
        As `read_point_table`.
    """
    body = cells.set_axis(range(cells.shape[1]), axis=1).set_axis(pd.RangeIndex(2, len(cells) + 2), axis=0)
    sheet = Sheet("", list(cells.columns), body, decimal_comma=False)
    return _with_own_columns(Path("points.csv"), sheet, Reading(SoilTable(file="points.csv"), "", own=False))


def _with_own_columns(path: Path, sheet: Sheet, reading: Reading) -> pd.DataFrame:
    """The columns of a sheet, and what is understood of its rows."""
    table = table_of(
        path, replace(sheet, header=_sought(sheet.header, reading.how.columns, cut=_is_cut(path))), reading
    )
    _require_whole_rows(table)
    rows = rows_of(table)
    rows["undated"] = _undated(rows)
    rows["reason"] = first_fault(_faults(table, rows), pd.Series("", rows.index, dtype="str"))
    own = _own_columns(sheet, table, rows)
    return pd.concat([own, rows[[*KEPT, "reason"]].add_prefix(OWN)], axis=1)


def understood(points: pd.DataFrame) -> pd.DataFrame:
    """What `read_point_table` understood of each row [n]: the columns of `KEPT`, and `reason`."""
    return points[[OWN + name for name in (*KEPT, "reason")]].rename(columns=lambda name: name.removeprefix(OWN))


def of_the_file(points: pd.DataFrame) -> pd.DataFrame:
    """The file's own columns."""
    return points.loc[:, [not str(name).startswith(OWN) for name in points.columns]]


def first_fault(faults: Sequence[Fault], reason: pd.Series) -> pd.Series:
    """Reasons [n], those given before where there is one: `outside the rasters: 11.5, 48.1`."""
    for name, holds, found in faults:
        new = holds.astype(bool) & (reason == "")
        words = name + ": " + found if isinstance(found, pd.Series) else f"{name}: {found}" if found else name
        reason = reason.mask(new, words)
    return reason


def _readings(path: Path, soil: Soil, how: dict[str, str | None]) -> list[Reading]:
    """How the settings read a file of this name, with what is asked for in their place."""
    asked = {name: value for name, value in how.items() if value is not None}
    found = readings_of(path, soil)
    if not asked:
        return found
    said = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in asked.items())
    return [
        replace(reading, how=SoilTable.model_validate(reading.how.model_dump() | asked), section=said)
        for reading in found
    ]


def _chosen(path: Path, readings: list[Reading], layer: str | None, limits: SoilLimits) -> tuple[Sheet, Reading]:
    """The one sheet with places, and how it is read."""
    with progress.reading(path.name, 0, path.stat().st_size):
        sheets = read_sheets(path, *(reading.how for reading in readings), limits=limits)
    parts = [sheet.part for sheet in sheets if sheet.part]
    if layer and layer not in parts:
        had = f"it has {', '.join(parts)}" if parts else "it is one table"
        raise SoilError(f"there is no sheet or layer {layer!r}; {had}.")
    fitting = []
    for sheet in sheets:
        asked = [reading for reading in readings if _asked(reading, layer, sheet.part) == sheet.part]
        if asked and (sheet.problem or _is_placed(sheet, asked[0].how.columns, cut=_is_cut(path))):
            fitting.append((sheet, asked[0]))
    if not fitting:
        raise _no_places(sheets[0] if not layer else sheets[[sheet.part for sheet in sheets].index(layer)])
    if len(fitting) > 1:
        names = [sheet.part for sheet, _ in fitting]
        raise SoilError(f"{len(names)} sheets hold points: {', '.join(names)}. Name one by --layer {names[0]!r}.")
    if fitting[0][0].body.empty:
        raise SoilError("it has a header but no rows. Put points into it.")
    return fitting[0]


def _asked(reading: Reading, layer: str | None, part: str) -> str:
    return layer or reading.how.sheet or reading.how.layer or part


def _is_placed(sheet: Sheet, columns: SoilColumns, *, cut: bool) -> bool:
    """Whether there are columns of places; two that fit one are told when the table is read."""
    if sheet.points is not None:
        return True
    found = find_columns(_sought(sheet.header, columns, cut=cut), columns, cut=cut, same=lambda one, other: True)
    return {"longitude", "latitude"} <= found.keys()


def _is_cut(path: Path) -> bool:
    """Whether the format cuts names to ten letters."""
    return path.suffix.lower() in (".dbf", ".shp")


def _no_places(sheet: Sheet) -> SoilError:
    found = find_columns(_sought(sheet.header, SoilColumns()), SoilColumns())
    missing = [field for field in ("longitude", "latitude") if field not in found]
    names = "; ".join(f"{field} as {', '.join(USUAL_NAMES[field])}" for field in missing)
    return SoilError(
        f"no column for {' and '.join(missing)}; found {', '.join(filter(None, sheet.header)) or 'none'}. Expected (in "
        f"any case): {names}. Rename the columns, and give --crs where they are not WGS84 degrees."
    )


def _sought(header: Sequence[str], columns: SoilColumns, *, cut: bool = False) -> list[str]:
    """The header with the names of place and date alone: carbon and depth of a point decide nothing."""
    return [
        name
        if part_of(name)
        or zone_column([name], []) is not None
        or set(_SOUGHT) & find_columns([name], columns, cut=cut).keys()
        else ""
        for name in header
    ]


def _require_whole_rows(table: Table) -> None:
    wrong = table.frame[(table.frame["malformed"] != "") & (table.frame["odd"] == "")]
    if len(wrong):
        first = wrong.iloc[0]
        quoted = "Give it as many fields as the header (a field that holds the separator stands in quotation marks)."
        raise SoilError(
            f"row {first['row']}: {first['malformed']}. {'' if 'as all rows' in first['malformed'] else quoted}"
        )


def _faults(table: Table, rows: pd.DataFrame) -> list[Fault]:
    """Why rows have no place."""
    faults: list[Fault] = [(reason, rows["odd"] == reason, rows["odd_detail"]) for reason in (SECOND_TABLE, SUMMARY)]
    for field, axis in (("longitude", "x"), ("latitude", "y")):
        text, name = table.frame[field], table.columns[field]
        faults.append(("no coordinates", is_missing(text), f"{name} is empty"))
        faults.append(("no coordinates", rows[axis].isna(), name + " '" + text + "' is not a number"))
    places = table.frame["longitude"].str.cat(table.frame["latitude"], sep=", ")
    faults.append(("coordinates of another zone", rows["zone_text"] != "", places + rows["zone_text"]))
    world = "coordinates outside the world" if table.crs is None else "coordinates outside the CRS"
    return [*faults, ("no coordinates", (rows["x"] == 0) & (rows["y"] == 0), places), (world, rows["beyond"], places)]


def _undated(rows: pd.DataFrame) -> pd.Series:
    """Why rows [n] have no year, "" where they have one; whether one is needed depends on the model."""
    written = rows["date_text"]
    quoted = ("'" + written + "' is neither a date nor a year").mask(written.str.contains(": ", regex=False), written)
    undated = quoted.mask(is_missing(written), "there is neither date nor year")
    return undated.where(rows["year"].isna(), "")


def _own_columns(sheet: Sheet, table: Table, rows: pd.DataFrame) -> pd.DataFrame:
    """The file's cells, whole numbers as such also where one is missing; for geometries their place."""
    if ours := [name for name in sheet.header if name.startswith(OWN)]:
        raise SoilError(f"the column {ours[0]!r} has a name that is kept for our own. Rename it.")
    body = sheet.body.loc[table.frame["row"]].iloc[:, : len(sheet.header)].reset_index(drop=True)
    whole = {
        name: "Int64"
        for name, cells in body.items()
        if cells.dtype.kind == "f" and cells.isna().any() and (cells.dropna() % 1 == 0).all()
    }
    own = body.astype(whole).set_axis(sheet.header, axis=1)
    if sheet.points is None or table.columns["longitude"] in sheet.header:
        return own
    places = rows[["longitude", "latitude"]].round(7)
    return pd.concat([own, places.rename(columns=free_names(("longitude", "latitude"), sheet.header))], axis=1)


def free_names(names: Sequence[str], taken: Sequence[str]) -> dict[str, str]:
    """What columns are called beside others: `soc_predicted` where those have a `predicted`."""
    called = {}
    for name in names:
        called[name] = name
        while called[name] in taken:
            called[name] = f"soc_{called[name]}"
    return called
