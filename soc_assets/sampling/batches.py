"""The ledger of batches: which batch embeds which sample, forever.

The ledger is append-only: what is embedded stays where it is, new samples go into new batches. They are formed in the
order (year, Hilbert curve), so that the windows of a batch share years and pixels and a changed raster touches few
batches. The curve is Hilbert, "Über die stetige Abbildung einer Linie auf ein Flächenstück" (Mathematische Annalen 38,
1891), computed bit by bit. Reading and writing the ledger's file, and registering partitions, is the asset's business.
"""

import numpy as np
import pandas as pd

from soc_assets.geo.grid import Grid

_BITS = 24  # of the Hilbert curve: 16 million pixels along each axis


def extend_ledger(samples: pd.DataFrame, grid: Grid, ledger: pd.DataFrame | None, batch_size: int) -> pd.DataFrame:
    """Append the samples that are in no batch yet, in new batches.

    Args:
        samples: unique sample_id, longitude, latitude (WGS84 degrees), year (may be null: last).
        grid: the reference grid.
        ledger: columns sample_id, batch; its rows stay as they are, also those of samples not studied now.
        batch_size: samples per batch.

    Returns:
        The ledger's rows, then the new ones in embedding order.
    """
    columns = ["sample_id", "batch"]
    old = pd.DataFrame(columns=columns, dtype="str") if ledger is None else ledger.loc[:, columns]
    new = samples.loc[~samples["sample_id"].isin(old["sample_id"].to_list())]
    rows, cols = grid.pixels(new["longitude"].to_numpy(), new["latitude"].to_numpy())
    new = new.assign(curve=hilbert_index(rows, cols)).sort_values(["year", "curve", "sample_id"])
    numbers = last_number(old.loc[:, "batch"]) + 1 + np.arange(len(new)) // batch_size
    added = pd.DataFrame({"sample_id": new["sample_id"].to_numpy(), "batch": np.char.mod("batch_%04d", numbers)})
    extended = pd.concat([old, added], ignore_index=True)
    return extended.astype("str")


def last_number(batches: pd.Series) -> int:
    """The highest number among keys like batch_0012; 0 where there is none."""
    return int(batches.str.removeprefix("batch_").astype("int64").max()) if len(batches) else 0


def hilbert_index(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Position [n] (int64) along a Hilbert curve of pixels [n]; pixels outside the curve are taken to its edge."""
    x = np.clip(np.asarray(columns, np.int64), 0, 2**_BITS - 1)
    y = np.clip(np.asarray(rows, np.int64), 0, 2**_BITS - 1)
    index = np.zeros(len(x), np.int64)
    for bit in reversed(range(_BITS)):
        side = np.int64(1) << bit
        right, lower = (x & side) > 0, (y & side) > 0
        index += side * side * ((3 * right) ^ lower)
        flip = right & ~lower
        x, y = np.where(flip, 2**_BITS - 1 - x, x), np.where(flip, 2**_BITS - 1 - y, y)
        x, y = np.where(lower, x, y), np.where(lower, y, x)
    return index
