import math
from itertools import combinations

import numpy as np
import pytest

from soc_assets.regression.evaluation.variogram import (
    Exponential,
    Semivariogram,
    fit_exponential,
    pair_sums,
    semivariogram,
)


def by_hand(places, values, farthest, estimator):
    """Every pair, one by one, put into the documented classes; those of fewer than 30 pairs joined to the next."""
    classes = [[] for _ in range(15)]
    for i, j in combinations(range(len(values)), 2):
        h = math.dist(places[i], places[j])
        if 0 < h <= farthest:
            classes[min(int(15 * math.sqrt(h / farthest)), 14)].append((h, abs(values[i] - values[j])))
    joined, waiting = [], []
    for members in classes:
        waiting = waiting + members
        if len(waiting) >= 30:
            joined.append(waiting)
            waiting = []
    if waiting and joined:
        joined[-1] = joined[-1] + waiting
    elif waiting:
        joined = [waiting]
    found = []
    for members in joined:
        n = len(members)
        gamma = sum(d**2 for _, d in members) / n / 2
        if estimator == "cressie-hawkins":
            gamma = (sum(math.sqrt(d) for _, d in members) / n) ** 4 / 2 / (0.457 + 0.494 / n)
        found.append((sum(h for h, _ in members) / n, gamma, n))
    return np.array(found).reshape(-1, 3)


@pytest.mark.parametrize("estimator", ["matheron", "cressie-hawkins"])
@pytest.mark.parametrize("n", [0, 1, 2, 7, 40, 257, 300])
def test_semivariogram_is_that_of_all_pairs(n, estimator):
    rng = np.random.default_rng(n)
    places = rng.integers(0, 40, (n, 2)) * 250.0  # some at one place
    values = rng.lognormal(3, 0.6, n)
    farthest = 4000.0
    found = semivariogram(places, values, farthest=farthest, estimator=estimator)
    expected = by_hand(places, values, farthest, estimator)
    assert found.pairs.sum() == expected[:, 2].sum()
    np.testing.assert_allclose(np.column_stack([found.distance, found.semivariance, found.pairs]), expected, rtol=1e-9)


def test_sums_without_a_group_are_those_of_the_other_samples():
    rng = np.random.default_rng(1)
    places, values, group = rng.uniform(0, 5e4, (310, 2)), rng.normal(size=310), rng.integers(0, 5, 310)
    sums = pair_sums(places, values, group, farthest=2e4)
    for number in range(5):
        others = group != number
        expected = semivariogram(places[others], values[others], farthest=2e4)
        found = sums.estimate(without=number)
        np.testing.assert_array_equal(found.pairs, expected.pairs)
        np.testing.assert_allclose(found.semivariance, expected.semivariance)
        np.testing.assert_allclose(found.distance, expected.distance)


def test_pairs_of_many_samples_are_those_of_a_draw_by_its_seed():
    rng = np.random.default_rng(2)
    places, values = rng.uniform(0, 1e5, (100_000, 2)), rng.normal(0, 2, 100_000)
    found = semivariogram(places, values, most=500, seed=3)
    assert found.pairs.sum() < 500 * 499 / 2
    np.testing.assert_array_equal(found.pairs, semivariogram(places, values, most=500, seed=3).pairs)
    assert np.average(found.semivariance, weights=found.pairs) == pytest.approx(4, rel=0.15)


@pytest.mark.parametrize(
    "model", [Exponential(2.0, 6.0, 9e3), Exponential(0.0, 3.0, 2e3), Exponential(1.5, 0.0, math.nan)]
)
def test_model_comes_back_from_its_own_semivariances(model):
    distance = 3e4 * ((np.arange(15) + 0.5) / 15) ** 2
    fitted = fit_exponential(Semivariogram(distance, model(distance), np.arange(15) * 40 + 30))
    assert (fitted.nugget, fitted.partial_sill) == pytest.approx((model.nugget, model.partial_sill), abs=1e-3)
    assert fitted.sill == pytest.approx(model.sill, abs=1e-3)
    assert math.isnan(fitted.range) if not model.partial_sill else fitted.range == pytest.approx(model.range, rel=1e-3)
    np.testing.assert_allclose(fitted(distance), model(distance), atol=1e-3)


def test_nugget_of_a_simulated_field_is_found():
    """A Gaussian field of exponential covariance, practical range 20 km and variance 4, with independent noise of 2."""
    rng = np.random.default_rng(4)
    places = rng.uniform(0, 1e5, (900, 2))
    h = np.linalg.norm(places[:, None] - places[None], axis=2)
    field = np.linalg.cholesky(4 * np.exp(-3 * h / 2e4) + 1e-8 * np.eye(900)) @ rng.normal(size=900)
    fitted = fit_exponential(semivariogram(places, field + rng.normal(0, math.sqrt(2), 900)))
    assert fitted.nugget == pytest.approx(2, abs=0.8)
    assert fitted.sill == pytest.approx(6, rel=0.25)
    assert fitted.range == pytest.approx(2e4, rel=0.5)


def test_too_few_classes_have_no_model():
    assert fit_exponential(semivariogram(np.zeros((0, 2)), np.zeros(0))) is None
    assert fit_exponential(semivariogram(np.zeros((50, 2)), np.arange(50.0))) is None  # all at one place
