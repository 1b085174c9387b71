"""Zones: the polygons of a file with names and attributes, brought to a map's CRS without losing their shape."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyproj
import shapely
from pyproj.exceptions import ProjError

from soc_assets.errors import InputError, SamplingError
from soc_assets.geo.polygons import check_degrees, polygons_of, read_vector
from soc_assets.storage.names import nfc

if TYPE_CHECKING:
    import geopandas

SETTING = "--zones"
_NAMED = ("name", "zone", "district", "region", "nuts_name", "name_latn", "label", "title", "gen", "id", "code")
_LONGEST_METRES = 2000.0  # of an edge that is straight in the file's CRS, before it is cut to follow its curve
_LONGEST_DEGREES = 0.02


@dataclass(frozen=True)
class Zone:
    """A row of the file.

    Attributes:
        number: in the file, from 1.
        name: of the zone.
        attributes: the other columns, as text.
        own: its polygons in the file's CRS, valid, none overlapping another.
        crs: of the file.
        moved: the same polygons in the map's CRS.
    """

    number: int
    name: str
    attributes: dict[str, str]
    own: np.ndarray
    crs: pyproj.CRS
    moved: np.ndarray


def read_zones(path: Path, crs: Any, name_column: str | None = None) -> list[Zone]:
    """The rows of a file that have polygons.

    Args:
        path: of the file, in any CRS, with `|layer=name` for one of several layers.
        crs: the map's, as rasterio has it.
        name_column: with the names; None takes the first column that is called like one, else the only column of text;
            without one, numbers name the zones.

    Raises:
        InputError: the file cannot be read, or has no polygon, no CRS or no such column, or PROJ cannot bring it to the
            map's CRS.
    """
    try:
        frame = read_vector(path, SETTING)
    except SamplingError as error:  # of a file of regions, whose words fit
        raise InputError(str(error)) from error
    parts = [polygons_of(shape) if shape is not None else np.empty(0, object) for shape in frame.geometry]
    if not any(map(len, parts)):
        raise InputError(f"{path} holds no polygon; {SETTING} needs Polygons or MultiPolygons.")
    if frame.crs is None:
        raise InputError(
            f"{path} states no CRS, so the position of its polygons is unknown. Give it one (QGIS: Assign Projection) "
            "and save it as GeoPackage."
        )
    column = _name_column(frame, path, name_column)
    whole = [_finer(polygons_of(shapely.union_all(shapely.make_valid(part))), frame.crs) for part in parts]
    check_degrees(path, np.concatenate(whole), frame.crs)
    moved = _moved(np.concatenate(whole), frame.crs, pyproj.CRS.from_wkt(crs.to_wkt()), path)
    ends = np.cumsum([len(part) for part in whole])
    zones = []
    for number, (part, end) in enumerate(zip(whole, ends, strict=True)):
        if len(part):
            name, rest = _texts(frame.iloc[number], str(frame.geometry.name), column)
            there = moved[end - len(part) : end]
            zones.append(Zone(number + 1, name or str(number + 1), rest, part, frame.crs, there))
    return zones


def _finer(polygons: np.ndarray, crs: pyproj.CRS) -> np.ndarray:
    """Polygons with so many corners that their edges, straight in the file's CRS, can be moved by them."""
    longest = _LONGEST_DEGREES if crs.is_geographic else _LONGEST_METRES / crs.axis_info[0].unit_conversion_factor
    return np.asarray(shapely.segmentize(polygons, longest))


def _moved(polygons: np.ndarray, source: pyproj.CRS, target: pyproj.CRS, path: Path) -> np.ndarray:
    if source == target:
        return polygons
    try:
        change = pyproj.Transformer.from_crs(source, target, always_xy=True, allow_ballpark=False)
        there = shapely.transform(polygons, lambda at: np.column_stack(change.transform(at[:, 0], at[:, 1])))
    except ProjError as error:
        raise InputError(
            f"{path} is in the CRS {source.name!r}, from which PROJ has no transformation to that of the map "
            f"({error}). Save it in another, for example EPSG:4326."
        ) from error
    known = [bool(np.isfinite(shapely.get_coordinates(each)).all()) for each in there]
    nowhere = shapely.Polygon()  # beyond the edge of the map's CRS
    return np.array([each if is_known else nowhere for each, is_known in zip(there, known, strict=True)], object)


def _name_column(frame: "geopandas.GeoDataFrame", path: Path, asked: str | None) -> str | None:
    columns = [str(name) for name in frame.columns if name != frame.geometry.name]
    if asked is not None:
        found = next((name for name in columns if nfc(name) == nfc(asked)), None)
        if found is None:
            cure = (
                "Name one of them with --zone-name." if columns else "Leave --zone-name away: numbers name the zones."
            )
            raise InputError(f"{path} has no column {asked!r}; it has {', '.join(columns) or 'none'}. {cure}")
        return found
    lower = {name.lower(): name for name in reversed(columns)}
    if called := next((lower[name] for name in _NAMED if name in lower), None):
        return called
    texts = [name for name in columns if pd.api.types.infer_dtype(frame[name], skipna=True) == "string"]
    return texts[0] if len(texts) == 1 else None


def _texts(row: pd.Series, geometry: str, column: str | None) -> tuple[str, dict[str, str]]:
    """The name of a zone, and its other attributes."""
    attributes = {nfc(str(key)): _text(value) for key, value in row.items() if key != geometry and not pd.isna(value)}
    return attributes.get(nfc(column), "") if column else "", attributes


def _text(value: Any) -> str:
    """Whole numbers that a table keeps as 9.0 are 9."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else nfc(str(value))
