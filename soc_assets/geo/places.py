"""Which points are one place, though files write their coordinates to different digits or in different CRS.

And which visits to one point its own id links, though GPS positions differ by some metres. What follows from
two samples at one place is decided where it matters.
"""

import numpy as np
import pandas as pd

_STEPS = 100_000  # per degree: coordinates that agree to five decimal places, about a metre, are the same
_SLACK = 0.1  # steps by which a point on the border of two steps may have been moved by rounding or a CRS: 10 cm
_BITS = 26  # of a latitude's or longitude's steps
_EARTH = 6_371_008.8  # mean radius, metres: distances are right to 0.6 %


def places(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """A number for each point, the same where points are one place, whatever their order.

    Points are one place if they agree to 1e-5 degrees. A point within 1e-6 degrees of the border between two such
    places makes them one: 48.635085 written with six digits and 48.6350849 from another CRS must not be two.

    Args:
        longitude: [n] degrees, finite, -180 to 180.
        latitude: [n] degrees, finite, -90 to 90.

    Returns:
        [n] uint64: latitude + 90 and longitude + 180 in steps of 1e-5 degrees, one beside the other; where several
        are one place, the smallest.

    >>> found = places(np.array([11.0, 11.000001, 11.1]), np.array([48.5, 48.5, 48.5]))
    >>> bool(found[0] == found[1]), bool(found[0] == found[2])
    (True, False)
    """
    east, north = (np.asarray(longitude, float) + 180) * _STEPS, (np.asarray(latitude, float) + 90) * _STEPS
    own = _key(east, north)
    corners = [_key(east + right, north + up) for right in (-_SLACK, _SLACK) for up in (-_SLACK, _SLACK)]
    return smallest_linked(own, np.concatenate([own] * len(corners)), np.concatenate(corners))


def points_of(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude [n], degrees, of numbers [n] that `places` gave."""
    east = keys & np.uint64((1 << _BITS) - 1)
    return east.astype(float) / _STEPS - 180, (keys >> np.uint64(_BITS)).astype(float) / _STEPS - 90


def on_sphere(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Points [n] of degrees as x, y, z [n, 3] in metres: near each other, straight lines are distances on the ground.

    No map projection is needed, so that a metre is one everywhere and on every reference grid.
    """
    east, north = np.radians(np.asarray(longitude, float)), np.radians(np.asarray(latitude, float))
    return _EARTH * np.column_stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)])


def near_pairs(points: np.ndarray, metres: float, ids: np.ndarray | None = None) -> np.ndarray:
    """Pairs [k, 2] of points [n, 3] (see `on_sphere`) at most `metres` apart.

    Args:
        points: metres.
        metres: the largest distance.
        ids: [n] the points' own ids; pairs have equal ones, and points without an id ("") are in no pair. None asks for
            no id.
    """
    from scipy.spatial import KDTree

    rows = np.arange(len(points)) if ids is None else _shared(ids)
    if metres <= 0 or len(rows) < 2:
        return np.empty((0, 2), np.int64)
    coordinates = points[rows]
    if ids is not None:  # a fourth coordinate keeps other ids away
        number = np.unique(ids[rows], return_inverse=True)[1]
        coordinates = np.column_stack([coordinates, number * (4 * metres)])
    return rows[KDTree(coordinates).query_pairs(metres, output_type="ndarray")]


def plain_id(ids: pd.Series) -> np.ndarray:
    """Own ids [n] for comparison: stripped and in lower case; "" where there is none."""
    return ids.astype("object").fillna("").astype("str").str.strip().str.casefold().to_numpy(object).astype(str)


def smallest_linked(own: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The smallest of the numbers `own` [n] to which each is linked by pairs, links of links included.

    Args:
        own: [n] numbers, uint64.
        first: [k] one end of each link; a number that is not in `own` joins those linked to it.
        second: [k] the other end.
    """
    linked = first != second
    if not linked.any():
        return own
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second = first[linked], second[linked]
    numbers, positions = np.unique(np.concatenate([own, first, second]), return_inverse=True)
    mine, one, other = np.split(positions, [len(own), len(own) + len(first)])
    links = coo_array((np.ones(len(one), bool), (one, other)), shape=(len(numbers),) * 2)
    group = connected_components(links, directed=False)[1][mine]
    least = np.full(group.max() + 1, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(least, group, own)
    return least[group]


def _key(east: np.ndarray, north: np.ndarray) -> np.ndarray:
    return (np.rint(north).astype(np.uint64) << np.uint64(_BITS)) | np.rint(east).astype(np.uint64)


def _shared(ids: np.ndarray) -> np.ndarray:
    """Rows whose id another row has, too."""
    unique, number, count = np.unique(ids, return_inverse=True, return_counts=True)
    return np.flatnonzero((count[number] > 1) & (unique[number] != ""))
