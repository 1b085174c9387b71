"""Learners that know where samples are: kriging, a Gaussian process of features and space, and regression kriging.

The terms of their covariance and the first guess of its ranges are decided here. Places are the last two of the reduced
features, on one scale for both axes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from soc_assets.errors import TrainingError
from soc_assets.regression.models.kriging.covariance import Covariance, Term
from soc_assets.regression.models.kriging.likelihood import fit_covariance
from soc_assets.regression.models.learners import Learner, Predicted, SklearnLearner

if TYPE_CHECKING:
    from torch import nn

_AT_ONCE = 1024  # rows
_FOLDS = 5  # of places, for out-of-fold residuals of a trend
_SHORT, _LONG = (1 / 100, 1 / 2000, 1 / 10), (1 / 5, 1 / 10, 3.0)  # start, low and high of the ranges over the extent
_PAIRS = 500


@dataclass(frozen=True)
class SpatialLearner:
    """A fitted process, and the trend beneath it, if there is one."""

    field: "nn.Module"
    covariance: Covariance
    trend: Learner | None = None

    def predict(self, x: np.ndarray) -> Predicted:
        """The value and the standard deviation of an observation, of rows [n, k]."""
        import torch

        rows = torch.from_numpy(np.ascontiguousarray(x, np.float32))
        with torch.inference_mode():
            parts = [self.field(part) for part in rows.split(_AT_ONCE)]
        value, spread = (torch.cat(column).double().numpy() for column in zip(*parts, strict=True))
        if self.trend is None:
            return Predicted(value, spread)
        beneath = self.trend.predict(x[:, :-2])
        return Predicted(beneath.value + value, np.hypot(beneath.spread, spread))


def fit_process(x: np.ndarray, y: np.ndarray, seed: int) -> SpatialLearner:
    """Fit a Gaussian process to the target [n] at rows [n, k]: ordinary kriging where they are places alone."""
    from soc_assets.regression.models.kriging.fields import split_places
    from soc_assets.regression.models.kriging.projected import make_field

    features, places = split_places(x)
    covariance = fit_covariance(places, features, y, terms_of(places, features, seed), seed)
    return SpatialLearner(make_field(covariance, x, y, seed), covariance)


def fit_residual_process(
    x: np.ndarray, y: np.ndarray, fit_trend: Callable[[np.ndarray, np.ndarray], Learner], seed: int
) -> SpatialLearner:
    """Fit a trend to the features, and kriging to its residuals: regression kriging.

    Residuals are out of bag where the trend has them, else out of fold, by places: those of a trend that has seen the
    sample would be too small, and their variogram wrong.

    Args:
        x: [n, k] features, then places.
        y: [n] target.
        fit_trend: fits features [m, k - 2] and target [m].
        seed: cuts the folds.

    Raises:
        TrainingError: there is but one sample, so that no residual is known.
    """
    if len(y) < 2:
        raise TrainingError(
            "Regression kriging needs two samples, as its trend is judged by samples that it has not seen."
        )
    trend = fit_trend(x[:, :-2], y)
    unseen = trend.fitted if isinstance(trend, SklearnLearner) else None
    if unseen is None:
        unseen, fold = np.empty(len(y)), folds_of_places(x[:, -2:], seed)
        for number in np.unique(fold):
            out = fold == number
            unseen[out] = fit_trend(x[~out, :-2], y[~out]).predict(x[out, :-2]).value
    process = fit_process(x[:, -2:], y - unseen, seed)
    return SpatialLearner(process.field, process.covariance, trend)


def terms_of(places: np.ndarray, features: np.ndarray | None, seed: int) -> tuple[Term, ...]:
    """A short and a long range in space, and one of the features where there are any."""
    from scipy.spatial.distance import pdist

    extent = max(float(np.ptp(places, axis=0).max()), 1e-9)
    space = [Term("space", *(share * extent for share in shares)) for shares in (_SHORT, _LONG)]
    if features is None:
        return tuple(space)
    some = np.random.default_rng(seed).permutation(len(features))[:_PAIRS]
    usual = float(np.median(pdist(features[some]))) if len(some) > 1 else 0.0
    usual = usual or 1.0
    return (Term("features", usual, usual / 20, usual * 20), *space)


def folds_of_places(places: np.ndarray, seed: int) -> np.ndarray:
    """A fold [n] of each row, the same for all rows of a place; where there is but one place, by rows."""
    _, place = np.unique(places, axis=0, return_inverse=True)
    count = int(place.max()) + 1
    if count == 1:
        place, count = np.arange(len(places)), len(places)
    return (np.random.default_rng(seed).permutation(count) % _FOLDS)[np.ravel(place)]
