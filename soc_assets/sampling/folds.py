"""Cross-validation folds over training and validation samples; test samples have none.

Six schemes, from optimistic to hard (Roberts et al., "Cross-validation strategies for data with temporal, spatial,
hierarchical, or phylogenetic structure", Ecography 2017): `random` deals out samples, `location` keeps samples of one
location together, `block` square blocks, `knndm` matches the distances of the map (see `soc_assets.sampling.knndm`),
`leave_source_out` and `leave_year_out` hold out one laboratory or campaign each. Which samples a fold trains on is in
`soc_assets.sampling.training_part`, fitting in the regression stage.
"""

import warnings

import numpy as np
import pandas as pd

from soc_assets.errors import SocWarning
from soc_assets.geo.grid import Grid
from soc_assets.geo.projection import to_metres
from soc_assets.runtime import progress
from soc_assets.sampling.knndm import match_distances
from soc_assets.settings import FOLD_SCHEMES, Sampling
from soc_assets.settings.evaluation import Evaluation


def with_schemes(sampling: Sampling, evaluation: Evaluation) -> Sampling:
    """The settings with the schemes filled in where they leave that open: `knndm` only if the evaluation uses it."""
    if sampling.fold_schemes is not None:
        return sampling
    asked = {evaluation.primary, *evaluation.schemes}
    cut = tuple(scheme for scheme in FOLD_SCHEMES if scheme != "knndm" or scheme in asked)
    return sampling.model_copy(update={"fold_schemes": cut})


def cut_folds(
    samples: pd.DataFrame,
    sampling: Sampling,
    grid: Grid,
    area: np.ndarray | None = None,
) -> pd.DataFrame:
    """Build the folds of every scheme of the settings.

    Args:
        samples: columns sample_id, location_id, split, longitude, latitude (WGS84 degrees); source and year where the
            schemes ask for them.
        sampling: fold_schemes (None: all), n_folds, block_size (reference pixels) or block_metres, and seed.
        grid: the reference grid.
        area: [m, 2] longitude and latitude of places to predict, for `knndm`, which is left out without them.

    Returns:
        Columns scheme, sample_id, fold (int32, from 0), sorted by scheme and sample_id. A scheme with fewer groups than
        folds has as many folds as groups; `location` and `block` with a single group are left out with a SocWarning,
        the others silently. Samples without a year have no fold in `leave_year_out`.
    """
    part = samples.loc[samples["split"] != "test"].sort_values("sample_id").reset_index(drop=True)
    tables = []
    schemes = sorted(sampling.fold_schemes or FOLD_SCHEMES)
    for done, scheme in enumerate(schemes):
        with progress.step(done, len(schemes), f"folds of the scheme {scheme}"):
            fold = _folds_of(scheme, part, sampling, grid, area)
        if fold is None:
            continue
        known = fold >= 0
        table = {"scheme": scheme, "sample_id": part["sample_id"].to_numpy()[known], "fold": fold[known]}
        tables.append(pd.DataFrame(table))
    empty = pd.DataFrame({"scheme": [], "sample_id": [], "fold": []})
    return pd.concat(tables or [empty], ignore_index=True).astype(
        {"scheme": "str", "sample_id": "str", "fold": "int32"}
    )


def _folds_of(
    scheme: str,
    part: pd.DataFrame,
    sampling: Sampling,
    grid: Grid,
    area: np.ndarray | None,
) -> np.ndarray | None:
    """Folds [n] of one scheme, -1 for samples without one; None where the samples do not allow the scheme."""
    if scheme == "random":
        return np.random.default_rng(sampling.seed).permutation(len(part)) % sampling.n_folds if len(part) > 1 else None
    if scheme == "knndm":
        return _matched(part, sampling, grid, area)
    if scheme.startswith("leave_"):
        return _one_out(part, scheme.removeprefix("leave_").removesuffix("_out"))
    group = blocks(part, sampling, grid) if scheme == "block" else part["location_id"].to_numpy()
    unique = len(np.unique(group.astype(str)))
    if unique < 2:
        size = f"{sampling.block_metres:g} m" if sampling.block_metres else f"{sampling.block_size} pixels"
        warnings.warn(
            f"The cross-validation scheme {scheme!r} is left out: training and validation samples form {unique} "
            f"group(s). Smaller blocks ([sampling] block_size or block_metres, now {size}) or more samples allow it.",
            SocWarning,
            stacklevel=3,
        )
        return None
    return grouped_folds(group, min(sampling.n_folds, unique), sampling.seed)


def _matched(part: pd.DataFrame, sampling: Sampling, grid: Grid, area: np.ndarray | None) -> np.ndarray | None:
    unique, index = np.unique(part["location_id"].to_numpy().astype(str), return_inverse=True)
    if area is None or not len(area) or len(unique) < 3:
        return None
    x, y = to_metres(part["longitude"].to_numpy(), part["latitude"].to_numpy(), grid)
    points = np.column_stack([np.bincount(index, weights=v) / np.bincount(index) for v in (x, y)])
    places = np.column_stack(to_metres(area[:, 0], area[:, 1], grid))
    return match_distances(points, places, min(sampling.n_folds, len(unique) - 1), sampling.seed).fold[index]


def _one_out(part: pd.DataFrame, column: str) -> np.ndarray | None:
    """One fold per value of a column, in the values' order; None with fewer than two."""
    values = part[column] if column in part else pd.Series(dtype="object")
    fold, unique = pd.factorize(values, sort=True)
    return fold if len(unique) > 1 else None


def blocks(samples: pd.DataFrame, sampling: Sampling, grid: Grid) -> np.ndarray:
    """The spatial block [n] of each sample, as text "row,column".

    Blocks are squares of block_metres in a projected CRS, or of block_size reference pixels where that is not set (no
    squares where the grid is in degrees). A location that straddles the edge of two blocks belongs to one as a whole.
    """
    row, column = _block_numbers(samples, sampling, grid)
    numbers = pd.DataFrame({"row": row, "column": column})
    first = numbers.groupby(samples["location_id"].to_numpy()).transform("min")
    return (first["row"].astype("string") + "," + first["column"].astype("string")).to_numpy(dtype=object)


def _block_numbers(samples: pd.DataFrame, sampling: Sampling, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    longitude, latitude = samples["longitude"].to_numpy(), samples["latitude"].to_numpy()
    if sampling.block_metres is None:
        rows, columns = grid.pixels(longitude, latitude)
        return rows // sampling.block_size, columns // sampling.block_size
    x, y = to_metres(longitude, latitude, grid)
    north, east = (np.floor(v / sampling.block_metres).astype(np.int64) for v in (y, x))
    return -north, east


def grouped_folds(groups: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """Folds [n] (int32) of nearly equal size that keep groups together, whatever the order of rows.

    The largest group goes first into the fold with the fewest samples; the seed decides among groups of equal size.

    >>> grouped_folds(np.array(["a", "a", "b", "c"]), n_folds=2, seed=0).tolist()
    [0, 0, 1, 1]
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
