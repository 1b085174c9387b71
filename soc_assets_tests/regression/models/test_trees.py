"""Trees in a graph take the branches that scikit-learn takes, at thresholds too, however many rows there are."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor, RandomForestRegressor

from soc_assets.regression.models.trees import Trees, round_down, tree_arrays


def data(n: int = 700, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5)).astype(np.float32)
    x[:, 4] = np.round(x[:, 4])  # ties
    return x, x[:, 0] - np.abs(x[:, 1]) + x[:, 4] + rng.normal(0, 0.3, n)


ESTIMATORS = {
    "random_forest": RandomForestRegressor(30, min_samples_leaf=3, max_features=0.4, random_state=0),
    "extra_trees": ExtraTreesRegressor(30, min_samples_leaf=1, bootstrap=True, random_state=0),
    "gradient_boosting": HistGradientBoostingRegressor(learning_rate=0.05, max_iter=60, random_state=0),
    "stumps": RandomForestRegressor(3, max_depth=1, random_state=0),
    "leaves": RandomForestRegressor(3, min_samples_leaf=1000, random_state=0),
}


@pytest.fixture(scope="module", params=list(ESTIMATORS))
def fitted(request):
    estimator = ESTIMATORS[request.param].fit(*data())
    return estimator, Trees(tree_arrays(estimator)).eval()


def at_thresholds(trees: Trees, x: np.ndarray) -> np.ndarray:
    """Rows that hold a threshold of their column, or the float32 number below or above it."""
    rng, rows = np.random.default_rng(1), x[np.zeros(3000, int)].copy()
    inner = np.flatnonzero(np.isfinite(trees.threshold.numpy()))
    if len(inner):
        some = rng.choice(inner, len(rows))
        value = trees.threshold.numpy()[some]
        beside = [value, np.nextafter(value, np.float32(-np.inf)), np.nextafter(value, np.float32(np.inf))]
        rows[np.arange(len(rows)), trees.feature.numpy()[some]] = np.choose(rng.integers(0, 3, len(rows)), beside)
    return rows


def test_predictions_are_those_of_scikit_learn(fitted):
    estimator, trees = fitted
    for rows in (data(500, seed=1)[0], data()[0], at_thresholds(trees, data()[0]), 1e6 * data(50)[0]):
        found = trees(torch.from_numpy(rows)).numpy()
        np.testing.assert_allclose(found, estimator.predict(rows), rtol=2e-6, atol=2e-6)


def test_number_and_order_of_rows_decide_no_digit(fitted):
    _, trees = fitted
    rows = torch.from_numpy(data(300, seed=2)[0])
    together = trees(rows)
    assert torch.equal(torch.cat([trees(part) for part in rows.split(7)]), together)
    assert torch.equal(trees(rows.flip(0)).flip(0), together)
    assert trees(rows[:0]).shape == (0,)


def test_exported_graph_says_the_same_for_any_number_of_rows(tmp_path):
    """One estimator will do: every kind is exported where it is registered (tracking/test_serving.py)."""
    forest = RandomForestRegressor(10, min_samples_leaf=20, random_state=0).fit(*data())
    trees = Trees(tree_arrays(forest)).eval()
    assert trees.stops
    rows = torch.from_numpy(data(400, seed=3)[0])
    exported = torch.export.export(trees, (rows[:2],), dynamic_shapes=({0: torch.export.Dim("n")},))
    torch.export.save(exported, tmp_path / "trees.pt2")
    again = torch.export.load(tmp_path / "trees.pt2").module()
    for count in (1, 2, 400):
        assert torch.equal(again(rows[:count]), trees(rows[:count]))


def test_thresholds_are_rounded_so_that_no_float32_number_changes_sides():
    rng = np.random.default_rng(0)
    thresholds = np.concatenate([rng.normal(size=2000), [0.0, 1.0, -1.0, 1e-40, -1e-40, 1 + 2**-24, 1 - 2**-30]])
    below = round_down(thresholds)
    for number in (below, np.nextafter(below, np.float32(np.inf)), thresholds.astype(np.float32)):
        np.testing.assert_array_equal(number <= below, number.astype(np.float64) <= thresholds)


def test_walk_sets_aside_what_has_arrived():
    """The training rows' own paths say when: in a chain of splits each sends one row to its leaf."""
    x = np.arange(16, dtype=np.float32)[:, None]
    forest = RandomForestRegressor(1, bootstrap=False).fit(x, 4.0 ** x[:, 0])
    arrays = tree_arrays(forest)
    path = np.asarray(forest.decision_path(x)[0].sum(axis=1)).ravel() - 1
    np.testing.assert_allclose(arrays.walking, [(path > step).mean() for step in range(int(path.max()))])
    assert {step for step, share in enumerate(arrays.walking) if share == 9 / 16} & Trees(arrays).stops
