"""Kriging against its definitions: the kriging system, the marginal likelihood, and scikit-learn's Gaussian process."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import multivariate_normal
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from soc_assets.errors import TrainingError
from soc_assets.regression.models.kinds import fit_learner
from soc_assets.regression.models.kriging import fields, projected
from soc_assets.regression.models.kriging.covariance import Covariance, Term, distances
from soc_assets.regression.models.kriging.learner import (
    fit_process,
    fit_residual_process,
    folds_of_places,
    terms_of,
)
from soc_assets.regression.models.kriging.likelihood import _Block, contiguous_blocks, deviance, fit_covariance
from soc_assets.regression.models.kriging.neighbours import Cells, make_cells
from soc_assets.regression.models.learners import Learner, Predicted
from soc_assets.settings.evaluation import Recipe

SPACE = (Term("space", 1.0, 0.01, 100.0), Term("space", 5.0, 0.01, 100.0))
EVERY = (Term("features", 2.0, 0.01, 100.0), *SPACE)


def observed(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two features and a place [n, 4], and a target [n] of both, of a covariance that is known."""
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.normal(size=(n, 2)), rng.uniform(0, 10, (n, 2))], axis=1)
    covariance = np.exp(-cdist(x[:, 2:], x[:, 2:]) / 2) + 0.2 * np.eye(n)
    y = 5 + np.sin(x[:, 0]) + np.linalg.cholesky(covariance) @ rng.normal(size=n)
    return x.astype(np.float32), y


def known(terms=EVERY, x=None, y=None) -> Covariance:
    """A covariance with its mean and nugget by generalised least squares, written out."""
    variance, ranges = np.array([2.0, 0.5, 3.0])[-len(terms) :], np.array([2.5, 0.4, 3.0])[-len(terms) :]
    made = Covariance(terms, variance, ranges, 0.3, 0.0)
    if x is None:
        return made
    features, places = fields.split_places(x)
    inverse = np.linalg.inv(made.between(distances(places, features, terms)) + np.eye(len(y)))
    mean = inverse.sum(axis=0) @ y / inverse.sum()
    return replace(made, mean=mean, nugget=(y - mean) @ inverse @ (y - mean) / len(y))


def ordinary_kriging(covariance: Covariance, x: np.ndarray, y: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, ...]:
    """The kriging system with its Lagrange multiplier, solved for each place by itself."""
    every = np.concatenate([x, at]).astype(float)
    whole = covariance.nugget * covariance.between(distances(every[:, -2:], every[:, :-2], covariance.terms))
    n, value, deviation = len(x), [], []
    system = np.ones((n + 1, n + 1))
    system[:n, :n] = whole[:n, :n] + covariance.nugget * np.eye(n)
    system[n, n] = 0
    for place in range(n, len(every)):
        right = np.append(whole[:n, place], 1.0)
        weight = np.linalg.solve(system, right)
        value.append(weight[:n] @ y)
        deviation.append(np.sqrt(covariance.sill - weight @ right))
    return np.array(value), np.array(deviation)


@pytest.mark.parametrize("n", [3, 17, 101])
@pytest.mark.parametrize("terms", [SPACE, EVERY])
def test_dense_field_solves_the_kriging_system(n, terms):
    x, y = observed(n)
    at = observed(7, seed=1)[0]
    covariance = known(terms, x, y)
    with torch.inference_mode():
        value, deviation = fields.DenseField(covariance, x, y)(torch.from_numpy(at))
    expected = ordinary_kriging(covariance, x, y, at)
    np.testing.assert_allclose(value, expected[0], rtol=1e-4)
    np.testing.assert_allclose(deviation, expected[1], rtol=1e-3)


def test_process_of_one_term_is_that_of_scikit_learn():
    x, y = observed(60)
    places, terms = x[:, 2:].astype(float), SPACE[1:]
    kernel = ConstantKernel(3.0 * 0.3, "fixed") * Matern(3.0, "fixed", nu=0.5) + WhiteKernel(0.3, "fixed")
    peer = GaussianProcessRegressor(kernel, optimizer=None).fit(places, y - 5)
    matrix = known(terms).between(distances(places, None, terms)) + np.eye(60)
    np.testing.assert_allclose(0.3 * matrix, kernel(places))
    found = multivariate_normal(np.full(60, 5.0), 0.3 * matrix).logpdf(y)
    assert peer.log_marginal_likelihood_value_ == pytest.approx(found)


