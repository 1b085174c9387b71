import numpy as np
import pytest

from soc_assets.errors import SamplingError
from soc_assets.sampling.balance import balance, bin_edges, tail_share
from soc_assets.settings import Sampling


@pytest.fixture(scope="module")
def oc():
    """13,000 values that look like Bavaria: median 16, mean 22 g/kg, at most 150."""
    values = np.exp(np.random.default_rng(3).normal(np.log(16), 0.8, 13_400))
    return values[values <= 150][:13_000]


def test_every_quantile_bin_reaches_three_quarters_of_the_fullest(oc):
    skewed = np.concatenate([oc[:2000], np.full(400, 12.0)])
    result = balance(skewed, Sampling(), seed=42)
    before, after = np.bincount(result.bin), np.bincount(result.bin, weights=result.multiplicity)
    assert before.min() < 0.75 * before.max()
    assert after.min() >= 0.75 * before.max()
    assert after.max() == before.max()
    assert (result.weight == 1).all()


def test_samples_of_a_bin_are_repeated_equally_often_but_for_a_rest(oc):
    result = balance(oc[:3000], Sampling(bins="width", n_bins=20, max_multiplicity=1000), seed=42)
    spread = [np.ptp(result.multiplicity[result.bin == b]) for b in np.unique(result.bin)]
    assert max(spread) == 1


def test_quantile_bins_hardly_move_the_tail_but_width_and_weights_do(oc):
    before = tail_share(oc)
    quantile = balance(oc, Sampling(), seed=42)
    width = balance(oc, Sampling(bins="width"), seed=42)
    weights = balance(oc, Sampling(balance="weights"), seed=42)
    assert before == pytest.approx(0.075, abs=0.01)
    assert tail_share(oc, quantile.multiplicity) == pytest.approx(before, abs=0.003)
    assert tail_share(oc, width.multiplicity) > 3 * before
    assert tail_share(oc, weights.weight) > 3 * before


def test_width_repeats_no_sample_more_often_than_max_multiplicity(oc):
    assert balance(oc, Sampling(bins="width"), seed=42).multiplicity.max() == 10
    assert balance(oc, Sampling(bins="width", max_multiplicity=3), seed=42).multiplicity.max() == 3


def test_fewer_samples_than_bins_share_fewer_bins():
    oc = np.array([3.0, 5, 8, 9, 11, 14, 20, 22, 30, 40, 90, 120])
    result = balance(oc, Sampling(), seed=42)
    assert len(np.unique(result.bin)) == 2
    one = balance(oc[:2], Sampling(), seed=42)
    assert one.bin.tolist() == [0, 0]
    assert one.multiplicity.sum() == 5  # min_per_bin


def test_equal_values_fall_into_one_bin_and_empty_bins_do_no_harm():
    same = balance(np.full(40, 7.0), Sampling(), seed=42)
    assert set(same.bin) == {0}
    assert set(same.multiplicity) == {1}
    lumps = np.concatenate([np.full(90, 7.0), np.full(10, 100.0)])
    for setting in (Sampling(), Sampling(bins="width"), Sampling(balance="weights"), Sampling(balance="none")):
        result = balance(lumps, setting, seed=42)
        assert len(np.unique(result.bin)) == 2
        assert np.isfinite(result.weight).all()
    assert (balance(np.full(9, 7.0), Sampling(balance="weights"), seed=1).weight == 1).all()


def test_edges_increase_strictly_where_values_repeat():
    edges = bin_edges(np.repeat([1.0, 2.0, 2.0, 2.0, 5.0], 40), Sampling())
    assert (np.diff(edges) > 0).all()


def test_weights_have_mean_one_repeat_nothing_and_stay_below_the_cap(oc):
    result = balance(oc, Sampling(balance="weights", bins="width"), seed=42)
    assert (result.multiplicity == 1).all()
    assert result.weight.mean() == pytest.approx(1, abs=1e-5)
    assert result.weight.max() / np.median(result.weight) == pytest.approx(10, rel=1e-5)
    assert np.corrcoef(oc, result.weight)[0, 1] > 0.5


def test_none_changes_nothing(oc):
    result = balance(oc, Sampling(balance="none"), seed=42)
    assert (result.multiplicity == 1).all()
    assert (result.weight == 1).all()


def test_draw_repeats_under_the_seed_and_differs_under_another(oc):
    first, again, other = (balance(oc[:900], Sampling(bins="width"), seed).multiplicity for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_nothing_to_balance_is_an_error():
    with pytest.raises(SamplingError, match="no training sample"):
        balance(np.array([]), Sampling(), seed=42)


def test_tail_share_counts_repeats():
    assert tail_share(np.array([10.0, 60.0])) == 0.5
    assert tail_share(np.array([10.0, 60.0]), np.array([1, 3])) == 0.75
    assert tail_share(np.array([10.0, 50.0]), threshold=50) == 0
