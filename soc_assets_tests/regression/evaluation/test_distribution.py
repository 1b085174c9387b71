"""Scores of predicted distributions against their definitions."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from soc_assets.regression.evaluation.distribution import (
    distribution_scores,
    integral_transform,
    interval_score,
    ranked_probability,
)
from soc_assets.regression.models.conformal import PROBABILITIES


@pytest.mark.parametrize("observed", [-1.3, 0.0, 0.4, 2.5])
def test_ranked_probability_is_the_integral_of_the_squared_difference(observed):
    quantiles = norm.ppf(PROBABILITIES)[None]
    below, above = quad(lambda z: norm.cdf(z) ** 2, -8, observed)[0], quad(lambda z: norm.sf(z) ** 2, observed, 8)[0]
    assert ranked_probability(np.array([observed]), quantiles)[0] == pytest.approx(below + above, rel=0.01)


def test_better_distributions_score_better():
    rng = np.random.default_rng(0)
    observed = rng.normal(size=3000)
    scores = {
        scale: ranked_probability(observed, np.tile(norm.ppf(PROBABILITIES, 0, scale), (3000, 1))).mean()
        for scale in (0.5, 1.0, 2.0)
    }
    assert min(scores, key=scores.__getitem__) == 1.0


def test_transform_is_uniform_for_what_is_right_and_not_for_what_is_too_narrow():
    observed = np.random.default_rng(0).normal(size=20_000)
    right = integral_transform(observed, np.tile(norm.ppf(PROBABILITIES), (20_000, 1)))
    np.testing.assert_allclose(np.histogram(right, np.linspace(0, 1, 11))[0], 2000, rtol=0.1)
    narrow = integral_transform(observed, np.tile(norm.ppf(PROBABILITIES, 0, 0.5), (20_000, 1)))
    assert ((narrow < 0.05) | (narrow > 0.95)).mean() > 0.3


def test_transform_at_the_ends_and_between_equal_quantiles():
    quantiles = np.concatenate([np.zeros(20), np.linspace(1, 18, 18)])[None]
    found = integral_transform(np.array([-1.0]), quantiles), integral_transform(np.array([99.0]), quantiles)
    assert (found[0][0], found[1][0]) == (0.0125, 0.9875)
    assert 0.475 <= integral_transform(np.array([0.5]), quantiles)[0] <= 0.55
    assert np.isfinite(integral_transform(np.array([0.0]), quantiles)).all()


def test_interval_score_is_the_mean_pinball_loss_of_its_ends():
    rng = np.random.default_rng(0)
    observed, lower = rng.normal(size=(2, 50))
    upper = lower + rng.uniform(0, 2, 50)
    pinball = [
        np.where(observed >= q, p * (observed - q), (p - 1) * (observed - q)) for p, q in ((0.1, lower), (0.9, upper))
    ]
    np.testing.assert_allclose(interval_score(observed, lower, upper, 0.8), 2 / 0.2 * sum(pinball))


def test_models_without_a_distribution_have_no_scores():
    found = distribution_scores(np.ones(3), np.zeros(3), np.ones(3), 0.9, np.empty((3, 0)))
    assert all(np.isnan(values).all() for values in found.values())
