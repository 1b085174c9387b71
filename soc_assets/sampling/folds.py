"""Cross-validation folds over training and validation samples; test samples have none.

Two schemes: `location` keeps samples of one location together, `block` keeps square blocks of reference pixels together
so that a fold is predicted from farther away (Roberts et al., "Cross-validation strategies for data with temporal,
spatial, hierarchical, or phylogenetic structure", Ecography 2017). Training on folds is the regression stage's.
"""

import warnings

import numpy as np
import pandas as pd

from soc_assets.errors import SocWarning
from soc_assets.ingest.grid import Grid
from soc_assets.settings import Sampling


def cut_folds(samples: pd.DataFrame, sampling: Sampling, grid: Grid) -> pd.DataFrame:
    """Cut the folds of every scheme.

    Args:
        samples: columns sample_id, location_id, split, longitude, latitude (WGS84 degrees).
        sampling: n_folds, block_size (reference pixels) and seed.
        grid: the reference grid.

    Returns:
        Columns scheme, sample_id, fold (int32, from 0), sorted by scheme and sample_id. A scheme with fewer groups than
        folds has as many folds as groups; one with a single group is left out with a SocWarning.
    """
    part = samples.loc[samples["split"] != "test"].sort_values("sample_id")
    groups = {"block": blocks(part, sampling.block_size, grid), "location": part["location_id"].to_numpy()}
    tables = []
    for scheme, group in groups.items():
        unique = len(np.unique(group.astype(str)))
        if unique < 2:
            warnings.warn(
                f"The cross-validation scheme {scheme!r} is left out: training and validation samples form {unique} "
                f"group(s). Smaller blocks (sampling.block_size = {sampling.block_size}) or more samples allow it.",
                SocWarning,
                stacklevel=2,
            )
            continue
        fold = grouped_folds(group, min(sampling.n_folds, unique), sampling.seed)
        tables.append(pd.DataFrame({"scheme": scheme, "sample_id": part["sample_id"].to_numpy(), "fold": fold}))
    empty = pd.DataFrame({"scheme": [], "sample_id": [], "fold": []})
    return pd.concat(tables or [empty], ignore_index=True).astype(
        {"scheme": "str", "sample_id": "str", "fold": "int32"}
    )


def blocks(samples: pd.DataFrame, size: int, grid: Grid) -> np.ndarray:
    """The spatial block [n] of each sample, as text "row,column" of blocks of size x size reference pixels.

    A location that straddles the edge of two blocks belongs to one of them as a whole.
    """
    rows, columns = grid.pixels(samples["longitude"].to_numpy(), samples["latitude"].to_numpy())
    pixels = pd.DataFrame({"row": rows // size, "column": columns // size})
    first = pixels.groupby(samples["location_id"].to_numpy()).transform("min")
    return (first["row"].astype("string") + "," + first["column"].astype("string")).to_numpy(dtype=object)


def grouped_folds(groups: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """Folds [n] (int32) of nearly equal size that keep groups together, whatever the order of rows.

    The largest group goes first into the fold with the fewest samples; the seed decides among groups of equal size.
    """
    unique, inverse = np.unique(groups.astype(str), return_inverse=True)
    sizes = np.bincount(inverse)
    order = np.random.default_rng(seed).permutation(len(unique))
    order = order[np.argsort(-sizes[order], kind="stable")]
    fold, load = np.empty(len(unique), np.int32), np.zeros(n_folds, np.int64)
    for group in order:
        fold[group] = load.argmin()
        load[fold[group]] += sizes[group]
    return fold[inverse]
