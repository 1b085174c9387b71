"""Locations: which samples stand at the same place and so may never be in two splits.

A location is named by what defines it, without hashing: two places never share a name. Splitting is elsewhere.
"""

from typing import Literal

import numpy as np
import pandas as pd

from soc_assets.ingest.grid import Grid
from soc_assets.ingest.same_place import places

_PIXEL_ZERO = 2**31  # the grid's "far outside" becomes 0


def location_ids(samples: pd.DataFrame, by: Literal["coordinates", "pixel"], grid: Grid) -> np.ndarray:
    """The location of each sample.

    Args:
        samples: [n] rows with longitude and latitude, WGS84 degrees.
        by: `coordinates` (equal to 1e-5 degrees, see `places`) or `pixel` (the same pixel of the reference grid).
        grid: the reference grid.

    Returns:
        [n] strings: `l` and 13 hexadecimal digits (coordinates), or `p` and 16 (pixel).
    """
    longitude, latitude = samples["longitude"].to_numpy(float), samples["latitude"].to_numpy(float)
    if by == "pixel":
        rows, columns = (axis + _PIXEL_ZERO for axis in grid.pixels(longitude, latitude))
        return _named("p%016x", (rows.astype(np.uint64) << np.uint64(32)) | columns.astype(np.uint64))
    return _named("l%013x", places(longitude, latitude))


def _named(pattern: str, keys: np.ndarray) -> np.ndarray:
    return np.char.mod(pattern, keys).astype(object)
