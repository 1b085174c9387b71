"""Prediction intervals: split-conformal calibration on held-out residuals, conditional on the predicted value.

A residual is divided by the scale that the model states for the sample: the spread of its members combined with the
overall spread of held-out residuals, both in the transformed target; a Gaussian process states a deviation of its own.
How far an interval reaches is calibrated by groups of the predicted value (Mondrian conformal prediction; Vovk et al.,
"Algorithmic Learning in a Random World", 2005, section 4.5), and interpolated between their medians, so that a map has
no edges where a group ends. The two bounds are calibrated separately, because residuals are skewed (Romano, Patterson
and Candes, NeurIPS 2019; Lei et al., JASA 2018); where much organic carbon is predicted, less of the miscoverage is
above. The residuals must come from models that have not seen the sample: here from the inner folds of a training part.
Why so, and what else was tried: docs/decisions/intervals.md.
"""

from dataclasses import dataclass

import numpy as np

from soc_assets.regression.models.learners import Predicted

LEVELS = tuple(round(0.05 * step, 2) for step in range(1, 20))  # of the calibration plot, 0.05 to 0.95
GROUPS, _SMALLEST = 5, 100  # of predicted values; samples of a group
_ABOVE = ((0.5, 0.9), (0.8, 0.14))  # rank of a group among all, and its share of the miscoverage above
Reach = tuple[tuple[float, ...], tuple[float, ...]]
"""How far an interval reaches below and above the prediction, in multiples of the scale, at each knot."""


@dataclass(frozen=True)
class Calibration:
    """Half-widths of intervals in multiples of the scale sqrt(spread^2 + residual^2); transformed target.

    Attributes:
        knots: [g] predicted values, ascending; between them half-widths are interpolated.
        reach: of the level asked for.
        residual: root mean square of held-out residuals; 0 where the spread is the whole deviation already.
        level: share of samples that the interval should cover.
        curve: of `LEVELS`, with as much below as above: for scores of the whole distribution.
    """

    knots: tuple[float, ...]
    reach: Reach
    residual: float
    level: float
    curve: tuple[Reach, ...] = ()

    @classmethod
    def fit(cls, observed: np.ndarray, predicted: Predicted, level: float, whole: bool = False) -> "Calibration":
        """Calibrate on held-out samples.

        Args:
            observed: [n] transformed target.
            predicted: by models that have not seen the samples.
            level: share that the intervals should cover, for example 0.9.
            whole: whether the spread is the deviation of an observation, as that of a Gaussian process.
        """
        error = np.asarray(observed, float) - predicted.value
        residual = 0.0 if whole else float(np.sqrt(np.mean(error**2)))
        relative = error / np.maximum(np.hypot(predicted.spread, residual), 1e-12)
        groups = groups_of(predicted.value)
        knots = tuple(float(np.median(predicted.value[rows])) for rows in groups)
        scores, even = [relative[rows] for rows in groups], np.full(len(groups), 0.5)
        reach, curve = _reach(scores, level, _share_above(len(groups))), [_reach(scores, of, even) for of in LEVELS]
        return cls(knots, reach, residual, level, tuple(curve))

    def scale(self, predicted: Predicted) -> np.ndarray:
        """The scale [n] that the model states for each sample, transformed target."""
        return np.hypot(predicted.spread, self.residual)

    def interval(self, predicted: Predicted, reach: Reach | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end [n] in the transformed target; of another level where its `reach` is given."""
        scale = self.scale(predicted)
        below, above = (np.interp(predicted.value, self.knots, values) for values in reach or self.reach)
        return predicted.value - below * scale, predicted.value + above * scale

    def quantiles(self, predicted: Predicted) -> np.ndarray:
        """The ends of the intervals of all `LEVELS` as quantiles [n, 38] of each sample, ascending."""
        ends = [self.interval(predicted, reach) for reach in self.curve]
        return np.sort(np.column_stack([*(low for low, _ in reversed(ends)), *(high for _, high in ends)]), axis=1)


PROBABILITIES = tuple(round((1 - level) / 2, 4) for level in reversed(LEVELS)) + tuple(
    (1 + level) / 2 for level in LEVELS
)
"""What the quantiles of `Calibration.quantiles` are of: 0.025, 0.05, ..., 0.975 without 0.5."""


def groups_of(predicted: np.ndarray) -> list[np.ndarray]:
    """Rows of each group of neighbouring predicted values [n]: five, fewer where one would have less than 100 samples.

    >>> [len(rows) for rows in groups_of(np.arange(250.0))]
    [125, 125]
    """
    count = max(1, min(GROUPS, len(predicted) // _SMALLEST))
    edges = np.unique(np.quantile(predicted, np.arange(1, count) / count)) if count > 1 else np.empty(0)
    group = np.searchsorted(edges, predicted, side="left")
    return [np.flatnonzero(group == number) for number in np.unique(group)]


def _share_above(groups: int) -> np.ndarray:
    """The share of the miscoverage that lies above the interval, for each group from the lowest predictions on."""
    return np.interp((np.arange(groups) + 0.5) / groups, *_ABOVE) if groups > 1 else np.full(1, 0.5)


def _reach(relative: list[np.ndarray], level: float, above: np.ndarray) -> Reach:
    """How far the interval reaches down and up at each knot; each end may be on the other side of the prediction."""
    missed = (1 - level) * above
    below = tuple(conformal_quantile(-own, level + share) for own, share in zip(relative, missed, strict=True))
    return below, tuple(conformal_quantile(own, 1 - share) for own, share in zip(relative, missed, strict=True))


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
