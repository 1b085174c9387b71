"""Judging the rows of soil tables: which are samples, and why the others are not.

Rows unusable in themselves are rejected here, one reason each; the study's filters (years, largest organic carbon,
region) belong to the sampling stage.
"""

import hashlib
from collections.abc import Mapping

import numpy as np
import pandas as pd

from soc_assets.ingest.grid import Grid
from soc_assets.ingest.soil_values import below_detection, is_missing, to_dates, to_numbers, to_seasons
from soc_assets.settings import Soil

SAMPLE_COLUMNS = (
    *("sample_id", "longitude", "latitude", "organic_carbon", "survey_date"),
    *("year", "season", "season_year", "source", "file", "row"),
)
"""Columns of the samples; `organic_carbon` in g/kg, coordinates in WGS84 degrees."""

REJECTED_COLUMNS = ("file", "row", "source", "reason", "detail")
"""Columns of the rejected rows; `detail` is the offending value as the file has it."""

COORDINATE_DIGITS = 5
"""Coordinates that agree to this many decimal places (about a metre) are the same."""

_Columns = Mapping[str, pd.Series]
_Fault = tuple[str, pd.Series, pd.Series]  # reason, rows that have it, the offending values


def clean_samples(
    rows: pd.DataFrame, soil: Soil, *, timed: bool, seasonal: bool, grid: Grid
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part rows [n] into samples and rejected rows; every row is in exactly one of the two.

    Of duplicates (same coordinates, date and organic carbon) the first by source, own id, coordinates as written, file
    and row is kept.

    Args:
        rows: `soil_tables.Table.frame` of all tables, with `file`.
        soil: what to do below the detection limit.
        timed: whether a band has time, so that a row needs a date or a year.
        seasonal: whether a band is seasonal, so that a row needs a date, not only a year.
        grid: the reference grid, on which a row must lie.

    Returns:
        Samples (`SAMPLE_COLUMNS`) by sample_id, and rejected rows (`REJECTED_COLUMNS`) by file and row.
    """
    order = ["source", "id", "longitude", "latitude", "file", "row"]
    text = _columns(rows.sort_values(order, kind="stable", ignore_index=True))
    values = _values(text, soil)
    faults = [
        ("fields do not match the header", text["malformed"] != "", text["malformed"]),
        *_faults_of_place(text, values, grid),
        *_faults_of_carbon(text, values),
        _no_date(text, values, timed=timed, seasonal=seasonal),
        ("depth not topsoil", ~_from_the_surface(text["depth"]), text["depth"]),
    ]
    verdict = _first_fault(faults, text)
    verdict = _first_fault([_duplicate(text, values, verdict["reason"] == "")], text, verdict)
    usable = verdict["reason"] == ""
    samples = pd.DataFrame(values).loc[usable].sort_values("sample_id", ignore_index=True)
    rejected = pd.DataFrame(verdict).loc[~usable].sort_values(["file", "row"], ignore_index=True)
    return samples, rejected


def _columns(frame: pd.DataFrame) -> dict[str, pd.Series]:
    return {str(name): column for name, column in frame.items()}


def _values(text: _Columns, soil: Soil) -> dict[str, pd.Series]:
    """What the rows say, as numbers and dates: `SAMPLE_COLUMNS`."""
    commas = text["decimal_comma"]
    carbon = to_numbers(text["organic_carbon"], commas)
    if soil.below_detection == "half_limit":
        _, limit = below_detection(text["organic_carbon"], commas)
        carbon = carbon.fillna(limit.where(limit > 0) / 2)
    dates, year = to_dates(text["survey_date"])
    season, season_year = to_seasons(dates)
    values = {
        "longitude": to_numbers(text["longitude"], commas),
        "latitude": to_numbers(text["latitude"], commas),
        "organic_carbon": carbon,
        "survey_date": dates,
        "year": year.fillna(to_dates(text["year"])[1]),
        "season": season,
        "season_year": season_year,
        **{name: text[name] for name in ("source", "file", "row")},
    }
    values["sample_id"] = _sample_ids(text, values)
    return {name: values[name] for name in SAMPLE_COLUMNS}


def _sample_ids(text: _Columns, values: _Columns) -> pd.Series:
    """Identity [n] by source, own id, rounded place and date, never by organic carbon: a corrected value keeps its id.

    Repeated measurements of one place and day are told apart by their order, counted before anything is rejected.
    """
    date = values["survey_date"].dt.strftime("%Y-%m-%d").astype("str").fillna(values["year"].astype("str")).fillna("")
    parts = [
        text["id"].str.replace(r"^(\d+)\.0$", r"\1", regex=True),  # a workbook's 123.0 is a text file's 123
        *(_units(values[name]).astype("str").fillna("") for name in ("longitude", "latitude")),
        date,
    ]
    keys = text["source"].str.cat(parts, sep="\x1f")
    keys = keys.str.cat(keys.groupby(keys).cumcount().astype("str"), sep="\x1f")
    digests = ["s" + hashlib.sha256(key.encode()).hexdigest()[:12] for key in keys]
    return pd.Series(digests, keys.index, dtype="str")


def _units(degrees: pd.Series) -> pd.Series:
    """Degrees [n] in whole units of `COORDINATE_DIGITS` (Int64), null where there is no number of degrees."""
    return (degrees.where(degrees.abs() <= 360) * 10**COORDINATE_DIGITS).round().astype("Int64")


def _faults_of_place(text: _Columns, values: _Columns, grid: Grid) -> list[_Fault]:
    longitude, latitude = values["longitude"], values["latitude"]
    written = text["longitude"].str.cat(text["latitude"], sep=", ")
    absent = longitude.isna() | latitude.isna() | ((longitude == 0) & (latitude == 0))
    beyond = (longitude.abs() > 180) | (latitude.abs() > 90)
    placed = ~(absent | beyond)
    off_grid = pd.Series(False, longitude.index)
    off_grid[placed] = ~grid.contains(*grid.pixels(longitude[placed], latitude[placed]))
    return [
        ("no coordinates", absent, written),
        ("coordinates outside the world", beyond, written),
        ("outside the rasters", off_grid, longitude.astype("str").str.cat(latitude.astype("str"), sep=", ")),
    ]


def _faults_of_carbon(text: _Columns, values: _Columns) -> list[_Fault]:
    written, carbon = text["organic_carbon"], values["organic_carbon"]
    below, _ = below_detection(written, text["decimal_comma"])
    return [
        ("organic carbon missing", is_missing(written), written),
        ("below detection limit", below & carbon.isna(), written),
        ("organic carbon not a number", carbon.isna() | carbon.abs().eq(np.inf), written),
        ("organic carbon negative", carbon < 0, written),
    ]


def _no_date(text: _Columns, values: _Columns, *, timed: bool, seasonal: bool) -> _Fault:
    needed = values["season_year" if seasonal else "year"]
    written = text["survey_date"].mask(text["survey_date"] == "", text["year"])
    return "no date", needed.isna() & timed, written


def _from_the_surface(depth: pd.Series) -> pd.Series:
    """Whether a depth such as `0-20 cm` starts at the surface; a row without depth is taken to."""
    return is_missing(depth) | depth.str.fullmatch(r"0+(?:[.,]0+)?(?![\d.,]).*").astype(bool)


def _duplicate(text: _Columns, values: _Columns, usable: pd.Series) -> _Fault:
    """Usable rows that repeat the place, date and organic carbon of one before them; the detail names that one."""
    place = [_units(values[name])[usable] for name in ("longitude", "latitude")]
    keys = [*place, *(values[name][usable] for name in ("survey_date", "year", "organic_carbon"))]
    index = usable.index.to_series()
    first = index.loc[usable].groupby(keys, dropna=False).transform("first").reindex(index).fillna(index)
    name = text["file"].str.cat(text["row"].astype("str"), sep=" row ")
    return "duplicate", first.ne(index), "the same as " + first.map(name)


def _first_fault(
    faults: list[_Fault], text: _Columns, verdict: Mapping[str, pd.Series] | None = None
) -> dict[str, pd.Series]:
    """`REJECTED_COLUMNS` with the first fault that holds of each row (after those of `verdict`); reason "" if none."""
    empty = pd.Series("", text["file"].index, dtype="str")
    reason, detail = (verdict["reason"], verdict["detail"]) if verdict else (empty, empty)
    for name, holds, written in faults:
        new = holds.astype(bool) & (reason == "")
        reason, detail = reason.mask(new, name), detail.mask(new, written)
    return {**{name: text[name] for name in ("file", "row", "source")}, "reason": reason, "detail": detail}
