"""What a fitted recipe predicts, and what it predicted of rows that it had not seen."""

from dataclasses import dataclass

import numpy as np

from soc_assets.regression.models.learners import Predicted


@dataclass(frozen=True)
class Prediction:
    """Predictions [n]: the transformed target with its scale, and in g/kg the mean, the plain inverse, the interval.

    `quantiles` [n, 38] (g/kg) are of `conformal.PROBABILITIES`; there are none without a calibration.
    """

    transformed: np.ndarray
    scale: np.ndarray
    mean: np.ndarray
    plain: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    quantiles: np.ndarray


@dataclass(frozen=True)
class HeldOut:
    """Predictions of the inner folds' models for the rows [n] that they have not seen, in the transformed target."""

    predicted: Predicted
    observed: np.ndarray
    fold: np.ndarray | None = None

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return 4 * self.observed.nbytes

    @property
    def residuals(self) -> np.ndarray:
        """Observed - predicted [n]."""
        return self.observed - self.predicted.value
