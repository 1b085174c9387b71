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
import pandas as pd

from soc_assets.regression.models.learners import Predicted

LEVELS = tuple(round(0.05 * step, 2) for step in range(1, 20))  # of the calibration plot, 0.05 to 0.95
GROUPS, _SMALLEST = 5, 100  # of predicted values; samples of a group
_TELLS = 0.25  # predictions that differ by less of the error's standard deviation are of one group
_LEAST = 0.9  # of the smallest: what is left of a group where folds do not divide evenly, or values are tied
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
    def fit(
        cls,
        observed: np.ndarray,
        predicted: Predicted,
        level: float,
        whole: bool = False,
        fold: np.ndarray | None = None,
    ) -> "Calibration":
        """Calibrate on held-out samples.

        Args:
            observed: [n] transformed target.
            predicted: by models that have not seen the samples.
            level: share that the intervals should cover, for example 0.9.
            whole: whether the spread is the deviation of an observation, as that of a Gaussian process.
            fold: [n] inner fold of each sample, where the folds' models may differ by little but their means.
        """
        error = np.asarray(observed, float) - predicted.value
        residual = 0.0 if whole else float(np.sqrt(np.mean(error**2)))
        relative = error / np.maximum(np.hypot(predicted.spread, residual), 1e-12)
        apart = float(np.std(predicted.value - _means(predicted.value, fold)))
        tells = apart >= _TELLS * float(np.std(error))
        groups = groups_of(predicted.value, fold, _smallest(level)) if tells else [np.arange(len(error))]
        knots = tuple(float(np.median(predicted.value[rows])) for rows in groups)
        scores, even = [relative[rows] for rows in groups], np.full(len(groups), 0.5)
        reach, curve = _reach(scores, level, _share_above(groups)), [_reach(scores, of, even) for of in LEVELS]
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


def groups_of(predicted: np.ndarray, fold: np.ndarray | None = None, smallest: int = _SMALLEST) -> list[np.ndarray]:
    """Rows of each group of neighbouring predicted values [n]: at most five, and fewer of few samples.

    A value's rank is that in its own inner fold. Where a model hardly tells samples apart, as kriging far from its
    data, predictions of different folds differ by the folds' means: groups of all values would be the folds, and what
    folds differ by, which new samples do too, would be in none of them.

    Args:
        predicted: values; equal ones are in one group.
        fold: [n] of each.
        smallest: samples of a group.

    >>> [len(rows) for rows in groups_of(np.arange(250.0))]
    [125, 125]
    """
    count = max(1, min(GROUPS, len(predicted) // smallest))
    values = pd.Series(predicted)
    of_fold = values.groupby(_one(values, fold))
    rank = (of_fold.rank() - 0.5) / of_fold.transform("size")
    group = np.minimum((rank.to_numpy() * count).astype(int), count - 1)
    groups = [rows for number in range(count) if len(rows := np.flatnonzero(group == number))]
    at = 0
    while at < len(groups) and len(groups) > 1:  # neither too small nor out of order
        before = np.median(predicted[groups[at - 1]]) if at else -np.inf
        if len(groups[at]) >= _LEAST * smallest and np.median(predicted[groups[at]]) > before:
            at += 1
            continue
        other = at - 1 if at else 1
        groups[min(at, other)] = np.sort(np.concatenate([groups[at], groups[other]]))
        del groups[max(at, other)]
        at = 0
    return groups


def _means(predicted: np.ndarray, fold: np.ndarray | None) -> np.ndarray:
    """The mean prediction [n] of each sample's fold."""
    return pd.Series(predicted).groupby(_one(predicted, fold)).transform("mean").to_numpy()


def _one(values: "np.ndarray | pd.Series[float]", fold: np.ndarray | None) -> np.ndarray:
    """Folds [n]; a single one where none are told apart."""
    return np.zeros(len(values), int) if fold is None else np.asarray(fold)


def _smallest(level: float) -> int:
    """Samples of a group: enough for the level to be promised on the side where less is missed."""
    return max(_SMALLEST, int(np.ceil(1 / ((1 - level) * min(_ABOVE[1]) * _LEAST))))


def _share_above(groups: list[np.ndarray]) -> np.ndarray:
    """The share of the miscoverage that lies above the interval, for each group from the lowest predictions on."""
    if len(groups) == 1:
        return np.full(1, 0.5)
    sizes = np.array([len(rows) for rows in groups])
    return np.interp((np.cumsum(sizes) - sizes / 2) / sizes.sum(), *_ABOVE)


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
