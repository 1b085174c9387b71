import numpy as np
import pytest

from soc_assets.regression.target import Target, smeared


def lognormal(n: int = 20_000) -> np.ndarray:
    return np.random.default_rng(0).lognormal(3, 0.5, n)


@pytest.mark.parametrize("kind", ["none", "log1p", "box-cox"])
def test_inverse_undoes_the_transform(kind):
    oc = lognormal(200)
    target = Target.fit(kind, oc)
    np.testing.assert_allclose(target.inverse(target.forward(oc)), oc, rtol=1e-9)


def test_box_cox_of_a_lognormal_is_nearly_a_logarithm_and_of_a_normal_nearly_nothing():
    assert Target.fit("box-cox", lognormal() - 1).power == pytest.approx(0, abs=0.03)
    normal = np.random.default_rng(1).normal(50, 8, 20_000)
    assert Target.fit("box-cox", normal).power == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("kind", ["log1p", "box-cox"])
def test_smearing_makes_the_mean_unbiased_where_the_plain_inverse_is_a_median(kind):
    oc = lognormal()
    target = Target.fit(kind, oc)
    center = target.forward(oc).mean()
    residuals = target.forward(oc) - center
    assert target.mean(np.array([center]), residuals)[0] == pytest.approx(oc.mean(), rel=0.01)
    assert target.mean(np.array([center]), None)[0] == pytest.approx(np.median(oc), rel=0.02)


def test_smearing_of_a_logarithm_by_hand():
    residuals = np.array([-0.2, 0.0, 0.4])
    found = Target("log1p").mean(np.array([2.0, 3.0]), residuals)
    np.testing.assert_allclose(found, np.exp([2.0, 3.0]) * np.exp(residuals).mean() - 1)


def test_many_residuals_are_stood_for_by_few():
    residuals = np.random.default_rng(2).normal(0, 0.5, 5_003)
    assert len(smeared(residuals)) == 200
    assert smeared(residuals).mean() == pytest.approx(residuals.mean(), abs=2e-3)


def test_predictions_are_never_below_zero():
    assert Target("log1p").inverse(np.array([-3.0]))[0] == 0
    assert Target("box-cox", 0.5).inverse(np.array([-9.0]))[0] == 0
