"""Kriging against its definitions: the kriging system, the marginal likelihood, and scikit-learn's Gaussian process."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import multivariate_normal
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from soc_assets.regression.models.kriging import fields
from soc_assets.regression.models.kriging.covariance import Covariance, Term, distances
from soc_assets.regression.models.kriging.learner import (
    fit_process,
    fit_residual_process,
    folds_of_places,
    terms_of,
)
from soc_assets.regression.models.kriging.likelihood import _Block, contiguous_blocks, deviance, fit_covariance
from soc_assets.regression.models.kriging.neighbours import make_lattice
from soc_assets.regression.models.learners import Predicted

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
def test_lattice_gives_every_cell_its_nearest_samples(n):
    places = np.random.default_rng(0).uniform(0, [100, 7], (n, 2))
    lattice = make_lattice(places, 8)
    assert lattice.neighbours.shape == (np.prod(lattice.shape), min(8, n))
    for cell in {0, len(lattice.neighbours) // 2, len(lattice.neighbours) - 1}:
        centre = lattice.origin + (np.array(np.unravel_index(cell, lattice.shape)) + 0.5) * lattice.step
        nearest = np.argsort(((places - centre) ** 2).sum(axis=1))[:8]
        assert set(lattice.neighbours[cell]) == set(nearest)


def test_samples_on_a_line_have_a_lattice():
    places = np.stack([np.linspace(0, 10, 500), np.full(500, 3.0)], axis=1)
    lattice = make_lattice(places, 4)
    assert lattice.neighbours.shape[1] == 4
    assert lattice.neighbours.max() == 499


def test_many_samples_of_features_and_space_are_predicted_as_well_as_by_all(monkeypatch):
    x, y = observed(600)
    train, test = slice(0, 350), slice(350, None)
    exact = fit_process(x[train], y[train], 0).predict(x[test])
    monkeypatch.setattr(fields, "DENSE", 200)
    monkeypatch.setattr(fields, "INDUCING", 100)
    learner = fit_process(x[train], y[train], 0)
    assert isinstance(learner.field, fields.SumOfFields)
    found = learner.predict(x[test])
    best, near = (((p.value - y[test]) ** 2).mean() for p in (exact, found))
    assert near < 1.1 * best
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
