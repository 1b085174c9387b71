"""From a sheet to a table of text with known columns: which column is what, in which unit, and what is odd about rows.

Files are walked through in `ingest.soil.read`; values stay text, what they mean is decided in `ingest.soil.rows`.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from soc_assets.errors import SoilError, UnitNotStatedError
from soc_assets.ingest.soil.carbon_depths import limits_of
from soc_assets.ingest.soil.carbon_units import GRAMS, CarbonUnit, find_unit_row, resolve_unit
from soc_assets.ingest.soil.columns import carbon_names, find_columns, needs_unit
from soc_assets.ingest.soil.degree_columns import minute_columns, with_minutes
from soc_assets.ingest.soil.depth import limits_in, wanted_limits
from soc_assets.ingest.soil.depth_columns import is_bare, unit_of_depth
from soc_assets.ingest.soil.extra import extra_columns
from soc_assets.ingest.soil.files import Reading
from soc_assets.ingest.soil.formats import Sheet
from soc_assets.ingest.soil.headers import carbon_unit_of, depth_unit_of
from soc_assets.ingest.soil.join_coordinates import Table
from soc_assets.ingest.soil.odd_rows import odd_rows
from soc_assets.ingest.soil.percents import first_percent
from soc_assets.ingest.soil.qualifiers import qualifier_of, with_signs
from soc_assets.ingest.soil.table_words import notes_of
from soc_assets.ingest.soil.titles import carbon_units, depth_unit
from soc_assets.ingest.soil.usual_names import USUAL_NAMES
from soc_assets.ingest.soil.values import to_numbers
from soc_assets.ingest.soil.zones import zone_column
from soc_assets.storage.names import nfc

_MIDNIGHT_ELSEWHERE = r".*[T ]2[1-3]:00(?::00(?:\.0+)?)?(?:Z|\+00:?00)"
_DEPTHS = ("depth", "depth_upper", "depth_lower")


@dataclass(frozen=True)
class Named:
    """A sheet with its name and the settings that hold for it."""

    path: Path
    name: str
    sheet: Sheet
    reading: Reading

    @property
    def names(self) -> tuple[list[str], bool]:
        """The column names, and whether they are cut to ten letters."""
        return self.sheet.header, self.path.suffix.lower() in (".dbf", ".shp")


def make_table(item: Named) -> Table:
    """One sheet as a table of text.

    Raises:
        SoilError: the sheet is of no use, two columns fit one field, or the unit is not known.
    """
    sheet, how = item.sheet, item.reading.how
    if sheet.problem:
        raise SoilError(sheet.problem)
    header, cut = item.names
    places = find_columns(header, how.columns, cut=cut, same=lambda one, other: _same(sheet, one, other))
    places, notes = _without_strangers(sheet, places, item)
    unit_row = find_unit_row(sheet.body, places)
    in_row = _units_above(sheet, places) if unit_row is None else {}
    if unit_row is not None:
        in_row = {field: _text(sheet.body.iloc[[unit_row], place]).iloc[0] for field, place in places.items()}
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
    frame, more = _with_neighbours(frame, body, item, places, columns)
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
        depth_units=_depth_units(columns, in_row, sheet),
        extra=pd.DataFrame({name: _text(body.iloc[:, at]).to_numpy() for name, at in extra.items()}, frame.index),
        notes=(*notes, *more, *notes_of(header, places), *_depths_elsewhere(item, places)),
    )


def _with_neighbours(
    frame: pd.DataFrame, body: pd.DataFrame, item: Named, places: dict[str, int], columns: dict[str, str]
) -> tuple[pd.DataFrame, list[str]]:
    """The text with what other columns and rows say of it (minutes, signs, zones, odd rows); `columns` gets names."""
    header, notes = item.sheet.header, []

    def cells(place: int) -> pd.Series:
        return _text(body.iloc[:, place]).set_axis(frame.index)

    for axis in ("longitude", "latitude"):
        if axis in places and (more := minute_columns(header, places[axis])):
            frame[axis] = with_minutes({"degrees": frame[axis], **{part: cells(at) for part, at in more.items()}})
            columns[axis] = " + ".join([header[places[axis]], *(header[at] for at in sorted(more.values()))])
    if "organic_carbon" in columns:
        sign, unsure = qualifier_of(header, places["organic_carbon"], places.values(), cells)
        notes += [f"the column {name!r} holds signs such as '<', and of which value is not clear" for name in unsure]
        if sign is not None:
            frame["organic_carbon"] = with_signs(frame["organic_carbon"], cells(sign))
            columns["sign"] = header[sign] or "a column without a name"
    if (late := frame["survey_date"].str.fullmatch(_MIDNIGHT_ELSEWHERE)).any() and (
        late | (frame["survey_date"] == "")
    ).all():
        first = frame.loc[late, "survey_date"].iloc[0]
        notes.append(
            f"all dates are midnights of another time zone in UTC, such as {first!r}: each is read a day early"
        )
    zone = zone_column(header, list(places.values()))
    if zone is not None:
        columns["zone"] = header[zone]
    frame = frame.assign(zone="" if zone is None else cells(zone), odd="", odd_detail="")
    if item.sheet.header_row is not None:
        odd = odd_rows(body, places, header, item.reading.how.columns)
        frame = frame.assign(odd=odd["odd"].to_numpy(), odd_detail=odd["odd_detail"].to_numpy())
    return frame, notes


def _units_above(sheet: Sheet, places: dict[str, int]) -> dict[str, str]:
    """The units in the row above the names, where they stand there."""
    unit_of = {"organic_carbon": carbon_unit_of, **dict.fromkeys(_DEPTHS, depth_unit_of)}
    above = {field: sheet.above[place] for field, place in places.items() if place < len(sheet.above)}
    return {field: text for field, text in above.items() if field in unit_of and unit_of[field](text)}


def _depths_elsewhere(item: Named, places: dict[str, int]) -> list[str]:
    """A note where no depth is read and another than the wanted one stands above the carbon or in the file's name."""
    carbon, wanted = places.get("organic_carbon"), item.reading.how.depth or "any"
    if carbon is None or {*_DEPTHS} & places.keys() or wanted in ("any", "topsoil"):
        return []
    above = item.sheet.above[carbon] if carbon < len(item.sheet.above) else ""
    said = {f"the row above {item.sheet.header[carbon]!r}": above, "the file's name": nfc(item.path.stem)}
    said["the sheet's name"] = item.sheet.part
    if limits := limits_of(item.sheet.header[carbon]):
        said[f"the column {item.sheet.header[carbon]!r}"] = f"{limits[0]:.0f}-{limits[1]:.0f} cm"
    return [
        f"no depth is read, but {where} says {text!r}, and {wanted} cm is wanted"
        for where, text in said.items()
        if (limits := limits_in(text)) and limits != wanted_limits(wanted)
    ]


