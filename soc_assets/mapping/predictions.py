"""What a model says of rows of features: numbers that are sound, or none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

NUMBERS = ("predicted", "lower", "upper", "dissimilarity", "applicable")


@dataclass(frozen=True)
class Predictions:
    """What a model says of n rows.

    Attributes:
        numbers: [n, 5] float64, the columns `NUMBERS`, not rounded; NaN where there is none. More columns follow where
            the model gives them (`ensemble`).
        missing: [n] images that are missing.
        images: of a row.
    """

    numbers: np.ndarray
    missing: np.ndarray
    images: int

    def applicable(self, most_missing: int | None) -> np.ndarray:
        """1 where the model is applicable [n], 0 where it is not, NaN where that is unknown.

        Args:
            most_missing: images that a training sample lacks at most; None where that was not recorded.
        """
        stated = self.numbers[:, 4]
        if most_missing is None:
            return np.where((self.missing > 0) & (stated == 1), np.nan, stated)
        return np.where(self.missing > most_missing, 0.0, stated)


def predict_features(model: Any, features: np.ndarray, missing: np.ndarray, images: int) -> Predictions:
    """Predictions of raw features [n, d] of which [n] images are missing; none where all are, or a number is absurd."""
    asked = np.flatnonzero((missing < images) & ~np.isinf(features).any(axis=1))
    found = _answers(model, features[asked])
    numbers = np.full((len(features), max(len(NUMBERS), found.shape[1])), np.nan)
    numbers[asked, : found.shape[1]] = found
    return Predictions(sound(numbers), missing, images)


def joined(parts: Sequence[Predictions]) -> Predictions:
    """Predictions of several parts as those of all their rows."""
    first = parts[0]
    if len(parts) == 1:
        return first
    numbers, missing = np.concatenate([p.numbers for p in parts]), np.concatenate([p.missing for p in parts])
    return Predictions(numbers, missing, first.images)


def sound(numbers: np.ndarray) -> np.ndarray:
    """Predictions [n, 5] whose interval begins at 0 or above, and none where organic carbon is not a number."""
    numbers[:, 1:3] = numbers[:, 1:3].clip(min=0)  # earlier graphs did not
    numbers[~np.isfinite(numbers[:, 0])] = np.nan
    return numbers


def _answers(model: Any, features: np.ndarray) -> np.ndarray:
    """Predictions [n, columns] of rows of features; NaN where the graph refuses the row (see `served`)."""
    if not len(features):
        return np.empty((0, 0))
    try:
        return np.asarray(model.predict(features), float)
    except RuntimeError as error:
        if "Refused: " not in str(error):
            raise
    if len(features) == 1:
        return np.full((1, 1), np.nan)
    half = len(features) // 2
    parts = [_answers(model, part) for part in (features[:half], features[half:])]
    width = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(p, ((0, 0), (0, width - p.shape[1])), constant_values=np.nan) for p in parts])
