"""The split into training, validation and test, by location and made once.

The seed and the set of locations decide, never the order of rows. Locations that were split before keep their split;
only new ones are drawn. Cross-validation folds are in `soc_assets.sampling.folds`.
"""

import numpy as np
import pandas as pd

from soc_assets.errors import SamplingError
from soc_assets.settings import Sampling

SPLITS = ("train", "validation", "test")
LEAST_LOCATIONS = 3


def split_by_location(locations: np.ndarray, sampling: Sampling, previous: pd.DataFrame | None = None) -> np.ndarray:
    """Give every sample the split of its location.

    Args:
        locations: [n] location_id of each sample.
        sampling: seed, test_fraction and validation_fraction (shares of locations, exact but for rounding).
        previous: columns location_id and split of an earlier split with the same settings; it is kept.

    Returns:
        [n] strings train, validation or test. Every split with a positive share has at least one location.

    Raises:
        SamplingError: fewer than three locations, or an earlier split leaves a split without a location.
    """
    unique, inverse = np.unique(np.asarray(locations, dtype=str), return_inverse=True)
    if len(unique) < LEAST_LOCATIONS:
        raise SamplingError(
            f"The samples kept stand at {len(unique)} location(s); training, validation and test need at least "
            f"{LEAST_LOCATIONS}. Add samples from other places or widen the filters of [study]."
        )
    split = _known_splits(unique, previous)
    new = np.flatnonzero(split == "")
    wanted = _location_counts(len(unique), sampling)
    missing = [max(0, count - int((split == name).sum())) for name, count in zip(SPLITS, wanted, strict=True)]
    drawn = np.repeat(SPLITS, _shares(len(new), missing))
    split[np.random.default_rng(sampling.seed).permutation(new)] = drawn
    _refuse_empty(split, wanted)
    return split[inverse].astype(object)


def _known_splits(unique: np.ndarray, previous: pd.DataFrame | None) -> np.ndarray:
    if previous is None:
        return np.full(len(unique), "", dtype="<U10")
    known = previous.drop_duplicates("location_id").set_index("location_id")["split"]
    return known.reindex(unique).astype("object").fillna("").to_numpy().astype("<U10")


def _location_counts(n: int, sampling: Sampling) -> tuple[int, int, int]:
    """Locations in train, validation and test; at least one where the share is positive, and one to train on."""
    held_out = [
        max(1, round(n * fraction)) if fraction > 0 else 0
        for fraction in (sampling.validation_fraction, sampling.test_fraction)
    ]
    while sum(held_out) > n - 1:
        held_out[int(np.argmax(held_out))] -= 1
    return n - sum(held_out), held_out[0], held_out[1]


def _shares(n: int, parts: list[int]) -> np.ndarray:
    """Divide n into whole numbers proportional to `parts` (largest remainders; ties go to the first)."""
    exact = n * np.asarray(parts, float) / max(1, sum(parts))
    whole = np.floor(exact).astype(int)
    rest = n - whole.sum()
    whole[np.argsort(whole - exact, kind="stable")[:rest]] += 1
    return whole


def _refuse_empty(split: np.ndarray, wanted: tuple[int, int, int]) -> None:
    for name, count in zip(SPLITS, wanted, strict=True):
        if count and not (split == name).any():
            raise SamplingError(
                f"The earlier split, which is kept, leaves no location in {name} after the filters of [study]. "
                "Delete splits.parquet in the samples folder to draw a new split, or widen the filters."
            )