@pytest.mark.parametrize("n", [2, 33, 80])
def test_deviance_is_the_marginal_likelihood_and_its_gradient_is_exact(n):
    x, y = observed(n)
    blocks = [
        _Block(y[rows], distances(x[rows, 2:].astype(float), x[rows, :2].astype(float), EVERY))
        for rows in (np.arange(n // 2), np.arange(n // 2, n))
    ]
    theta = np.random.default_rng(1).normal(0, 0.4, 6)
    value, gradient, mean, nugget = deviance(theta, blocks, EVERY)
    covariance = Covariance(EVERY, np.exp(theta[:3]), np.exp(theta[3:]), nugget, mean)
    likelihood = sum(
        multivariate_normal(
            np.full(len(block.y), mean), nugget * (covariance.between(block.distances) + np.eye(len(block.y)))
        ).logpdf(block.y)
        for block in blocks
    )
    assert value == pytest.approx(-2 * likelihood / n - np.log(2 * np.pi) - 1)
    step = 1e-5 * np.eye(6)
    differences = [
        (deviance(theta + one, blocks, EVERY)[0] - deviance(theta - one, blocks, EVERY)[0]) / 2e-5 for one in step
    ]
    np.testing.assert_allclose(gradient, differences, atol=1e-6)


def test_fitted_covariance_is_no_less_likely_than_the_true_one():
    x, y = observed(300)
    places = x[:, 2:].astype(float)
    terms = terms_of(places, None, 0)
    found = fit_covariance(places, None, y, terms, 0)
    block = [_Block(y, distances(places, None, terms))]
    best = deviance(np.log([*found.variance, *found.ranges]), block, terms)[0]
    truth = deviance(np.log([1e-3, 5.0, 0.1, 2.0]), block, terms)[0]
    assert best <= truth
    assert found.sill == pytest.approx(np.var(y), rel=0.6)


def test_target_that_is_the_same_everywhere_is_predicted_everywhere():
    x, _ = observed(20)
    found = fit_process(x, np.full(20, 3.0), 0).predict(observed(5, seed=2)[0])
    np.testing.assert_allclose(found.value, 3.0)
    assert (found.spread < 1e-5).all()


def test_places_of_several_samples_are_no_obstacle():
    x, y = observed(40)
    twice = np.concatenate([x, x]), np.concatenate([y, y + np.random.default_rng(0).normal(0, 0.3, 40)])
    found = fit_process(*twice, 0)
    assert np.isfinite(found.predict(x).value).all()
    assert np.sqrt(found.covariance.nugget) > 0.1  # what replicates differ by


@pytest.mark.parametrize("n", [1, 5, 1023, 3000])
def test_blocks_are_contiguous_and_hold_every_row_once(n):
    places = np.random.default_rng(0).uniform(size=(n, 2))
    blocks = contiguous_blocks(places, 200)
    assert max(map(len, blocks)) <= 200
    np.testing.assert_array_equal(np.sort(np.concatenate(blocks)), np.arange(n))
    if n == 3000:
        spread = np.mean([places[rows].std(axis=0).mean() for rows in blocks])
        assert spread < 0.5 * places.std(axis=0).mean()


def test_neighbours_predict_nearly_what_all_samples_do():
    x, y = observed(700)
    covariance, at = known(SPACE, x, y), observed(300, seed=3)[0]
    at[:5, 2:] = [[-1, 5], [11, 5], [5, 30], [0, 0], [10, 10]]  # beyond the samples, too
    with torch.inference_mode():
        exact, deviation = fields.DenseField(covariance, x[:, 2:], y)(torch.from_numpy(at[:, 2:]))
        near, stated = fields.NeighbourField(covariance, x, y)(torch.from_numpy(at))
    assert float((near - exact)[5:].abs().max()) < 0.06 * float(exact.std())
    assert float((near - exact)[:5].abs().max()) < 0.2 * float(exact.std())
    np.testing.assert_allclose(stated[5:], deviation[5:], rtol=0.02)
    np.testing.assert_allclose(stated[:5], deviation[:5], rtol=0.1)


@pytest.mark.parametrize("n", [1, 3, 70, 1000])
def test_every_cell_has_the_samples_nearest_to_its_middle(n):
    places = np.random.default_rng(0).uniform(0, [100, 7], (n, 2))
    cells = make_cells(places, 8)
    assert cells.neighbours.shape[1] == min(8, n)
    members = _cells_of(cells, places)
    for cell in {0, len(cells.neighbours) // 2, len(cells.neighbours) - 1}:
        inside = members == cell
        assert 1 <= inside.sum() <= 4
        middle = np.median(places[inside], axis=0)
        assert set(cells.neighbours[cell]) == set(np.argsort(((places - middle) ** 2).sum(axis=1))[:8])


def _cells_of(cells: Cells, places: np.ndarray) -> np.ndarray:
    """The cell of each place, one by one."""
    found = []
    for place in places:
        node = 0
        while cells.child[node, 0] != node:
            node = cells.child[node, int(place[cells.axis[node]] > cells.cut[node])]
        found.append(cells.cell[node])
    return np.array(found)


def test_samples_on_a_line_and_visits_of_one_place_have_cells():
    line = np.stack([np.linspace(0, 10, 500), np.full(500, 3.0)], axis=1)
    cells = make_cells(line, 4)
    assert cells.neighbours.shape[1] == 4 and cells.neighbours.max() == 499
    visits = np.concatenate([line, np.tile([[20.0, 3.0]], (90, 1))])
    last = make_cells(visits, 4)
    assert set(_cells_of(last, visits[-90:])) == {_cells_of(last, visits[-1:])[0]}


@pytest.mark.parametrize("kind", ["far sample", "farms"])
def test_neighbours_are_near_where_samples_are_clustered(kind):
    """A lattice over the extent would put a whole cluster into one cell."""
    rng = np.random.default_rng(5)
    if kind == "farms":
        places = np.repeat(rng.uniform(0, 400, (10, 2)), 70, axis=0) + rng.uniform(-1, 1, (700, 2))
    else:
        places = rng.uniform(0, 10, (700, 2))
        places[-1] = 9000
    places = places.astype(np.float32).astype(float)
    covariance = Covariance(SPACE, np.array([4.0, 2.0]), np.array([1.0, 30.0]), 0.2, 0.0)
    root = np.linalg.cholesky(covariance.between(distances(places, None, SPACE)) + np.eye(700))
    y = root @ rng.normal(size=700) * np.sqrt(covariance.nugget)
    with torch.inference_mode():
        at = torch.from_numpy(places[:-1] + 0.01).float()
        exact, _ = fields.DenseField(covariance, places, y)(at)
        near, _ = fields.NeighbourField(covariance, places, y)(at)
    assert float((near - exact).abs().max()) < 0.2 * float(exact.std())


def test_many_samples_of_features_and_space_are_predicted_as_well_as_by_all(monkeypatch):
    x, y = observed(600)
    train, test = slice(0, 350), slice(350, None)
    exact = fit_process(x[train], y[train], 0).predict(x[test])
    monkeypatch.setattr(projected, "DENSE", 200)
    monkeypatch.setattr(projected, "INDUCING", 100)
    learner = fit_process(x[train], y[train], 0)
    assert isinstance(learner.field, projected.SumOfFields)
    found = learner.predict(x[test])
    best, near = (((p.value - y[test]) ** 2).mean() for p in (exact, found))
    assert near < 1.05 * best
    inside = np.abs(found.value - y[test]) < 1.645 * found.spread
    assert 0.84 < inside.mean() < 0.96


def test_trend_is_judged_by_places_that_it_has_not_seen():
    x, y = observed(150)
    x[75:, 2:] = x[:75, 2:]  # every place twice
    seen = []

    class Constant:
        def predict(self, features: np.ndarray) -> Predicted:
            return Predicted(np.full(len(features), 5.0), np.full(len(features), 0.1))

    def fit_trend(features: np.ndarray, target: np.ndarray) -> Constant:
        seen.append(len(target))
        return Constant()

    found = fit_residual_process(x, y, fit_trend, 0)
    assert seen[0] == 150
    assert all(100 < n < 140 for n in seen[1:])
    assert len(seen) == 6
    fold = folds_of_places(x[:, 2:], 0)
    np.testing.assert_array_equal(fold[:75], fold[75:])
    alone = fit_process(x[:, 2:], y - 5.0, 0).predict(x[:, 2:])
    np.testing.assert_allclose(found.predict(x).value, 5.0 + alone.value)
    np.testing.assert_allclose(found.predict(x).spread, np.hypot(0.1, alone.spread))


def test_one_place_and_one_sample():
    x, y = observed(60)
    x[:, 2:] = 0.0

    def fit_trend(features: np.ndarray, target: np.ndarray) -> Learner:
        return fit_learner(Recipe(name="r", model="ridge"), features, target, np.ones(len(target)), 0, "cpu")

    found = fit_residual_process(x, y, fit_trend, 0).predict(x)
    assert np.isfinite(found.value).all() and np.corrcoef(found.value, y)[0, 1] > 0.3
    with pytest.raises(TrainingError, match="needs two samples"):
        fit_residual_process(x[:1], y[:1], fit_trend, 0)
    assert np.isfinite(fit_process(x[:1], y[:1], 0).predict(x).value).all()
