"""Locations: which samples are at the same place and so may never be in two splits.

A sample's place is its coordinates or its pixel, named by what defines it, without hashing: two places never share a
name. A location is a place, or several that are visits to one point: linked by the samples' own ids, or by a distance
where [study] asks for one. It has the name of its first place. Splitting is elsewhere.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from soc_assets.geo.grid import WGS84, Grid, move
from soc_assets.geo.places import near_pairs, on_sphere, places, plain_id, points_of, smallest_linked
from soc_assets.settings import Study

_PIXEL_ZERO = 2**31  # the grid's "far outside" becomes 0
_LONGEST = 4  # links: a location that would reach farther is a chain, and is divided
_DEGREE = 111_195.0  # metres of a degree of latitude


@dataclass(frozen=True)
class Located:
    """Where samples [n] stand.

    Attributes:
        place: names of their coordinates or pixels.
        location: names of their locations; what is in one location is never in two splits.
        chained: how many places were linked one to the next over such a distance that they were cut into cells.
    """

    place: np.ndarray
    location: np.ndarray
    chained: int = 0


def locate(samples: pd.DataFrame, study: Study, grid: Grid) -> Located:
    """Find places and locations.

    Places are linked where samples with one own id are at most `study.id_metres` apart (whatever file or campaign
    they come from: within such a distance a link can only keep more together), and where any samples are at most
    `study.location_metres` apart; links of links count. Links that reach farther than four of them, from one end of the
    places to the other, are a chain, not a point: its places are divided by cells two links wide.

    Args:
        samples: [n] rows with longitude and latitude, WGS84 degrees, and own_id where the tables have one.
        study: location, id_metres and location_metres.
        grid: the reference grid.
    """
    longitude, latitude = samples["longitude"].to_numpy(float), samples["latitude"].to_numpy(float)
    point = places(longitude, latitude)
    place = point if study.location == "coordinates" else _pixels(longitude, latitude, grid)
    xyz = on_sphere(longitude, latitude)
    pairs = _pairs(point, xyz, plain_id(samples["own_id"]) if "own_id" in samples else None, study)
    linked = smallest_linked(place, place[pairs[:, 0]], place[pairs[:, 1]])
    location, chained = linked, 0
    if len(pairs):
        link = max(study.id_metres, study.location_metres, _width(grid) if study.location == "pixel" else 0.0)
        location, chained = _cut_chains(linked, place, xyz, _points(place, study.location, grid), link)
    pattern = "l%013x" if study.location == "coordinates" else "p%016x"
    return Located(_named(pattern, place), _named(pattern, location), chained)


def location_ids(samples: pd.DataFrame, by: Literal["coordinates", "pixel"], grid: Grid) -> np.ndarray:
    """The location of each sample with no other setting but `by`.

    Args:
        samples: as for `locate`.
        by: `coordinates` (equal to 1e-5 degrees, see `places`) or `pixel` (the same pixel of the reference grid).
        grid: the reference grid.

    Returns:
        [n] strings: `l` and 13 hexadecimal digits (coordinates), or `p` and 16 (pixel).
    """
    return locate(samples, Study(location=by), grid).location


def _pixels(longitude: np.ndarray, latitude: np.ndarray, grid: Grid) -> np.ndarray:
    """A number [n] for each pixel: its row and column, packed side by side."""
    rows, columns = (axis + _PIXEL_ZERO for axis in grid.pixels(longitude, latitude))
    return (rows.astype(np.uint64) << np.uint64(32)) | columns.astype(np.uint64)


def _points(place: np.ndarray, by: str, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude [n] of places, whatever is there: the coordinates, or the middle of the pixel."""
    if by == "coordinates":
        return points_of(place)
    row = (place >> np.uint64(32)).astype(float) - _PIXEL_ZERO + 0.5
    column = (place & np.uint64(2**32 - 1)).astype(float) - _PIXEL_ZERO + 0.5
    t = grid.transform
    return move(grid.crs, WGS84, t.a * column + t.b * row + t.c, t.d * column + t.e * row + t.f)


def _width(grid: Grid) -> float:
    """Metres from corner to corner of a pixel in the middle of the grid."""
    t, (x, y) = grid.transform, grid.transform * (grid.width / 2, grid.height / 2)
    ends = move(grid.crs, WGS84, np.array([x, x + t.a + t.b]), np.array([y, y + t.d + t.e]))
    return float(np.linalg.norm(np.subtract(*on_sphere(*ends))))


def _pairs(point: np.ndarray, xyz: np.ndarray, ids: np.ndarray | None, study: Study) -> np.ndarray:
    """Rows [k, 2] of samples that are linked; of those of one point (and id), only one is considered."""
    first = np.unique(point, return_index=True)[1]
    found = [first[near_pairs(xyz[first], study.location_metres)]]
    if ids is not None:
        of_id = pd.DataFrame({"point": point, "id": ids}).drop_duplicates().index.to_numpy()
        found.append(of_id[near_pairs(xyz[of_id], study.id_metres, ids[of_id])])
    return np.concatenate(found)


def _cut_chains(
    linked: np.ndarray, place: np.ndarray, xyz: np.ndarray, points: tuple[np.ndarray, np.ndarray], link: float
) -> tuple[np.ndarray, int]:
    """Locations [n] with those that reach too far divided into cells, and how many places were in them."""
    group = np.unique(linked, return_inverse=True)[1]
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(group.max() + 1))
    extent = np.maximum.reduceat(xyz[order], starts) - np.minimum.reduceat(xyz[order], starts)
    far = (np.linalg.norm(extent, axis=1) > _LONGEST * link)[group]
    if not far.any():
        return linked, 0
    edge = 2 * link / _DEGREE
    row = np.floor(points[1][far] / edge)
    column = np.floor(points[0][far] * np.cos(np.radians(row * edge)) / edge)
    cells = pd.DataFrame({"group": group[far], "row": row, "column": column, "place": place[far]})
    cut = linked.copy()
    cut[far] = cells.groupby(["group", "row", "column"])["place"].transform("min").to_numpy(np.uint64)
    return cut, int(cells["place"].nunique())


def _named(pattern: str, keys: np.ndarray) -> np.ndarray:
    return np.char.mod(pattern, keys).astype(object)
