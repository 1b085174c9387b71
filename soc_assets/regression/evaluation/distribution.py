"""Scores of predicted distributions, given as quantiles: continuous ranked probability, interval score, PIT.

The continuous ranked probability score is twice the mean pinball loss over all probabilities (Gneiting and Raftery,
JASA 102, 2007); here over 39 of them, each of which stands for 0.025. The probability integral transform (PIT) of an
observation is the probability that was predicted of less: uniform where distributions are calibrated.
"""

import numpy as np

from soc_assets.regression.models.conformal import PROBABILITIES

_STEP = PROBABILITIES[0]


COLUMNS = ("interval_score", "crps", "pit")


def distribution_scores(
    observed: np.ndarray, lower: np.ndarray, upper: np.ndarray, level: float, quantiles: np.ndarray
) -> dict[str, np.ndarray]:
    """Scores and PIT of each sample.

    Args:
        observed: [n] g/kg.
        lower: [n] end of the interval, g/kg.
        upper: [n] end of the interval, g/kg.
        level: of the interval.
        quantiles: [n, 38] ascending, of `PROBABILITIES`, g/kg; [n, 0] where a model predicts no distribution.

    Returns:
        `COLUMNS`, each [n]; all but the PIT in g/kg. NaN without a distribution.
    """
    if not quantiles.shape[1]:
        return {name: np.full(len(observed), np.nan) for name in COLUMNS}
    return {
        "interval_score": interval_score(observed, lower, upper, level),
        "crps": ranked_probability(observed, quantiles),
        "pit": integral_transform(observed, quantiles),
    }


def ranked_probability(observed: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score [n], in the unit of the observations; the median is interpolated."""
    half = quantiles.shape[1] // 2
    median = quantiles[:, half - 1 : half + 1].mean(axis=1)
    every = np.column_stack([quantiles[:, :half], median, quantiles[:, half:]])
    probability = np.array([*PROBABILITIES[:half], 0.5, *PROBABILITIES[half:]])
    error = observed[:, None] - every
    return 2 * _STEP * np.where(error >= 0, probability * error, (probability - 1) * error).sum(axis=1)


def integral_transform(observed: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """PIT [n], interpolated between quantiles; 0.0125 below the lowest and 0.9875 above the highest."""
    probability = np.array([_STEP / 2, *PROBABILITIES, 1 - _STEP / 2])
    below = (quantiles < observed[:, None]).sum(axis=1)
    whole = np.column_stack([np.full(len(observed), -np.inf), quantiles, np.full(len(observed), np.inf)])
    rows = np.arange(len(observed))
    low, high = whole[rows, below], whole[rows, below + 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(np.isfinite(low) & np.isfinite(high) & (high > low), (observed - low) / (high - low), np.nan)
    ends = np.where(below == 0, probability[0], probability[-1])
    at_end = (below == 0) | (below == quantiles.shape[1])
    inside = probability[below] + share * (
        probability[np.minimum(below + 1, len(probability) - 1)] - probability[below]
    )
    return np.where(at_end, ends, np.where(np.isnan(share), probability[below], inside))


def interval_score(observed: np.ndarray, lower: np.ndarray, upper: np.ndarray, level: float) -> np.ndarray:
    """Width plus 2 / (1 - level) times the distance of an observation that lies outside [n] (Gneiting and Raftery).

    >>> interval_score(np.array([5.0, 12.0]), np.zeros(2), np.full(2, 10.0), 0.9).round(6).tolist()
    [10.0, 50.0]
    """
    outside = np.maximum(lower - observed, 0) + np.maximum(observed - upper, 0)
    return upper - lower + 2 / (1 - level) * outside
