"""The region of each sample, by which an evaluation is scored: named polygons of a file, or quadrants.

Regions decide no fit and no fold: they only say where scores hold. The region of the study is in `region`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from soc_assets.errors import SamplingError
from soc_assets.geo.polygons import border, check_degrees, coordinates, polygons_of, read_vector, split_layer
from soc_assets.storage.names import nfc

if TYPE_CHECKING:
    import pyproj

_SETTING = "evaluation.regions"


@dataclass(frozen=True)
class Regions:
    """The region [n] of each sample, None where it lies in none, and a sentence that says how they were made."""

    names: np.ndarray
    words: str


def regions_of(samples: pd.DataFrame, path: Path | None, column: str) -> Regions:
    """The region of each sample.

    Args:
        samples: [n] rows with longitude and latitude (WGS84 degrees), x and y (metres).
        path: a file of polygons in any CRS, with `|layer=name` for one of several layers; None makes quadrants.
        column: of the file, with the name of each polygon; polygons of one name are one region.

    Returns:
        With a file, the name of the first polygon, in the order of the file, that contains the sample or has it on its
        border; None in no polygon. Without one, `north-west`, `north-east`, `south-west` or `south-east`: north of (or
        at) the median y of all samples, and east of (or at) the median x.

    Raises:
        SamplingError: the file cannot be read, or has no polygon, no such column, a polygon without a name, or no CRS.
    """
    if path is None:
        return Regions(quarters(samples["x"].to_numpy(), samples["y"].to_numpy()), _QUADRANTS)
    polygons = _named_polygons(path, column)
    number = _first_polygon(polygons, samples, path)
    names = np.full(len(samples), None, object)
    names[number >= 0] = polygons.names[number[number >= 0]]
    outside = int((number < 0).sum())
    words = (
        f"Regions are {len(set(polygons.names))} of {split_layer(path)[0].name}, named by its column {column!r}; "
        f"{outside:,} of {len(samples):,} samples lie in none of them and count in no region."
    )
    return Regions(names, words)


def quarters(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The quadrant [n] of points in metres, split at their medians; on the median is north and east."""
    north, east = (np.where(v >= np.median(v), *words) for v, words in ((y, _NORTH_SOUTH), (x, _EAST_WEST)))
    return np.char.add(np.char.add(north, "-"), east).astype(object)


_NORTH_SOUTH, _EAST_WEST = ("north", "south"), ("east", "west")
_QUADRANTS = "Regions are quadrants, split at the medians of the samples' coordinates."


@dataclass(frozen=True)
class _Polygons:
    """Names and geometries [k] in the order of the file; every geometry is valid."""

    names: np.ndarray
    shapes: np.ndarray
    crs: "pyproj.CRS"


def _named_polygons(path: Path, column: str) -> _Polygons:
    """The rows that have polygons."""
    frame = read_vector(path, _SETTING)
    parts = [polygons_of(shape) if shape is not None else np.empty(0, object) for shape in frame.geometry]
    there = np.array([len(part) > 0 for part in parts], bool)
    if not there.any():
        raise SamplingError(f"The region {path} holds no polygon; {_SETTING} needs Polygons or MultiPolygons.")
    if (crs := frame.crs) is None:
        raise SamplingError(
            f"The region {path} states no CRS, so the position of its polygons is unknown. Give it one (QGIS: Assign "
            f"Projection) and save it as GeoPackage ({_SETTING})."
        )
    columns = [str(name) for name in frame.columns if name != frame.geometry.name]
    frame, column = frame.rename(columns={name: nfc(name) for name in columns}), nfc(column)
    columns = [nfc(name) for name in columns]
    if column not in columns:
        raise SamplingError(
            f"The region {path} has no column {column!r}; it has {', '.join(columns) or 'none'}. Name the one that "
            "names each polygon in evaluation.region_column."
        )
    _refuse_nameless(frame[column], there, path)
    shapes = np.array([shapely.make_valid(shapely.multipolygons(part)) for part in parts if len(part)], object)
    check_degrees(path, shapes, crs)
    return _Polygons(frame.loc[there, column].map(_text).to_numpy(object), shapes, crs)


def _refuse_nameless(names: pd.Series, there: np.ndarray, path: Path) -> None:
    nameless = np.flatnonzero(there & (names.isna() | (names.astype(str).str.strip() == "")).to_numpy())
    if len(nameless):
        raise SamplingError(
            f"The region {path} has {len(nameless)} polygon(s) without a name in the column {names.name!r}, the first "
            f"is number {nameless[0] + 1} of the file. Name them, or name another column in evaluation.region_column."
        )


def _first_polygon(polygons: _Polygons, samples: pd.DataFrame, path: Path) -> np.ndarray:
    """The polygon [n] that each sample lies in, the first of several; -1 for none."""
    longitude, latitude = (samples[name].to_numpy(float) for name in ("longitude", "latitude"))
    x, y = coordinates(longitude, latitude, polygons.crs, path.name)
    finite = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    tree, points = shapely.STRtree(polygons.shapes), shapely.points(x[finite], y[finite])
    of_point, of_polygon = tree.query(points, predicate="dwithin", distance=border(polygons.crs))
    none = len(polygons.shapes)
    found = np.full(len(samples), none)
    np.minimum.at(found, finite[of_point], of_polygon)
    return np.where(found < none, found, -1)


def _text(value: Any) -> str:
    """A name as text; whole numbers that a table keeps as 9.0 are 9."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else nfc(str(value))
