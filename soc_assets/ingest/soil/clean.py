"""Validating the rows of soil tables: which are samples, and why the others are not.

Rows unusable in themselves are rejected here, one reason each; the study's filters (years, largest organic carbon,
region) belong to the sampling stage.
"""

import hashlib

import numpy as np
import pandas as pd

from soc_assets.geo.grid import Grid
from soc_assets.geo.places import near_pairs, on_sphere, places, plain_id, smallest_linked
from soc_assets.ingest.soil.extra import PREFIX, typed
from soc_assets.ingest.soil.horizons import JOINED, TOO_LITTLE, join_profiles
from soc_assets.ingest.soil.odd_rows import SECOND_TABLE, SUMMARY
from soc_assets.ingest.soil.places import COORDINATE_DIGITS as COORDINATE_DIGITS
from soc_assets.ingest.soil.places import suggest_crs
from soc_assets.ingest.soil.values import is_missing
from soc_assets.integrity.schemas.samples import REJECTED, SOIL_SAMPLES
from soc_assets.settings import VISIT_METRES, Soil

SAMPLE_COLUMNS = SOIL_SAMPLES.names
"""Columns of the samples. Further columns of the tables come after them (`ingest.soil.extra`)."""
REJECTED_COLUMNS = REJECTED.names

_CARBON_DIGITS = 6  # decimal places of g/kg to which duplicates agree: 1.72 % and 17.2 g/kg are the same
_DAY = r"\d{4}-\d\d-\d\d 00:00:00"
_OF_CARBON = "a spreadsheet makes one of 1.5 (the first of May); take the number from the original table"
_OF_A_DEPTH = "a spreadsheet makes one of 10-20 (20 October); take the depth from the original table"
_METRES = 3.0  # cm: a table whose horizons all end above is one in metres
_NEAR = 0.001  # degrees: a row of another format of the same table may be written this coarsely
_LOOKED_AT = 200  # rows of a file from which its CRS is guessed

_Fault = tuple[str, pd.Series, pd.Series]  # reason, rows that have it, the offending values