def _unit(item: Named, columns: dict[str, str], in_row: str, cells: pd.Series) -> CarbonUnit:
    name, how = columns.get("organic_carbon"), item.reading.how
    if name is None:
        return GRAMS
    by_user = how.columns.organic_carbon is not None
    needed = needs_unit(name) and not by_user
    percent, by_row = first_percent(_text(cells)), "unit" in columns
    above = carbon_units(item.sheet.titles, carbon_names(name))
    said = {"needed": needed, "by_row": by_row, "percent": percent, "above": above}
    return resolve_unit(how.unit, name, in_row, item.reading.section, **said)


def _depth_units(columns: dict[str, str], in_row: dict[str, str], sheet: Sheet) -> dict[str, str]:
    """The unit that names, the row of units or a line above them state for the columns of depth."""
    above = depth_unit(sheet.titles)
    said = {
        field: depth_unit_of(in_row.get(field, "")) or unit_of_depth(columns.get(field, "")) or above
        for field in _DEPTHS
    }
    return {field: unit for field, unit in said.items() if unit}


def _without_strangers(sheet: Sheet, places: dict[str, int], item: Named) -> tuple[dict[str, int], list[str]]:
    """Leave out `top`, `von`, `unit` and the like where their cells are no depths or units."""
    mapped, notes = item.reading.how.columns.model_dump(), []
    for field in ("depth_upper", "depth_lower"):
        if field not in places or mapped.get(field) or not is_bare(sheet.header[places[field]]):
            continue
        text = _text(sheet.body.iloc[:, places[field]])
        text = text[text != ""]
        if len(text) and to_numbers(text, True).notna().mean() < 0.5:
            notes.append(
                f"the column {sheet.header[places[field]]!r} is not read as a depth: its cells are not numbers"
            )
            places = {name: place for name, place in places.items() if name != field}
    if "unit" in places and not mapped.get("unit"):
        units = _text(sheet.body.iloc[:, places["unit"]])
        if not any(carbon_unit_of(text) for text in units.unique()):  # soil units, mapping units
            places = {name: place for name, place in places.items() if name != "unit"}
    return places, notes


def _same(sheet: Sheet, one: int, other: int) -> bool:
    return bool((_text(sheet.body.iloc[:, one]) == _text(sheet.body.iloc[:, other])).all())


def _as_text(body: pd.DataFrame, places: dict[str, int], width: int) -> pd.DataFrame:
    empty = pd.Series("", body.index, dtype="str")
    columns = {name: _text(body.iloc[:, places[name]]) if name in places else empty for name in USUAL_NAMES}
    frame = pd.DataFrame(columns, index=body.index)
    surplus = body.iloc[:, width:]
    filled = surplus.notna() & (surplus != "")
    message = f"more fields than the {width} of the header"
    if len(filled) and (filled.sum(axis=1) == 1).all():
        message += ", as all rows have: R writes so without row.names = FALSE; put a name before the first one"
    frame["malformed"] = empty.mask(filled.any(axis=1), message)
    return frame.assign(row=body.index).reset_index(drop=True)


def _text(cells: pd.Series) -> pd.Series:
    return cells.astype("str").fillna("").str.strip()
