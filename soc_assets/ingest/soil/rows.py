"""From the text of a table to what its rows say: degrees, g/kg, dates, and whether the depth fits.

Which rows are usable is decided in `ingest.soil.clean`; the text is next to the values for the reasons given there.
"""

import pandas as pd

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.carbon_units import G_PER_KG, units_of_rows
from soc_assets.ingest.soil.date_order import Order, order_of_dates
from soc_assets.ingest.soil.depth import depth_limits, fits_depth, not_understood
from soc_assets.ingest.soil.extra import PREFIX
from soc_assets.ingest.soil.files import campaign_of
from soc_assets.ingest.soil.hemispheres import read_axis
from soc_assets.ingest.soil.join_coordinates import Table, plain_ids
from soc_assets.ingest.soil.percents import settle_percents
from soc_assets.ingest.soil.places import in_degrees, to_wgs84, units
from soc_assets.ingest.soil.thousands import clear_thousands
from soc_assets.ingest.soil.values import below_detection, is_missing, to_dates, to_numbers, to_seasons
from soc_assets.ingest.soil.zones import zones_of
from soc_assets.storage.names import nfc

_DAY_NUMBER = r"[2-5]\d{4}(?:\.\d+)?"  # 1954 to 2064, counted from the end of 1899
_INSTANT = r"\d{12,13}"
_EARLY = r"(?:^1[5-8]\d\d(?:[-./].*)?$|[-./ ]1[5-8]\d\d$)"
_DIGITS = 9  # decimal places of g/kg: 1.13 % is 11.3 g/kg, not 11.299999999999999


def rows_of(table: Table) -> pd.DataFrame:
    """What the rows of a table say.

    Returns:
        Per row [n] `file`, `row`, `source`, `malformed`, `id`; `x`, `y` (as written, in the table's CRS), `place_key`
        (both rounded, for identity), `longitude`, `latitude` (WGS84), `beyond` (outside the CRS), `in_degrees` (the CRS
        is WGS84 for want of another); `organic_carbon` (g/kg, NaN where there is none), `below` (detection),
        `unit_known`; `survey_date`, `year`, `season`, `season_year`; `top`, `bottom` (cm), `wanted` (setting of depth),
        `fits_depth`; `group`, `rank` (of formats); the text of each: `place_text`, `carbon_text`, `unit_text`,
        `date_text`, `depth_text`; and the further columns of the table, their names after `extra.PREFIX`.

    Raises:
        SoilError: the CRS or the format of dates is none, or units contradict.
    """
    table = settle_percents(table)
    text, how = table.frame, table.reading.how
    rows = pd.DataFrame({"file": table.file, "row": text["row"], "malformed": text["malformed"]}, text.index)
    rows["odd"], rows["odd_detail"] = text["odd"], text["odd_detail"]
    rows["source"] = _sources(table)
    rows["id"] = plain_ids(text["id"])
    rows["group"], rows["rank"] = table.group, table.rank
    depths = depth_limits(text["depth"], text["depth_upper"], text["depth_lower"], table.depth_units)
    rows["wanted"] = how.depth or "any"
    rows["fits_depth"] = fits_depth(depths, how.depth or "any")
    rows["strange_depth"] = not_understood(depths, how.depth or "any")
    depths = depths.rename(columns={"text": "depth_text"})
    extra = table.extra.add_prefix(PREFIX)
    return pd.concat([rows, depths, _places(table), _carbon(table), _dates(table), extra], axis=1)


def describe(table: Table) -> dict[str, object]:
    """How a table was read, for people: columns, CRS, unit, depth, years."""
    how = table.reading.how
    return {
        "file": table.file,
        "rows": len(table.frame),
        "columns": ", ".join(f"{field} = {name}" for field, name in table.columns.items()),
        "crs": _crs_name(table),
        "unit": table.unit.unit,
        "unit_from": table.unit.said_by,
        "decimal_comma": table.decimal_comma,
        "depth": how.depth,
        "below_detection": how.below_detection,
        "years": _origin_of_years(table),
        "dates": table.reading.how.date_format or f"{_order_of_dates(table)} first",
        "settings": table.reading.section,
        "header_row": table.header_row,
        "left_out": table.left_out,
        "extra": ", ".join(map(str, table.extra.columns)),
        "notes": "\n".join(table.notes),
    }


def _sources(table: Table) -> pd.Series:
    """The source of each row [n]: from the settings, the column, or the file's name."""
    how, column = table.reading.how, table.frame["source"]
    default = nfc(how.source or table.path.stem)
    if how.source and how.columns.source is None:
        return pd.Series(default, column.index, dtype="str")
    return column.mask(column == "", default)


