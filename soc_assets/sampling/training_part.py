"""Which samples a fold trains on: those of the other folds, but none at the locations of the test samples.

Every fold is balanced again inside its training part; that is the regression stage's business, with `balance`.
"""

import numpy as np

from soc_assets.sampling.knndm import nearest


def training_rows(
    fold: np.ndarray,
    number: int,
    location: np.ndarray | None = None,
    places: np.ndarray | None = None,
    buffer: float = 0.0,
) -> np.ndarray:
    """Indices of the samples that fold `number` is predicted from.

    Args:
        fold: [n] fold of each sample, -1 for those that the scheme leaves out.
        number: the fold held out.
        location: [n]; samples at a location of the held-out fold are dropped. None keeps them: only `random` does,
            which is why it is optimistic.
        places: [n, 2] coordinates in metres.
        buffer: training samples nearer than this to a test sample are dropped, metres.
    """
    held_out = fold == number
    train = (fold >= 0) & ~held_out
    if location is not None:
        train &= ~np.isin(location, location[held_out])
    if buffer > 0 and places is not None and held_out.any():
        train[train] = nearest(places[train], places[held_out]) > buffer
    return np.flatnonzero(train)
