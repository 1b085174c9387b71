"""The quantile forest of a user's script, which `benchmarks.map` compares with."""

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

QUANTILES = [0.05, 0.5, 0.95]
_FOREST: dict[str, Any] = {"n_estimators": 200, "min_samples_leaf": 5, "max_features": 0.33, "n_jobs": -1}
Quantiles = Callable[[np.ndarray], np.ndarray]


def quantile_forest(x: np.ndarray, y: np.ndarray) -> tuple[str, Quantiles]:
    """What it is, and quantiles [rows, 3] of rows.

    The package quantile-forest as it is installed by default. Without it the same method on scikit-learn's forest: one
    random training sample of each leaf (the package's default), and quantiles over the trees.

    Args:
        x: [n, d] of the training samples.
        y: [n].
    """
    if importlib.util.find_spec("quantile_forest") is None:
        return "scikit-learn's forest, a random sample of each leaf", _by_leaf_samples(x, y)
    package = importlib.import_module("quantile_forest")
    forest = package.RandomForestQuantileRegressor(**_FOREST, random_state=0).fit(x, y)
    return f"quantile-forest {package.__version__}", lambda rows: forest.predict(rows, quantiles=QUANTILES)


def _by_leaf_samples(x: np.ndarray, y: np.ndarray) -> Quantiles:
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(**_FOREST, random_state=0).fit(x, y)
    order = np.random.default_rng(0).permutation(len(x))
    leaves, kept = forest.apply(x), []
    for tree, own in zip(forest.estimators_, leaves.T, strict=True):
        kept.append(np.zeros(tree.tree_.node_count))
        kept[-1][own[order]] = y[order]  # of several the last stays

    def quantiles(rows: np.ndarray) -> np.ndarray:
        found = np.stack([values[own] for values, own in zip(kept, forest.apply(rows).T, strict=True)], axis=1)
        return np.quantile(found, QUANTILES, axis=1).T

    return quantiles