def clean_samples(
    rows: pd.DataFrame, soil: Soil, *, timed: bool, seasonal: bool, grid: Grid
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Divide rows [n] into samples and rejected rows; every row is in exactly one of the two.

    Duplicates are recognised in two ways. A table in several formats (files of one name, or a table and the layer that
    it has its coordinates from): of rows with the same id, year (where both have one) and place (to 0.001 degrees) that
    in the format that stands first in `ingest.soil.files.READ` is judged, usable or not; the others are its duplicates.
    Everything else: of usable rows with the same coordinates, date and organic carbon the first by source, own id and
    place is kept; of rows of several files, coordinates at most `VISIT_METRES` apart are the same where own ids are.

    Args:
        rows: `ingest.soil.rows.rows_of` all tables.
        soil: says what becomes of profiles that are given by horizons.
        timed: whether a band has time, so that a row needs a date or a year.
        seasonal: whether a band is seasonal, so that a row needs a date, not only a year.
        grid: the reference grid, on which a row must lie.

    Returns:
        Samples (`SAMPLE_COLUMNS`) by sample_id, and rejected rows (`REJECTED_COLUMNS`) by file and row.
    """
    keys = _identity(rows)
    order = pd.DataFrame({"key": keys, "rank": rows["rank"], "file": rows["file"], "row": rows["row"]})
    positions = order.sort_values(["key", "rank", "file", "row"], kind="stable").index
    rows, keys = rows.loc[positions].reset_index(drop=True), keys.loc[positions].reset_index(drop=True)
    rows["sample_id"], rows["own_id"] = _sample_ids(keys), rows["id"]
    faults = [
        *((reason, rows["odd"] == reason, rows["odd_detail"]) for reason in (SUMMARY, SECOND_TABLE)),
        ("fields do not match the header", rows["malformed"] != "", rows["malformed"]),
        _in_another_format(rows),
        *_faults_of_place(rows, grid),
        *_faults_of_carbon(rows),
        ("no date", rows["season_year" if seasonal else "year"].isna() & timed, rows["date_text"]),
    ]
    verdict = _first_fault(faults, rows)
    joined = join_profiles(rows, verdict["reason"] == "", soil)
    rows["organic_carbon"], rows["horizons"] = joined["carbon"], joined["horizons"]
    faults = [
        *((reason, joined["reason"] == reason, joined["detail"]) for reason in (TOO_LITTLE, JOINED)),
        ("depth not understood", rows["strange_depth"], _with_dates_told(rows["depth_text"], _OF_A_DEPTH)),
        ("depth not topsoil", ~rows["fits_depth"] & ~joined["taken"], _depths_told(rows)),
    ]
    verdict = _first_fault(faults, rows, verdict)
    verdict = _first_fault([_duplicate(rows, verdict["reason"] == "")], rows, verdict)
    verdict = _first_fault([_in_two_files(rows, verdict["reason"] == "")], rows, verdict)
    usable = verdict["reason"] == ""
    extra = [name for name in rows if str(name).startswith(PREFIX)]
    samples = rows.loc[usable, [*SAMPLE_COLUMNS, *extra]].sort_values("sample_id", ignore_index=True)
    samples = typed(samples.rename(columns={name: str(name).removeprefix(PREFIX) for name in extra}))
    rejected = verdict.loc[~usable].sort_values(["file", "row"], ignore_index=True)
    return samples, rejected


def _identity(rows: pd.DataFrame) -> pd.Series:
    """What makes a sample itself [n]: source, own id, place as written (rounded) and date.

    Never organic carbon: a corrected value keeps its sample_id. Never longitude and latitude: a better transformation
    keeps it, too.
    """
    date = rows["survey_date"].dt.strftime("%Y-%m-%d").astype("str").fillna(rows["year"].astype("str")).fillna("")
    return rows["source"].str.cat(
        pd.DataFrame({"id": rows["id"], "place": rows["place_key"], "date": date}), sep="\x1f"
    )


def _sample_ids(keys: pd.Series) -> pd.Series:
    """Ids [n] of identities [n]; measurements of one identity are numbered in their order, before any is rejected."""
    keys = keys.str.cat(keys.groupby(keys).cumcount().astype("str"), sep="\x1f")
    digests = ["s" + hashlib.sha256(key.encode()).hexdigest()[:12] for key in keys]
    return pd.Series(digests, keys.index, dtype="str")


def _in_another_format(rows: pd.DataFrame) -> _Fault:
    """Rows that another file of the same table has in a format that goes before; the detail names that row."""
    several = rows.groupby("group")["rank"].transform("nunique") > 1
    chosen = rows.loc[(rows["id"] != "") & several].sort_values("rank", kind="stable")
    same_year, any_year = _first_of(chosen, ["group", "id", "year"]), _first_of(chosen, ["group", "id"])
    index = rows.index.to_series()
    first = same_year.where(chosen["year"].notna(), any_year).reindex(index).fillna(index).astype("int64")
    lower = rows["rank"].loc[first].to_numpy() < rows["rank"]
    apart = [(rows[axis] - rows[axis].loc[first].to_numpy()).abs() > _NEAR for axis in ("longitude", "latitude")]
    return "duplicate", lower & ~apart[0] & ~apart[1], "the same as " + first.map(_names(rows))


def _first_of(rows: pd.DataFrame, keys: list[str]) -> pd.Series:
    """Index of the first row that agrees with each row [n] in `keys`."""
    return rows.index.to_series().groupby([rows[name] for name in keys], dropna=False).transform("first")


def _faults_of_place(rows: pd.DataFrame, grid: Grid) -> list[_Fault]:
    x, y, longitude, latitude = (rows[name] for name in ("x", "y", "longitude", "latitude"))
    absent = x.isna() | y.isna() | ((x == 0) & (y == 0))
    beyond = rows["beyond"] & ~absent
    placed = ~(absent | beyond)
    off_grid = pd.Series(False, rows.index)
    off_grid[placed] = ~grid.contains(*grid.pixels(longitude[placed], latitude[placed]))
    advice = {
        name: suggest_crs(part["x"].head(_LOOKED_AT), part["y"].head(_LOOKED_AT), grid)
        for name, part in rows[beyond].groupby("file")
    }
    cured = rows["place_text"] + ": " + rows["file"].map(advice).astype("str")
    return [
        ("no coordinates", absent, rows["place_text"]),
        ("coordinates of another zone", rows["zone_text"] != "", rows["place_text"] + rows["zone_text"]),
        ("coordinates outside the world", beyond & rows["in_degrees"], cured),
        ("coordinates outside the CRS", beyond, cured),
        ("outside the rasters", off_grid, longitude.astype("str").str.cat(latitude.astype("str"), sep=", ")),
    ]


def _faults_of_carbon(rows: pd.DataFrame) -> list[_Fault]:
    written, carbon = rows["carbon_text"], rows["organic_carbon"]
    return [
        ("organic carbon missing", is_missing(written), written),
        ("unit not understood", ~rows["unit_known"], rows["unit_text"]),
        ("below detection limit", rows["below"] & carbon.isna(), written),
        ("organic carbon not a number", carbon.isna() | carbon.abs().eq(np.inf), _with_dates_told(written, _OF_CARBON)),
        ("organic carbon negative", carbon < 0, written),
    ]


def _depths_told(rows: pd.DataFrame) -> pd.Series:
    """The depths as the file has them [n], with the fix where all of a file's seem to be in metres."""
    deepest = rows["bottom"].groupby(rows["file"]).transform("max")
    metres = (deepest <= _METRES) & (rows["bottom"] % 1 > 0)
    hint = " cm: in m? Then write the unit behind the names of the columns, as in 'bottom (m)'"
    return rows["depth_text"].mask(metres, rows["depth_text"] + hint)


def _with_dates_told(text: pd.Series, instead: str) -> pd.Series:
    """Texts [n] as the file has them; of dates also what a spreadsheet has probably made them of."""
    return text.mask(text.str.fullmatch(_DAY).astype(bool), text.str[:10] + f", a date: {instead}")


def _duplicate(rows: pd.DataFrame, usable: pd.Series) -> _Fault:
    """Usable rows that repeat the place, date and organic carbon of one before them; the detail names that one."""
    points = (rows.loc[usable, name].to_numpy(float) for name in ("longitude", "latitude"))
    keys = [places(*points), *(rows[name][usable] for name in ("survey_date", "year"))]
    keys.append(rows["organic_carbon"][usable].round(_CARBON_DIGITS))
    index = rows.index.to_series()
    first = index.loc[usable].groupby(keys, dropna=False).transform("first").reindex(index).fillna(index)
    return "duplicate", first.ne(index), "the same as " + first.map(_names(rows))


def _in_two_files(rows: pd.DataFrame, usable: pd.Series) -> _Fault:
    """Usable rows that repeat one of another file: its own id, date (or year, where one has no more), carbon, nearby.

    So stand the nominal points of a campaign and those by GPS. The detail names the first of them.
    """
    part = rows.loc[usable]
    longitude, latitude = part["longitude"].to_numpy(float), part["latitude"].to_numpy(float)
    ids, row = plain_id(part["id"]), np.arange(len(part), dtype=np.uint64)
    pairs = near_pairs(on_sphere(longitude, latitude), VISIT_METRES, ids)
    point = pd.Series(smallest_linked(row, row[pairs[:, 0]], row[pairs[:, 1]]), part.index)
    keys = [point, pd.Series(ids, part.index), part["year"], part["organic_carbon"].round(_CARBON_DIGITS)]
    index = rows.index.to_series()
    first = (
        index.loc[usable].groupby(keys, dropna=False).transform("first").reindex(index).fillna(index).astype("int64")
    )
    date, of_first = rows["survey_date"], rows["survey_date"].loc[first].set_axis(rows.index)
    same_day = (date == of_first) | date.isna() | of_first.isna()
    elsewhere = rows["file"] != rows["file"].loc[first].to_numpy()
    return "duplicate", elsewhere & same_day & usable, "the same as " + first.map(_names(rows))


def _names(rows: pd.DataFrame) -> pd.Series:
    return rows["file"].str.cat(rows["row"].astype("str"), sep=" row ")


def _first_fault(faults: list[_Fault], rows: pd.DataFrame, verdict: pd.DataFrame | None = None) -> pd.DataFrame:
    """`REJECTED_COLUMNS` with the first fault that holds of each row (after those of `verdict`); reason "" if none."""
    empty = pd.Series("", rows.index, dtype="str")
    reason, detail = (empty, empty) if verdict is None else (verdict["reason"], verdict["detail"])
    for name, holds, written in faults:
        new = holds.astype(bool) & (reason == "")
        reason, detail = reason.mask(new, name), detail.mask(new, written)
    return rows[["file", "row", "source"]].assign(reason=reason, detail=detail)
