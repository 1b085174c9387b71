"""From the files of a folder to tables of text with known columns, with file and row of each entry.

Files are read in `soil.formats`, columns recognised in `soil.columns`, coordinates that stand in another file are
fetched in `soil.borrowing`. Values stay text: what they mean is decided in `soil.rows`.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.borrowing import Table, borrow_coordinates
from soc_assets.ingest.soil.columns import (
    NEEDED,
    USUAL_NAMES,
    find_columns,
    is_total_carbon,
    missing_columns,
    needs_unit,
    require_mapped_names,
)
from soc_assets.ingest.soil.depth_columns import is_bare, like_depths, unit_of_depth
from soc_assets.ingest.soil.extra import extra_columns, require_extra
from soc_assets.ingest.soil.files import Reading, find_tables, readings_of, require_entries
from soc_assets.ingest.soil.formats import Sheet, read_sheets
from soc_assets.ingest.soil.headers import carbon_unit_of, depth_unit_of
from soc_assets.ingest.soil.percents import first_percent
from soc_assets.ingest.soil.units import GRAMS, CarbonUnit, UnitNotStatedError, find_unit_row, resolve_unit
from soc_assets.ingest.soil.values import to_numbers
from soc_assets.names import nfc
from soc_assets.settings import Soil

_DEPTHS = ("depth", "depth_upper", "depth_lower")


@dataclass(frozen=True)
class _Named:
    """A sheet with its name and the settings that hold for it."""

    path: Path
    name: str
    sheet: Sheet
    reading: Reading

    @property
    def names(self) -> tuple[list[str], bool]:
        """The column names, and whether they are cut to ten letters."""
        return self.sheet.header, self.path.suffix.lower() in (".dbf", ".shp")


def read_soil_tables(folder: Path, soil: Soil) -> tuple[list[Table], pd.DataFrame]:
    """Read every soil table of a folder, in the order of their names; blank rows are skipped.

    Returns:
        The tables, and the files that cannot be used and the rows that a workbook hides: file, row (null for a file),
        source, reason, detail (what was found, what was expected, the cure).

    Raises:
        SoilError: the folder is missing, holds no table or no usable one, a mapped column is in no file, or an entry of
            [[soil.tables]] fits no file.
    """
    paths = find_tables(folder)
    require_entries(paths, soil)
    sheets, refused = [], []
    for path in paths:
        try:
            found, strange = _named_sheets(path, readings_of(path, soil))
        except SoilError as error:
            refused.append(refusal(path, nfc(path.name), "file not readable", error))
            continue
        sheets += found
        refused += strange
    _require_names(sheets, soil)
    tables, unknown = _recognised(sheets)
    refused += unknown + [row for table in tables for row in _hidden_rows(table)]
    if not tables:
        problems = "\n".join(f"  - {item['detail']}" for item in refused)
        raise SoilError(f"No soil table in {folder} can be used:\n{problems}")
    return tables, pd.DataFrame(refused, columns=["file", "row", "source", "reason", "detail"])


def _require_names(sheets: list[_Named], soil: Soil) -> None:
    """Check that the columns that soc.toml names for several files stand in one of them at least."""
    if headers := [item.names for item in sheets if not item.reading.own]:
        require_mapped_names(headers, soil.columns, "[soil.columns]")
    if sheets:
        require_extra([item.names for item in sheets], soil.extra, "[soil]")
    for table in soil.tables:
        section = f"[[soil.tables]] file = {table.file!r}"
        headers = [item.names for item in sheets if item.reading.section == section]
        if headers and table.extra:
            require_extra(headers, table.extra, section)


def _named_sheets(path: Path, readings: list[Reading]) -> tuple[list[_Named], list[dict[str, object]]]:
    """The sheets of a file that are to be read, and those that no entry names.

    The first sheet of a workbook is called like the file, the others `soil.xlsx[2018]`.
    """
    sheets = read_sheets(path, *(reading.how for reading in readings))
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
            named.append(_Named(path, name, sheet, fitting[0]))
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
    return _table(_Named(path, path.name, sheet, reading))


def _recognised(sheets: list[_Named]) -> tuple[list[Table], list[dict[str, object]]]:
    """Tables with all columns that are needed, and the sheets that are none."""
    tables, refused = [], []
    for item in sheets:
        try:
            if item.reading.own:
                require_mapped_names([item.names], item.reading.how.columns, item.reading.section)
            tables.append(_table(item))
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
            error = SoilError(f"{missing_columns(table.header, missing, table.reading)}{_where_it_was_looked(table)}")
            refused.append(refusal(table.path, table.file, "columns not recognised", error))
    return usable, refused


def _table(item: _Named) -> Table:
    sheet, how = item.sheet, item.reading.how
    if sheet.problem:
        raise SoilError(sheet.problem)
    header, cut = item.names
    places = find_columns(header, how.columns, cut=cut, same=lambda one, other: _same(sheet, one, other))
    places, notes = _without_strangers(sheet, places, item)
    unit_row = find_unit_row(sheet.body, places)
    in_row = {} if unit_row is None else {f: _text(sheet.body.iloc[[unit_row], p]).iloc[0] for f, p in places.items()}
    body = sheet.body if unit_row is None else sheet.body.drop(index=sheet.body.index[unit_row])
    columns = {field: header[place] for field, place in places.items()}
    try:
        unit = _unit(item, columns, in_row.get("organic_carbon", ""), body.iloc[:, places.get("organic_carbon", 0)])
    except UnitNotStatedError:
        if how.columns.organic_carbon:
            raise
        unit = CarbonUnit(None, "")  # so it is no column of carbon, which is said with what else is missing
        columns.pop("organic_carbon")
    frame = _as_text(body, places, len(header))
    extra = extra_columns(header, how.extra or (), places.values(), cut=cut)
    crs, mapped = how.crs, how.columns.longitude and how.columns.latitude
    if sheet.points is not None and not mapped:
        columns |= {"longitude": "the point's x", "latitude": "the point's y"}
        points = {field: _text(sheet.points[axis]) for field, axis in (("longitude", "x"), ("latitude", "y"))}
        frame = frame.assign(**{field: text.loc[body.index].to_numpy() for field, text in points.items()})
        crs = crs or sheet.crs
    return Table(
        path=item.path,
        file=item.name,
        header=header,
        columns=columns,
        frame=frame,
        decimal_comma={"auto": sheet.decimal_comma, ",": True, ".": False}[how.decimal],
        crs=crs,
        reading=item.reading,
        group=nfc(item.path.stem).lower(),
        part=sheet.part,
        header_row=sheet.header_row,
        hidden_rows=sheet.hidden_rows,
        left_out=sheet.left_out,
        unit=unit,
        depth_units=_depth_units(columns, in_row),
        extra=pd.DataFrame({name: _text(body.iloc[:, at]).to_numpy() for name, at in extra.items()}, frame.index),
        notes=(*notes, *_notes(header, places)),
    )


def _where_it_was_looked(table: Table) -> str:
    """What the row of names and hidden columns have to do with columns that are missing."""
    row = (
        f" The names were taken from row {table.header_row}: if they stand in another, set header_row of the file in "
        "[[soil.tables]]."
        if table.header_row is not None
        else ""
    )
    hidden = (
        f" Hidden in the workbook and left out: {table.left_out}; show what is needed, or name its column in soc.toml."
        if table.left_out
        else ""
    )
    return row + hidden


def _hidden_rows(table: Table) -> list[dict[str, object]]:
    """The rows among the rejected ones that a workbook hides."""
    told = "the workbook hides this row, by hand, by a filter or in a closed group. Show it if it is a sample"
    source = nfc(table.path.stem)
    return [
        {"file": table.file, "row": row, "source": source, "reason": "hidden row", "detail": told}
        for row in table.hidden_rows
    ]


def _unit(item: _Named, columns: dict[str, str], in_row: str, cells: pd.Series) -> CarbonUnit:
    name, how = columns.get("organic_carbon"), item.reading.how
    if name is None:
        return GRAMS
    by_user = how.columns.organic_carbon is not None
    needed = needs_unit(name) and not by_user
    percent, by_row = first_percent(_text(cells)), "unit" in columns
    return resolve_unit(how.unit, name, in_row, item.reading.section, needed=needed, by_row=by_row, percent=percent)


def _depth_units(columns: dict[str, str], in_row: dict[str, str]) -> dict[str, str]:
    """The unit that names or the row of units state for the columns of depth."""
    said = {field: depth_unit_of(in_row.get(field, "")) or unit_of_depth(columns.get(field, "")) for field in _DEPTHS}
    return {field: unit for field, unit in said.items() if unit}


def _without_strangers(sheet: Sheet, places: dict[str, int], item: _Named) -> tuple[dict[str, int], list[str]]:
    """Leave out `top`, `von`, `unit` and the like where their cells are no depths or units."""
    mapped, notes = item.reading.how.columns.model_dump(), []
    for field in ("depth_upper", "depth_lower"):
        if field not in places or mapped.get(field) or not is_bare(sheet.header[places[field]]):
            continue
        text = _text(sheet.body.iloc[:, places[field]])
        text = text[text != ""]
        if len(text) and to_numbers(text, True).notna().mean() < 0.5:
            notes.append(f"the column {sheet.header[places[field]]!r} is not read as a depth: its cells are no numbers")
            places = {name: place for name, place in places.items() if name != field}
    if "unit" in places and not mapped.get("unit"):
        units = _text(sheet.body.iloc[:, places["unit"]])
        if not any(carbon_unit_of(text) for text in units.unique()):  # soil units, mapping units
            places = {name: place for name, place in places.items() if name != "unit"}
    return places, notes


def _notes(header: list[str], places: dict[str, int]) -> list[str]:
    """What is worth a look about the columns of a table."""
    notes, carbon = [], places.get("organic_carbon")
    if carbon is None:
        return notes
    if is_total_carbon(header[carbon]):
        notes.append(
            f"the column {header[carbon]!r} is read as organic carbon, but its name is that of total carbon, which "
            "holds the carbon of carbonates, too"
        )
    if not {*_DEPTHS} & places.keys() and (strange := like_depths(header, {*places.values()})):
        listed = ", ".join(map(repr, strange))
        notes.append(f"no depth is read, but names sound like depths or horizons: {listed}")
    return notes


def _same(sheet: Sheet, one: int, other: int) -> bool:
    return bool((_text(sheet.body.iloc[:, one]) == _text(sheet.body.iloc[:, other])).all())


def _as_text(body: pd.DataFrame, places: dict[str, int], width: int) -> pd.DataFrame:
    empty = pd.Series("", body.index, dtype="str")
    columns = {name: _text(body.iloc[:, places[name]]) if name in places else empty for name in USUAL_NAMES}
    frame = pd.DataFrame(columns, index=body.index)
    surplus = body.iloc[:, width:]
    too_long = (surplus.notna() & (surplus != "")).any(axis=1)
    frame["malformed"] = empty.mask(too_long, f"more fields than the {width} of the header")
    return frame.assign(row=body.index).reset_index(drop=True)


def _text(cells: pd.Series) -> pd.Series:
    return cells.astype("str").fillna("").str.strip()


def refusal(path: Path, name: str, reason: str, error: SoilError) -> dict[str, object]:
    """The row among the rejected ones for a table that cannot be used."""
    return {"file": name, "row": None, "source": nfc(path.stem), "reason": reason, "detail": nfc(f"{name}: {error}")}
