"""Recognising the columns of a soil table: LUCAS, the combined file, obvious names, or what soc.toml says.

Only headers are looked at here; values are read in `soil.tables` and judged in `soil.clean`.
"""

import difflib
import re
from collections.abc import Iterable, Sequence

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.files import Reading
from soc_assets.names import nfc
from soc_assets.settings import SoilColumns

USUAL_NAMES = {
    "id": ("pointid", "point_id", "id", "sample_id", "profile_id", "site_id", "lucas_id"),
    "longitude": ("th_long", "gps_long", "longitude", "long", "lon", "lng"),
    "latitude": ("th_lat", "gps_lat", "latitude", "lat"),
    "organic_carbon": ("oc", "organic_carbon", "oc_g_kg", "organic_carbon_g_kg", "soc_g_kg"),
    "survey_date": ("survey_date", "surveydate", "surv_date", "date", "sampling_date", "sample_date"),
    "year": ("year", "survey_year", "sampling_year"),
    "source": ("source",),
    "depth": ("depth", "depth_cm"),
    "depth_upper": ("depth_upper", "upper_depth", "depth_from", "depth_top", "tiefe_von"),
    "depth_lower": ("depth_lower", "lower_depth", "depth_to", "depth_bottom", "tiefe_bis"),
    "east_west": (
        *("gps_ew", "th_ew", "ew", "e_w", "east_west", "lon_ew", "long_ew", "longitude_ew", "lon_dir", "long_dir"),
        *("lon_direction", "longitude_direction", "lon_hemisphere", "longitude_hemisphere", "long_hemisphere"),
    ),
    "north_south": (
        *("gps_ns", "th_ns", "ns", "n_s", "north_south", "lat_ns", "latitude_ns", "lat_dir", "latitude_direction"),
        *("lat_direction", "lat_hemisphere", "latitude_hemisphere"),
    ),
}
"""What each column is called, most specific first, in lower case with _ for everything but letters and digits."""

_DBF_WIDTH = 10  # characters that a shapefile keeps of a name: SURVEY_DAT

NEEDED = ("longitude", "latitude", "organic_carbon")
"""Without these columns a table is of no use; points of a layer stand for longitude and latitude."""


def find_columns(header: Sequence[str], columns: SoilColumns) -> dict[str, int]:
    """Position of each recognised column; a name mapped in the settings goes before the usual ones.

    Args:
        header: column names as the file has them.
        columns: names mapped in soc.toml.
    """
    mapped = columns.model_dump()
    found = {}
    for field, usual in USUAL_NAMES.items():
        own = mapped.get(field)
        place = _position(header, (own,)) if own else None
        place = _position(header, usual) if place is None else place
        if place is not None:
            found[field] = place
    return found


def missing_columns(header: Sequence[str], missing: Iterable[str], reading: Reading) -> SoilError:
    """The error for needed columns that are not there: tells the columns found, those expected, and the cure."""
    mapped, missing = reading.how.columns.model_dump(), list(missing)
    expected = "; ".join(f"{field} as {', '.join(_accepted(field, mapped.get(field)))}" for field in missing)
    beside = (
        " Or put the layer or table with the coordinates of its points beside it: under the same name (a .shp), or "
        "named by coordinates_from in [[soil.tables]]."
        if "longitude" in missing and "organic_carbon" not in missing
        else ""
    )
    where = reading.section if reading.own else "[soil.columns] or in an entry of [[soil.tables]]"
    return SoilError(
        f"no column for {', '.join(missing)}. Found: {', '.join(name for name in header if name) or 'none'}. "
        f"Expected (in any case): {expected}. Name the file's own columns in {where} of soc.toml.{beside}"
    )


def require_mapped_names(headers: Iterable[Sequence[str]], columns: SoilColumns, section: str) -> None:
    """Check that each mapped name stands in at least one file, so that no typing error goes unnoticed.

    Args:
        headers: of every file for which `columns` holds.
        columns: names mapped in soc.toml.
        section: the table of soc.toml in which they are.

    Raises:
        SoilError: a mapped name is in no file; gives the nearest names.
    """
    headers = list(headers)
    names = sorted({name for header in headers for name in header if name})
    for field, own in columns.model_dump().items():
        if own and all(_position(header, (own,)) is None for header in headers):
            near = difflib.get_close_matches(own, names, n=3, cutoff=0.4) or names
            raise SoilError(
                f"{section} {field} = {own!r} in soc.toml: no soil table has such a column. "
                f"Nearest: {', '.join(near)}. Correct the name, or take it out to use the usual names "
                f"({', '.join(USUAL_NAMES[field])})."
            )


def _accepted(field: str, own: str | None) -> list[str]:
    return [*([own] if own else []), *USUAL_NAMES[field]]


def _position(header: Sequence[str], names: Iterable[str]) -> int | None:
    plain = [_plain(name) for name in header]
    wanted = [form for name in names for form in (_plain(name), _plain(name[:_DBF_WIDTH]))]
    return next((plain.index(form) for form in wanted if form in plain), None)


def _plain(name: str) -> str:
    """`OC (g/kg)` becomes `oc_g_kg`."""
    return re.sub(r"[\W_]+", "_", nfc(name).strip().lower()).strip("_")
