"""The kinds of models that a recipe may name: how each is fitted, and how much it can express."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from soc_assets.errors import TrainingError
from soc_assets.regression.models import learners
from soc_assets.regression.models.kriging.learner import SpatialLearner, fit_process, fit_residual_process
from soc_assets.regression.models.learners import Learner
from soc_assets.runtime import interrupts
from soc_assets.settings.evaluation import Recipe

AnyLearner = Learner | SpatialLearner
NOTHING, PLACE, LINEAR, TREES, NETWORK = range(5)  # ranks; PLACE is whatever knows only where a sample is


@dataclass(frozen=True)
class Kind:
    """A kind of model.

    Attributes:
        fit: from recipe, reduced features, transformed target, weights, seed and device; None where it needs the inner
            folds, too, to stop (`soc_assets.regression.models.documented`, `soc_assets.regression.finetuning`).
        rank: how much it can express; what can express more has to be better to become champion.
        spatial: whether its last two features are the place, on one scale for both axes.
        windows: whether it learns from windows (`soc_assets.regression.finetuning`).
    """

    fit: Callable[[Recipe, np.ndarray, np.ndarray, np.ndarray, int, str], AnyLearner] | None
    rank: int
    spatial: bool = False
    windows: bool = False

    @property
    def network(self) -> bool:
        """Whether it is a network, which has to beat all others: the baselines."""
        return self.rank == NETWORK


def fit_learner(recipe: Recipe, x: np.ndarray, y: np.ndarray, weight: np.ndarray, seed: int, device: str) -> AnyLearner:
    """Fit on reduced features x [n, k] and the transformed target y [n], weighted by `weight` [n].

    Raises:
        TrainingError: there is no such kind of model, or it is not fitted on reduced features.
    """
    interrupts.check()
    fit = kind_of(recipe).fit
    if fit is None:
        raise TrainingError(f"The recipe {recipe.name!r} ({recipe.model}) is not fitted on reduced features.")
    return fit(recipe, x, y, weight, seed, device)


def kind_of(recipe: Recipe) -> Kind:
    """How a recipe is fitted.

    Raises:
        TrainingError: there is no such kind of model.
    """
    if recipe.model not in KINDS:
        raise TrainingError(
            f"The recipe {recipe.name!r} asks for the model {recipe.model!r}; known are {', '.join(KINDS)}."
        )
    return KINDS[recipe.model]


def _fit_process(
    recipe: Recipe, x: np.ndarray, y: np.ndarray, weight: np.ndarray, seed: int, device: str
) -> SpatialLearner:
    return fit_process(x, y, seed)


def _fit_regression_kriging(
    recipe: Recipe, x: np.ndarray, y: np.ndarray, weight: np.ndarray, seed: int, device: str
) -> SpatialLearner:
    trend = recipe.trend_recipe()

    def fit_trend(features: np.ndarray, target: np.ndarray) -> Learner:
        fitted = fit_learner(trend, features, target, np.ones(len(target)), seed, device)
        assert not isinstance(fitted, SpatialLearner)
        return fitted

    return fit_residual_process(x, y, fit_trend, seed)


KINDS: dict[str, Kind] = {
    "mean": Kind(learners.fit_mean, NOTHING),
    "kriging": Kind(_fit_process, PLACE, spatial=True),
    "ridge": Kind(learners.fit_ridge, LINEAR),
    "random_forest": Kind(learners.fit_forest, TREES),
    "extra_trees": Kind(learners.fit_forest, TREES),
    "gradient_boosting": Kind(learners.fit_boosting, TREES),
    "gaussian_process": Kind(_fit_process, TREES, spatial=True),
    "regression_kriging": Kind(_fit_regression_kriging, TREES, spatial=True),
    "mlp": Kind(learners.fit_mlp_learner, NETWORK),
    "documented": Kind(None, NETWORK),
    "finetune": Kind(None, NETWORK, windows=True),
    "convolution": Kind(None, NETWORK, windows=True),
}
