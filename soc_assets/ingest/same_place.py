"""Which points are one place, though files write their coordinates to different digits or in different CRS.

Points are compared by number alone; what follows from two samples at one place is decided where it matters.
"""

import numpy as np

_STEPS = 100_000  # per degree: coordinates that agree to five decimal places, about a metre, are the same
_SLACK = 0.1  # steps by which a point on the border of two steps may have been moved by rounding or a CRS: 10 cm
_BITS = 26  # of a latitude's or longitude's steps


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
    """
    east, north = (np.asarray(longitude, float) + 180) * _STEPS, (np.asarray(latitude, float) + 90) * _STEPS
    own = _key(east, north)
    corners = [_key(east + right, north + up) for right in (-_SLACK, _SLACK) for up in (-_SLACK, _SLACK)]
    first = np.concatenate([own] * len(corners))
    second = np.concatenate(corners)
    linked = first != second
    return _smallest(own, first[linked], second[linked]) if linked.any() else own


def _key(east: np.ndarray, north: np.ndarray) -> np.ndarray:
    return (np.rint(north).astype(np.uint64) << np.uint64(_BITS)) | np.rint(east).astype(np.uint64)


def _smallest(own: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The smallest of the numbers `own` [n] to which each is linked by pairs, links of links included."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    numbers, positions = np.unique(np.concatenate([own, first, second]), return_inverse=True)
    mine, one, other = np.split(positions, [len(own), len(own) + len(first)])
    links = coo_array((np.ones(len(one), bool), (one, other)), shape=(len(numbers),) * 2)
    group = connected_components(links, directed=False)[1][mine]
    least = np.full(group.max() + 1, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(least, group, own)
    return least[group]
