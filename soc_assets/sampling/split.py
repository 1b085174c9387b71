"""The split into training, validation and test, by location and made once.

The seed and the set of locations decide, never the order of rows. Locations that were split before keep their split;
only new ones are drawn. Cross-validation folds are in `soc_assets.sampling.folds`.
"""

import warnings

import numpy as np
import pandas as pd

from soc_assets.errors import SamplingError, SocWarning
from soc_assets.integrity.schemas import SPLITS
from soc_assets.settings import Sampling

LEAST_LOCATIONS = 3


def split_by_location(
    locations: np.ndarray,
    sampling: Sampling,
    previous: pd.DataFrame | None = None,
    places: np.ndarray | None = None,
) -> np.ndarray:
    """Give every sample the split of its location.

    Args:
        locations: [n] location_id of each sample.
        sampling: seed, test_fraction and validation_fraction (shares of locations, exact but for rounding).
        previous: columns location_id (of places) and split of an earlier split with the same settings; it is kept.
        places: [n] the place of each sample, by which an earlier split knows it; the locations where left out.

    Returns:
        [n] strings train, validation or test. Every split with a positive share has at least one location. A location
        of places that an earlier split had separated is test if one of them was, else validation: nothing held out ever
        becomes training. A SocWarning says how many there are.

    Raises:
        SamplingError: fewer than three locations, or an earlier split leaves a split without a location.
    """
    unique, inverse = np.unique(np.asarray(locations, dtype=str), return_inverse=True)
    if len(unique) < LEAST_LOCATIONS:
        raise SamplingError(
            f"The samples kept stand at {len(unique)} location(s); training, validation and test need at least "
            f"{LEAST_LOCATIONS}. Add samples from other places or widen the filters of [study]."
        )
    split = _known_splits(inverse, locations if places is None else places, previous)
    new = np.flatnonzero(split == "")
    wanted = _location_counts(len(unique), sampling)
    missing = [max(0, count - int((split == name).sum())) for name, count in zip(SPLITS, wanted, strict=True)]
    drawn = np.repeat(SPLITS, _shares(len(new), missing))
    split[np.random.default_rng(sampling.seed).permutation(new)] = drawn
    _refuse_empty(split, wanted)
    return split[inverse].astype(object)


def _known_splits(location: np.ndarray, places: np.ndarray, previous: pd.DataFrame | None) -> np.ndarray:
    """The earlier split of each location, "" for new ones; `location` [n] numbers those of the samples."""
    splits = np.full(location.max() + 1, "", dtype="<U10")
    if previous is None:
        return splits
    known = previous.drop_duplicates("location_id").set_index("location_id")["split"]
    rank = known.map({name: number for number, name in enumerate(SPLITS)})  # the more held out, the higher
    found = rank.reindex(np.asarray(places).astype(str)).to_numpy(float)
    seen = ~np.isnan(found)
    high, low = np.full(len(splits), -1.0), np.full(len(splits), np.inf)
    np.maximum.at(high, location[seen], found[seen])
    np.minimum.at(low, location[seen], found[seen])
    splits[high >= 0] = np.array(SPLITS)[high[high >= 0].astype(int)]
    _tell_of_parted(int((high > low).sum()), int((high >= 0).sum()))
    return splits


def _tell_of_parted(parted: int, known: int) -> None:
    if parted:
        warnings.warn(
            f"{parted} of {known} locations are places that splits.parquet has in several splits (they count as one "
            "since [study] links visits by id or distance). They are test if one of their places was, else validation: "
            "nothing that was held out is trained on. Another seed in [sampling] of soc.toml draws a new split with "
            "the shares set there.",
            SocWarning,
            stacklevel=4,
        )


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
                "Another seed in [sampling] of soc.toml draws a new split; or widen the filters."
            )
