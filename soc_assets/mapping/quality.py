"""Which class of `quality.tif` a predicted cell has."""

import numpy as np

from soc_assets.mapping.predictions import Predictions
from soc_assets.mapping.quality_classes import INCOMPLETE, INSIDE, OUTSIDE, UNKNOWN


def quality_of(found: Predictions, most_missing: int | None) -> np.ndarray:
    """The class uint8 [n] of predicted cells: 0, 1, 3 or 5.

    A cell that lacks more images than any training sample has class 3, with a value where the model gives one.
    """
    applicable = found.applicable(most_missing)
    quality = np.where(np.isnan(applicable), UNKNOWN, np.where(applicable == 1, INSIDE, OUTSIDE)).astype(np.uint8)
    lacking = np.isnan(found.numbers[:, 0])
    if most_missing is not None:
        lacking |= found.missing > most_missing
    quality[lacking] = INCOMPLETE
    return quality
