"""Images that a row of raw features lacks, inferred from its columns.

Each counts as the training mean, which looks typical: where more are missing than in training, a model is not
applicable. What `[features] missing` puts in a gap reveals it: nulls, or zeros in every column of the image. A gap that
was filled from another lag (`nearest_lag`) cannot be detected from the columns; `soc predict` counts the images
themselves.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Gaps:
    """Which columns belong together, and how many images a training row lacks at most.

    Attributes:
        image: [d] the number of each column's image (or band and lag of point values), from 0; columns of no image
            (coordinates) have the highest, which is never missing.
        columns: [images + 1] columns of each; infinity for what is not an image.
        zeros: [d] whether a zero in the column may be a gap.
        most: the most missing images of any training row.
    """

    image: np.ndarray
    columns: np.ndarray
    zeros: np.ndarray
    most: int = 0

    @classmethod
    def unknown(cls, width: int) -> "Gaps":
        """Columns [d] of which nothing is known: none is an image."""
        return cls(np.zeros(width, np.int64), np.full(1, np.inf, np.float32), np.zeros(width, bool))

    @classmethod
    def fit(cls, names: pd.DataFrame, training: Iterable[np.ndarray], zeros: Iterable[str]) -> "Gaps":
        """Learn from training rows.

        Args:
            names: of the raw columns: what, band, lag.
            training: their raw features [m, d], in parts.
            zeros: the kinds of columns (embedding, point) in which gaps are zeros, and nothing else is.
        """
        is_image = (names["what"] != "coordinates").to_numpy()
        keys = names["what"] + "/" + names["band"] + "/" + names["lag"].astype("str").fillna("")
        number, unique = pd.factorize(keys.where(is_image))
        image = np.where(is_image, number, len(unique)).astype(np.int64)
        columns = np.append(np.bincount(number[is_image], minlength=len(unique)), np.inf).astype(np.float32)
        return cls(image, columns, names["what"].isin(list(zeros)).to_numpy()).of_training(training)

    def of_training(self, training: Iterable[np.ndarray]) -> "Gaps":
        """The same, with `most` of training rows [m, d], in parts."""
        return replace(self, most=max((int(self.count(part).max(initial=0)) for part in training), default=0))

    def count(self, features: np.ndarray) -> np.ndarray:
        """Missing images [n] of raw features [n, d]."""
        empty = np.isnan(features) | ((features == 0) & self.zeros)
        found = np.zeros(len(features), np.int64)
        for number in range(len(self.columns) - 1):
            found += empty[:, self.image == number].all(axis=1)
        return found
