"""Coordinates for tables without any: joined by id from the table or layer that has them.

LUCAS 2015 comes so: the carbon in a CSV file without coordinates, the points in a shapefile.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from soc_assets.ingest.soil.carbon_units import GRAMS, CarbonUnit
from soc_assets.ingest.soil.files import READ, Reading, campaign_of
from soc_assets.ingest.soil.hemispheres import read_axis
from soc_assets.ingest.soil.places import in_degrees
from soc_assets.storage.names import fits

_ENOUGH = 0.9
"""Share of a table's ids that another table of its campaign must know, so that they are the same points."""


@dataclass(frozen=True)
class Table:
    """A soil table as text."""

    path: Path
    file: str
    """File name; for the further sheets of a workbook with the sheet: `soil.xlsx[2018]`."""
    header: list[str]
    """Column names as the file has them."""
    columns: dict[str, str]
    """The file's name of each recognised column."""
    frame: pd.DataFrame
    """Text columns named as in `ingest.soil.columns.USUAL_NAMES` ("" where empty or absent), and `row` (as a person
    counts, header = 1) and `malformed` (what is wrong with the row, or "")."""
    decimal_comma: bool
    """Whether 1,5 is a number."""
    crs: str | None
    """CRS of the coordinates; None is WGS84."""
    reading: Reading
    group: str
    """Tables of one group hold the same samples in several formats."""
    borrowed_from: str | None = None
    """File that the coordinates come from, if from another."""
    part: str = ""
    """Sheet or layer; "" in files that hold one table."""
    header_row: int | None = None
    """The row in which the names were found; None in formats that have names of their own."""
    hidden_rows: tuple[int, ...] = ()
    """Rows that are left out because the workbook hides them."""
    left_out: str = ""
    """What of the sheet is left out because it is hidden, for people."""
    unit: CarbonUnit = GRAMS
    """Unit of organic carbon."""
    depth_units: Mapping[str, str] = field(default_factory=dict)
    """Unit of each column of depth where it is not cm."""
    extra: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Further columns that are kept, as text by the names that they get, on the frame's index."""
    notes: tuple[str, ...] = ()
    """What is worth a look about its columns, for `soc check`."""

    @property
    def placed(self) -> bool:
        """Whether the table has coordinates."""
        return {"longitude", "latitude"} <= self.columns.keys()

    @property
    def rank(self) -> int:
        """Place of the file's format in `ingest.soil.files.READ`."""
        return READ.index(self.path.suffix.lower())


def borrow_coordinates(tables: list[Table]) -> list[Table]:
    """Give tables without coordinates those of another table, row by row where the ids are equal.

    The other table is the one that `coordinates_from` names; else one of the same name in another format; else one of
    the same LUCAS campaign. Unless it is named, it must know nine tenths of the ids. Ids that are at several places
    are left out, and both tables become one group: a sample that is in both is one sample.
    """
    return [_placed(table, tables) if _lacks_coordinates(table) else table for table in tables]


def plain_ids(ids: pd.Series) -> pd.Series:
    """Ids [n] in which 123.0, a whole number that was stored as a float, is 123."""
    return ids.str.replace(r"^(\d+)[.,]0+$", r"\1", regex=True)


def _lacks_coordinates(table: Table) -> bool:
    return not table.placed and {"id", "organic_carbon"} <= table.columns.keys()


def _placed(table: Table, tables: list[Table]) -> Table:
    ids = plain_ids(table.frame["id"])
    for lender in _coordinate_sources(table, tables):
        known = _known_places(lender)
        if ids.isin(known.index).mean() < (_ENOUGH if table.reading.how.coordinates_from is None else 1e-9):
            continue
        places = {axis: ids.map(known[axis]).fillna("") for axis in ("longitude", "latitude")}
        columns = {axis: f"{lender.columns[axis]} of {lender.file}" for axis in places}
        return replace(
            table,
            frame=table.frame.assign(**places),
            columns=table.columns | columns,
            crs=lender.crs,
            group=lender.group,
            borrowed_from=lender.file,
        )
    return table


def _coordinate_sources(table: Table, tables: list[Table]) -> list[Table]:
    """Tables whose coordinates may be this one's, the likeliest first."""
    others = [other for other in tables if other.placed and "id" in other.columns]
    if wanted := table.reading.how.coordinates_from:
        return [other for other in others if fits(other.file, wanted)]
    year = campaign_of(table.path.stem, table.part)
    same_name = [other for other in others if other.group == table.group]
    return same_name + [other for other in others if year and campaign_of(other.path.stem, other.part) == year]


def _known_places(lender: Table) -> pd.DataFrame:
    """Longitude and latitude, as text with a decimal point, by id."""
    frame = pd.DataFrame({"id": plain_ids(lender.frame["id"])})
    for axis in ("longitude", "latitude"):
        degrees = in_degrees(lender.crs, f"{lender.file} ({lender.reading.section})")
        numbers = read_axis(lender.frame, lender.columns, axis, lender.decimal_comma, degrees=degrees).values
        frame[axis] = numbers.astype("str").where(numbers.notna())
    frame = frame[frame["id"] != ""].dropna().drop_duplicates()
    return frame.drop_duplicates("id", keep=False).set_index("id")
