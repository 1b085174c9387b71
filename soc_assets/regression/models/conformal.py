"""Prediction intervals: split-conformal calibration on held-out residuals.

A residual is divided by the scale that the model states for the sample: the spread of its members combined with the
overall spread of held-out residuals, both in the transformed target. The two bounds are calibrated separately, each to
half of the miscoverage, because residuals are skewed (Romano, Patterson and Candes, NeurIPS 2019; Lei et al., JASA
2018). The residuals must come from models that have not seen the sample: here from the inner folds of a training part.
"""

from dataclasses import dataclass

import numpy as np

from soc_assets.regression.models.learners import Predicted

LEVELS = tuple(round(0.05 * step, 2) for step in range(1, 20))  # of the calibration plot, 0.05 to 0.95


@dataclass(frozen=True)
class Calibration:
    """Half-widths of intervals in multiples of the scale sqrt(spread^2 + residual^2); transformed target.

    `below` and `above` are those of the level asked for, `curve` those of `LEVELS`, for the calibration plot.
    """

    below: float
    above: float
    residual: float
    level: float
    curve: tuple[tuple[float, float], ...] = ()

    @classmethod
    def fit(cls, observed: np.ndarray, predicted: Predicted, level: float) -> "Calibration":
        """Calibrate on held-out samples.

        Args:
            observed: [n] transformed target.
            predicted: by models that have not seen the samples.
            level: share that the intervals should cover, for example 0.9.
        """
        error = np.asarray(observed, float) - predicted.value
        residual = float(np.sqrt(np.mean(error**2)))
        relative = error / np.maximum(np.hypot(predicted.spread, residual), 1e-12)
        ends = [_ends(relative, wanted) for wanted in (level, *LEVELS)]
        return cls(*ends[0], residual, level, tuple(ends[1:]))

    def scale(self, predicted: Predicted) -> np.ndarray:
        """The scale [n] that the model states for each sample, transformed target."""
        return np.hypot(predicted.spread, self.residual)

    def interval(self, predicted: Predicted) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end [n] in the transformed target."""
        scale = self.scale(predicted)
        return predicted.value - self.below * scale, predicted.value + self.above * scale


def _ends(relative: np.ndarray, level: float) -> tuple[float, float]:
    """How far the interval reaches down and up; each end may be on the other side of the prediction."""
    side = (1 + level) / 2
    return conformal_quantile(-relative, side), conformal_quantile(relative, side)


def conformal_quantile(scores: np.ndarray, level: float) -> float:
    """The ceil((n + 1) level)-th smallest score; the largest where there are too few to promise the level.

    >>> conformal_quantile(np.array([0.1, 0.4, 0.2, 0.3]), level=0.8)  # the ceil(5 * 0.8) = 4th smallest
    0.4
    """
    n = len(scores)
    rank = min(n, int(np.ceil((n + 1) * level - 1e-9)))  # 20 * 0.55 is a little more than 11 in floats
    return float(np.partition(scores, rank - 1)[rank - 1])


def coverage(observed: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> float:
    """Share of samples inside their interval, ends included; NaN without samples."""
    return float(((observed >= lower) & (observed <= upper)).mean()) if len(observed) else float("nan")
