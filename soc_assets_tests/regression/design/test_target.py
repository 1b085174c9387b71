import numpy as np
import pytest

from soc_assets.regression.design.target import Target, smeared


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


AWKWARD = (1, 2, 150, 199, 200, 201, 250, 300, 399, 400, 475, 594, 799, 1100, 3490, 5003, 10_100)


@pytest.mark.parametrize("tail", [40, 3])  # degrees of freedom: nearly normal, and heavy
def test_few_numbers_stand_for_many_residuals_at_every_size(tail):
    """The definition is the mean over all residuals: sum over i of inverse(prediction + residual i) / n."""
    rng = np.random.default_rng(2)
    for n in AWKWARD:
        residuals = np.clip(0.5 * rng.standard_t(tail, n), -3, 3)
        stand_in = smeared(residuals)
        assert len(stand_in) <= 200
        assert stand_in.weights.sum() == pytest.approx(1, abs=1e-12)
        assert stand_in.mean() == pytest.approx(residuals.mean(), abs=1e-12)
        assert stand_in.weights @ np.exp(stand_in.numbers) == pytest.approx(np.exp(residuals).mean(), rel=2e-4)
        for target in (Target("log1p"), Target("box-cox", 0.3), Target("box-cox", -0.2)):
            at = target.forward(np.array([5.0, 12.0]))
            right = target.inverse(at[:, None] + residuals).mean(axis=1)
            np.testing.assert_allclose(target.mean(at, residuals), right, rtol=5e-4)


def test_three_hundred_residuals_raise_no_prediction():
    residuals = np.random.default_rng(0).normal(0, 0.7, 300)
    residuals -= residuals.mean()
    found = Target("log1p").mean(np.log1p([30.0]), residuals)[0]
    assert found == pytest.approx(np.expm1(np.log1p(30.0) + residuals).mean(), rel=1e-4)


def test_equal_residuals_are_one_number():
    assert len(smeared(np.full(500, 0.25))) == 1
    assert smeared(np.full(500, 0.25)).mean() == 0.25


def test_predictions_are_never_below_zero():
    assert Target("log1p").inverse(np.array([-3.0]))[0] == 0
    assert Target("box-cox", 0.5).inverse(np.array([-9.0]))[0] == 0
    assert Target("none").inverse(np.array([-9.0]))[0] == 0


@pytest.mark.parametrize("kind", ["none", "log1p", "box-cox"])
def test_nothing_above_the_most_of_the_training_samples_is_predicted(kind):
    oc = np.random.default_rng(0).lognormal(3, 0.5, 400)
    target = Target.fit(kind, oc)
    far = target.forward(np.array([oc.max() * 3]))
    assert target.inverse(far)[0] == target.mean(far, np.array([-0.1, 0.1]))[0] == oc.max()
    near = target.forward(np.array([np.median(oc)]))
    unlimited = Target(kind, target.power)  # what lies inside is as it was
    np.testing.assert_allclose(target.mean(near, np.array([-0.1, 0.1])), unlimited.mean(near, np.array([-0.1, 0.1])))
