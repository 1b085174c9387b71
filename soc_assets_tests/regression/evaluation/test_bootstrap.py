import numpy as np
import pytest

from soc_assets.regression.evaluation.bootstrap import (
    Draws,
    drawn_quantiles,
    intervals,
    paired_difference,
    percentile,
    resampled,
)
from soc_assets.regression.metrics import scores


def drawn_by_hand(observed, predicted, location, times):
    """The scores of one draw, by repeating the samples."""
    repeats = np.repeat(np.arange(len(observed)), times[location].astype(int))
    return scores(observed[repeats], predicted[repeats])


def test_scores_of_every_draw_are_those_of_the_repeated_samples():
    rng = np.random.default_rng(0)
    observed = rng.lognormal(3, 0.6, 60).round(1)
    predicted = observed + rng.normal(0, 5, 60)
    locations = np.array([f"l{number // 3}" for number in range(60)])
    draws = Draws.of(locations, seed=1, draws=25)
    found = resampled(observed, predicted, draws)
    for number, times in enumerate(np.concatenate(list(draws.times()))):
        expected = drawn_by_hand(observed, predicted, draws.unit, times)
        for name in found:
            assert found[name][number] == pytest.approx(getattr(expected, name)), name


def test_samples_of_a_location_are_drawn_together_so_the_interval_is_wider():
    rng = np.random.default_rng(2)
    shared = np.repeat(rng.normal(0, 5, 40), 10)
    observed = np.repeat(rng.normal(20, 8, 40), 10)
    locations = np.repeat(np.arange(40), 10)
    clustered = intervals(observed, observed + shared, Draws.of(locations, 0))["rmse"]
    single = intervals(observed, observed + shared, Draws.of(np.arange(400), 0))["rmse"]
    assert np.diff(clustered) > 2 * np.diff(single)


def test_interval_covers_the_score_and_does_not_depend_on_the_order():
    rng = np.random.default_rng(3)
    observed = rng.normal(20, 8, 300)
    predicted, locations = observed + rng.normal(0, 4, 300), np.array([f"l{i}" for i in range(300)])
    low, high = intervals(observed, predicted, Draws.of(locations, 5))["r2"]
    assert low < scores(observed, predicted).r2 < high
    order = rng.permutation(300)
    again = intervals(observed[order], predicted[order], Draws.of(locations[order], 5))["r2"]
    assert again == pytest.approx([low, high])


def test_paired_difference_sees_what_two_intervals_hide():
    rng = np.random.default_rng(4)
    observed = rng.normal(20, 8, 300)
    noise = rng.normal(0, 6, 300)
    good, bad = observed + noise, observed + 1.08 * noise
    draws = Draws.of(np.arange(300), 0)
    found = paired_difference(observed, good, bad, draws)
    assert found.better
    assert found.value == pytest.approx(scores(observed, good).r2 - scores(observed, bad).r2)
    assert intervals(observed, good, draws)["r2"][0] < scores(observed, bad).r2  # alone, they overlap
    assert not paired_difference(observed, good, good, draws).better


def test_percentile_leaves_undefined_draws_out():
    assert percentile(np.array([np.nan, 1.0, 1.0])).tolist() == [1, 1]
    assert np.isnan(percentile(np.array([np.nan]))).all()


@pytest.mark.parametrize(("n", "units", "draws"), [(1, 1, 3), (2, 2, 50), (7, 3, 40), (64, 9, 30), (513, 200, 600)])
def test_quantiles_of_a_draw_are_those_of_its_samples(n, units, draws):
    """Ties, samples that stand alone, draws that hold none of a part's units, and more than fit at once."""
    rng = np.random.default_rng(n)
    values, drawn = rng.integers(0, 1 + n // 2, n).astype(float), Draws.of(rng.integers(0, units, n), 2, draws)
    part = rng.random(n) < 0.6 if n > 7 else np.arange(n) == 0
    shares = (0.0, 0.25, 0.5, 0.9, 1.0)
    found, empty = drawn_quantiles(values[part], drawn.part(part), shares), 0
    for row, times in zip(found, np.concatenate(list(drawn.times())), strict=True):
        repeated = np.repeat(values[part], times[drawn.unit[part]].astype(int))
        empty += not len(repeated)
        expected = np.quantile(repeated, shares) if len(repeated) else np.full(5, np.nan)
        np.testing.assert_allclose(row, expected, rtol=1e-12)
    assert (empty > 0) == (n == 7)
    assert np.isnan(drawn_quantiles(values[:0], drawn.part(np.zeros(n, bool)), shares)).all()