def _places(table: Table) -> pd.DataFrame:
    where = f"{table.file} ({table.reading.section})"
    degrees = in_degrees(table.crs, where)
    east, north = (
        read_axis(table.frame, table.columns, axis, table.decimal_comma, degrees=degrees)
        for axis in ("longitude", "latitude")
    )
    x, y = east.values, north.values
    longitude, latitude, beyond = to_wgs84(x, y, table.crs, where)
    return pd.DataFrame(
        {
            **{"x": x, "y": y, "longitude": longitude, "latitude": latitude},
            **{"beyond": beyond, "in_degrees": table.crs is None},
            "place_key": units(x, y, table.crs),
            "place_text": east.text.str.cat(north.text, sep=", "),
            "zone_text": zones_of(table.frame, table.columns, table.crs, where),
        }
    )


def _carbon(table: Table) -> pd.DataFrame:
    how = table.reading.how
    text = clear_thousands(table.frame["organic_carbon"], table.frame["row"], table.unit.unit, how.decimal)
    carbon = to_numbers(text, table.decimal_comma)
    below, limit = below_detection(text, table.decimal_comma)
    if how.below_detection == "half_limit":
        carbon = carbon.fillna(limit.where(limit > 0) / 2)
    unit_text = table.frame["unit"]
    unit = units_of_rows(unit_text, table.frame["row"], table.unit, how.unit, table.reading.section)
    factor = unit.map(G_PER_KG).astype("float64")
    carbon = carbon.where(factor == 1, (carbon * factor).round(_DIGITS))
    return pd.DataFrame(
        {
            **{"organic_carbon": carbon, "below": below, "carbon_text": text},
            **{"unit_known": factor.notna(), "unit_text": unit_text},
        }
    )


def _dates(table: Table) -> pd.DataFrame:
    text, how = table.frame, table.reading.how
    try:
        dates, year = to_dates(text["survey_date"], how.date_format, _order_of_dates(table))
    except ValueError as error:
        raise SoilError(
            f"date_format = {how.date_format!r} of {table.reading.section} in soc.toml is not a format of dates "
            f"({error}). Expected for example %d.%m.%Y."
        ) from error
    season, season_year = to_seasons(dates)
    told_year = pd.Series(pd.NA, text.index, dtype="Int32")
    for order in ("day", "month"):  # of a column of years that holds dates; either gives the same year
        if (told_year.isna() & (text["year"] != "")).any():
            told_year = told_year.fillna(to_dates(text["year"], order=order)[1])
    year = year.fillna(told_year)
    given = how.year or (None if _dated(table) else campaign_of(table.path.stem, table.part))
    return pd.DataFrame(
        {
            "survey_date": dates,
            "year": year if given is None else year.fillna(given),
            "season": season,
            "season_year": season_year,
            "date_text": _told_dates(text["survey_date"], dates.notna()).mask(
                is_missing(text["survey_date"]), _told_dates(text["year"], year.notna())
            ),
            "told_year": told_year,
        }
    )


def _told_dates(text: pd.Series, known: pd.Series) -> pd.Series:
    """The dates or years as the file has them [n]; of those that say it in another way also the day, and the fix.

    Args:
        text: as the file has it.
        known: whether the text was understood.
    """
    if (known | (text == "")).all():
        return text
    days, instants = (text.where(~known & text.str.fullmatch(form).astype(bool)) for form in (_DAY_NUMBER, _INSTANT))
    start = pd.Timestamp(1899, 12, 30), pd.Timestamp(1970, 1, 1)
    dates = start[0] + pd.to_timedelta(days.astype("float64"), unit="D")
    text_of = text.mask(
        days.notna(),
        text
        + ": the number of a day in Excel ("
        + _day(dates)
        + "); give the column the format of a date, and save it",
    )
    moments = start[1] + pd.to_timedelta(instants.astype("float64"), unit="ms")
    text_of = text_of.mask(
        instants.notna(), text + ": milliseconds since 1970 (" + _day(moments) + "); write the dates as 2015-07-06"
    )
    early = ~known & text.str.contains(_EARLY, regex=True)
    return text_of.mask(early, text + ": before 1900; dates and years are read from 1900 on")


def _day(dates: pd.Series) -> pd.Series:
    return dates.dt.strftime("%Y-%m-%d").astype("str")


def _order_of_dates(table: Table) -> Order:
    """How the whole column begins its dates; of no account where `date_format` says it."""
    return "day" if table.reading.how.date_format else order_of_dates(table.frame["survey_date"], table.frame["row"])


def _dated(table: Table) -> bool:
    return bool({"survey_date", "year"} & table.columns.keys())


def _origin_of_years(table: Table) -> str:
    columns = [table.columns[field] for field in ("survey_date", "year") if field in table.columns]
    if table.reading.how.year:
        columns.append(f"{table.reading.how.year} from {table.reading.section}")
    elif not columns and (campaign := campaign_of(table.path.stem, table.part)):
        columns.append(f"{campaign} from the file's name")
    return ", else ".join(columns) or "none"


def _crs_name(table: Table) -> str:
    if table.crs is None:
        return "WGS84"
    from soc_assets.ingest.soil.places import parse_crs

    return parse_crs(table.crs, table.file).name
