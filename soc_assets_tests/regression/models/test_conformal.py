import numpy as np
import pytest
from scipy.stats import norm

from soc_assets.regression.models.conformal import (
    PROBABILITIES,
    Calibration,
    conformal_quantile,
    coverage,
    groups_of,
)
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


@pytest.mark.parametrize("n", [3, 199, 200, 301, 499, 1000])
def test_each_group_of_predicted_values_has_its_own_quantiles(n):
    rng = np.random.default_rng(n)
    value = rng.normal(size=n)
    observed = value + rng.normal(size=n) * np.exp(value)  # noise grows with the prediction
    found = Calibration.fit(observed, Predicted(value, np.zeros(n)), 0.8)
    groups = groups_of(value)
    assert len(groups) == max(1, min(5, n // 100))
    assert sum(map(len, groups)) == n
    assert len(groups) == 1 or min(map(len, groups)) > 98
    error = observed - value
    sizes = [len(rows) for rows in groups]
    for number, rows in enumerate(groups):
        middle = (sum(sizes[:number]) + sizes[number] / 2) / n
        above = np.interp(middle, [0.5, 0.9], [0.8, 0.14]) if len(groups) > 1 else 0.5
        for side, sign, missed in ((1, 1, 0.2 * above), (0, -1, 0.2 * (1 - above))):
            rank = min(len(rows), int(np.ceil((len(rows) + 1) * (1 - missed) - 1e-9)))
            assert found.reach[side][number] * found.residual == pytest.approx(np.sort(sign * error[rows])[rank - 1])
        assert found.knots[number] == np.median(value[rows])
    at = Predicted(np.array([-99.0, *found.knots, 99.0]), np.zeros(len(groups) + 2))
    _, upper = found.interval(at)
    expected = [found.reach[1][0], *found.reach[1], found.reach[1][-1]]
    np.testing.assert_allclose((upper - at.value) / found.residual, expected)


def test_intervals_hold_in_every_fifth_of_the_predictions():
    rng = np.random.default_rng(0)
    value = rng.normal(size=(2, 5000))
    observed = value + rng.gumbel(0, 1, (2, 5000)) * np.exp(value)
    calibration = Calibration.fit(observed[0], Predicted(value[0], np.zeros(5000)), 0.9)
    lower, upper = calibration.interval(Predicted(value[1], np.zeros(5000)))
    fifth = np.searchsorted(np.quantile(value[1], [0.2, 0.4, 0.6, 0.8]), value[1])
    for number in range(5):
        inside = fifth == number
        assert coverage(observed[1][inside], lower[inside], upper[inside]) == pytest.approx(0.9, abs=0.05)
    constant = conformal_quantile(np.abs(observed[0] - value[0]), 0.9)  # of one width: holds only on average
    assert (np.abs(observed[1] - value[1]) <= constant)[fifth == 4].mean() < 0.75


def test_predictions_that_are_all_equal_are_one_group():
    found = Calibration.fit(np.arange(500.0), Predicted(np.full(500, 7.0), np.zeros(500)), 0.9)
    assert found.knots == (7.0,)


def test_a_stated_deviation_is_taken_as_it_is():
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.1, 5, 4000)
    observed = rng.normal(size=4000) * spread
    found = Calibration.fit(observed, Predicted(np.zeros(4000), spread), 0.9, whole=True)
    np.testing.assert_allclose(found.reach, 1.645, rtol=0.06)  # one group: as much above as below
    assert found.residual == 0
    np.testing.assert_allclose(found.curve[-2], 1.645, rtol=0.06)  # that of 90 %, with as much above as below


def test_quantiles_are_those_of_the_distribution():
    rng = np.random.default_rng(0)
    value = rng.normal(size=20_000)
    found = Calibration.fit(value + rng.normal(size=20_000), Predicted(value, np.zeros(20_000)), 0.9)
    quantiles = found.quantiles(Predicted(np.array([0.3]), np.zeros(1)))[0]
    np.testing.assert_allclose(quantiles, norm.ppf(PROBABILITIES, 0.3, 1), atol=0.08)
    assert (np.diff(quantiles) >= 0).all()
    assert len(quantiles) == len(PROBABILITIES) == 38


def test_coverage_counts_the_ends():
    assert coverage(np.array([1.0, 2, 3]), np.ones(3), np.full(3, 2.0)) == pytest.approx(2 / 3)


@pytest.mark.parametrize(("tied", "other"), [(499, 1), (450, 50), (990, 10), (300, 300)])
def test_ties_make_no_group_that_is_too_small(tied, other):
    value = np.concatenate([np.zeros(tied), np.linspace(1, 2, other)])
    sizes = [len(rows) for rows in groups_of(value)]
    assert sum(sizes) == tied + other
    assert len(sizes) == 1 or min(sizes) >= 90
    assert len({bool(rows[0] < tied) for rows in groups_of(value[:tied])}) == 1


@pytest.mark.parametrize("n", [199, 200, 500, 1500, 4000])
def test_high_level_is_kept_with_as_many_groups_as_it_allows(n):
    covered = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        value = rng.normal(size=(2, n))
        observed = value + rng.normal(size=(2, n))
        found = Calibration.fit(observed[0], Predicted(value[0], np.zeros(n)), 0.99)
        covered.append(coverage(observed[1], *found.interval(Predicted(value[1], np.zeros(n)))))
    assert np.mean(covered) == pytest.approx(0.99, abs=0.004)


def test_what_inner_folds_differ_by_is_in_every_interval():
    """Far from its data kriging predicts the mean of its training part, which differs from fold to fold."""
    covered = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        block, fold = np.repeat(np.arange(24), 25), np.repeat(np.arange(24), 25) % 3
        observed = rng.normal(size=24)[block] + 0.3 * rng.normal(size=600)
        value = np.array([observed[fold != number].mean() for number in range(3)])[fold] + 0.01 * rng.normal(size=600)
        found = Calibration.fit(observed, Predicted(value, np.ones(600)), 0.9, whole=True, fold=fold)
        new = np.repeat(rng.normal(size=24), 25) + 0.3 * rng.normal(size=600)
        mean = Predicted(observed.mean() + 0.01 * rng.normal(size=600), np.ones(600))
        covered.append(coverage(new, *found.interval(mean)))
    assert np.mean(covered) == pytest.approx(0.9, abs=0.03)
