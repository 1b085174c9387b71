"""The learners behind a recipe: each is fitted on reduced features and predicts the transformed target with its spread.

scikit-learn's for the baselines, `soc_assets.regression.models.ensemble` for the MLP; those that know where samples are
are in `soc_assets.regression.models.kriging`, and `soc_assets.regression.models.kinds` lists them all. Choosing
features, transforming the target and back-transforming to g/kg is in `soc_assets.regression.models.fitted`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from soc_assets.regression.design.standardisation import column_statistics
from soc_assets.settings.evaluation import Recipe

if TYPE_CHECKING:
    from soc_assets.regression.models.ensemble import EnsembleMlp

_SHRINKAGE = 0.05  # learning rate of gradient boosting
_CHUNK = 1024
CLIP = 8.0  # standard deviations at which features are clipped
_TREES_OUT_OF_BAG = 50  # with fewer, some samples are in every bag


@dataclass(frozen=True)
class Predicted:
    """Transformed target [n] and the standard deviation [n] of the members around it (0 for a single model)."""

    value: np.ndarray
    spread: np.ndarray


@dataclass(frozen=True)
class MeanLearner:
    """The mean of the training target for everything."""

    value: float

    def predict(self, x: np.ndarray) -> Predicted:
        """The same for every row."""
        return Predicted(np.full(len(x), self.value), np.zeros(len(x)))


@dataclass(frozen=True)
class SklearnLearner:
    """An estimator of scikit-learn; `fitted` holds out-of-bag predictions where the estimator has them."""

    estimator: Any
    fitted: np.ndarray | None = None

    def predict(self, x: np.ndarray) -> Predicted:
        """One value per row, no spread."""
        return Predicted(np.asarray(self.estimator.predict(x), float), np.zeros(len(x)))


@dataclass(frozen=True)
class MlpLearner:
    """Fitted members; features and target are standardised inside."""

    network: "EnsembleMlp"
    mean: np.ndarray
    scale: np.ndarray
    target_mean: float
    target_scale: float

    def predict(self, x: np.ndarray) -> Predicted:
        """Mean and standard deviation of the members."""
        import torch

        z = np.clip((x - self.mean) / self.scale, -CLIP, CLIP).astype(np.float32)
        with torch.inference_mode():
            parts = [self.network(torch.from_numpy(z[i : i + _CHUNK])) for i in range(0, len(z), _CHUNK)]
        members = torch.cat(parts, dim=1).double().numpy() if parts else np.empty((1, 0))
        value = members.mean(axis=0) * self.target_scale + self.target_mean
        return Predicted(value, members.std(axis=0) * self.target_scale)


Learner = MeanLearner | SklearnLearner | MlpLearner


def fit_mlp_learner(
    recipe: Recipe, x: np.ndarray, y: np.ndarray, weight: np.ndarray, seed: int, device: str, on_epoch: Any = None
) -> MlpLearner:
    """Fit the members; `on_epoch` receives the epoch and its loss and may raise to stop."""
    import torch

    from soc_assets.regression.models.ensemble import EnsembleMlp, Schedule, fit_ensemble

    mean, scale = column_statistics(x, np.arange(len(x)))
    target_mean = float(y.mean())
    target_scale = float(y.std()) or 1.0
    schedule = Schedule(recipe.epochs, recipe.batch_size, recipe.learning_rate, recipe.weight_decay, seed, device)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        network = EnsembleMlp(recipe.members, x.shape[1], recipe.hidden, recipe.dropout, recipe.activation)
        z = np.clip((x - mean) / scale, -CLIP, CLIP).astype(np.float32)
        fit_ensemble(network, z, (y - target_mean) / target_scale, weight / weight.mean(), schedule, on_epoch)
    return MlpLearner(network, mean, scale, target_mean, target_scale)


def fit_mean(recipe: Recipe, x: np.ndarray, y: np.ndarray, weight: np.ndarray, seed: int, device: str) -> MeanLearner:
    """The weighted mean of the target."""
    return MeanLearner(float(np.average(y, weights=weight)))


def fit_ridge(
    recipe: Recipe, x: np.ndarray, y: np.ndarray, weight: np.ndarray, seed: int, device: str
) -> SklearnLearner:
    """Ridge regression; its penalty is `weight_decay` per sample."""
    from sklearn.linear_model import Ridge

    return SklearnLearner(Ridge(alpha=recipe.weight_decay * len(x)).fit(x, y, weight))


def fit_boosting(
    recipe: Recipe, x: np.ndarray, y: np.ndarray, weight: np.ndarray, seed: int, device: str
) -> SklearnLearner:
    """Histogram gradient boosting; equal weights are left out: the same trees, in a sixth of the time for binning."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    boosted = HistGradientBoostingRegressor(
        learning_rate=_SHRINKAGE,
        max_iter=recipe.trees,
        min_samples_leaf=recipe.min_leaf,
        l2_regularization=1.0,
        random_state=seed,
    )
    return SklearnLearner(boosted.fit(x, y, weight if np.ptp(weight) > 0 else None))


def fit_forest(
    recipe: Recipe, x: np.ndarray, y: np.ndarray, weight: np.ndarray, seed: int, device: str
) -> SklearnLearner:
    """A random forest or extremely randomised trees, out-of-bag where there are enough trees."""
    from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

    kind = {"random_forest": RandomForestRegressor, "extra_trees": ExtraTreesRegressor}[recipe.model]
    out_of_bag = recipe.trees >= _TREES_OUT_OF_BAG and len(x) > _TREES_OUT_OF_BAG
    options = {"bootstrap": True, "oob_score": out_of_bag, "random_state": seed}
    forest = kind(recipe.trees, min_samples_leaf=recipe.min_leaf, max_features=recipe.max_features, **options)
    forest.fit(x, y, weight)
    return SklearnLearner(forest, getattr(forest, "oob_prediction_", None))
