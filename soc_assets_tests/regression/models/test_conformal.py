import numpy as np
import pytest

from soc_assets.regression.models.conformal import Calibration, conformal_quantile, coverage
from soc_assets.regression.models.learners import Predicted


def test_quantile_by_hand():
    scores = np.arange(1.0, 11.0)  # 10 scores: ceil(11 * 0.9) = 10, ceil(11 * 0.5) = 6
    assert conformal_quantile(scores, 0.9) == 10
    assert conformal_quantile(scores, 0.5) == 6
    assert conformal_quantile(scores, 0.999) == 10


def test_ends_are_calibrated_apart():
    error = np.concatenate([np.full(90, -1.0), np.full(10, 5.0)])
    predicted = Predicted(np.zeros(100), np.zeros(100))
    found = Calibration.fit(error, predicted, 0.9)
    lower, upper = found.interval(Predicted(np.zeros(1), np.zeros(1)))
    assert (lower[0], upper[0]) == (pytest.approx(-1), pytest.approx(5))


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_new_samples_are_covered_as_promised_also_where_noise_grows_with_the_spread(level):
    rng = np.random.default_rng(1)
    spread = rng.uniform(0.1, 3, 8000)
    observed = rng.gumbel(0, 1, 8000) * spread
    half = slice(4000), slice(4000, None)
    parts = [Predicted(np.zeros(4000), spread[part]) for part in half]
    calibration = Calibration.fit(observed[half[0]], parts[0], level)
    assert coverage(observed[half[1]], *calibration.interval(parts[1])) == pytest.approx(level, abs=0.02)
    lower, upper = calibration.interval(parts[1])
    assert np.corrcoef(upper - lower, spread[half[1]])[0, 1] > 0.9


def test_coverage_counts_the_ends():
    assert coverage(np.array([1.0, 2, 3]), np.ones(3), np.full(3, 2.0)) == pytest.approx(2 / 3)
