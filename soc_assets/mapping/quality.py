"""The classes of `quality.tif`: where a map may be believed, and why a cell has no value."""

import numpy as np

from soc_assets.mapping.rows import Predictions

INSIDE, OUTSIDE, BEYOND, INCOMPLETE, MASKED, UNKNOWN = range(6)
NODATA = 255
CLASSES = {
    INSIDE: "inside the area of applicability",
    OUTSIDE: "outside the area of applicability",
    BEYOND: "outside the region",
    INCOMPLETE: "too many inputs missing",
    MASKED: "masked class",
    UNKNOWN: "applicability unknown",
}
COLOURS = {
    INSIDE: (44, 123, 85, 255),
    OUTSIDE: (230, 159, 0, 255),
    BEYOND: (255, 255, 255, 0),
    INCOMPLETE: (204, 102, 119, 255),
    MASKED: (136, 136, 136, 255),
    UNKNOWN: (153, 187, 221, 255),
}


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
