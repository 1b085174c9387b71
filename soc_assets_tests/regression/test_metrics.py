import math

import numpy as np
import pytest

from soc_assets.regression.metrics import r_squared, scores, target_summary


def test_r2_is_the_coefficient_of_determination_not_a_squared_correlation():
    observed = np.array([10.0, 20.0, 30.0, 40.0])
    biased = observed + 15  # correlation 1
    assert scores(observed, biased).r2 == pytest.approx(1 - 4 * 225 / 500)
    assert scores(observed, observed).r2 == 1


def test_scores_of_a_worked_example():
    found = scores(np.array([10.0, 20.0, 30.0, 40.0]), np.array([12.0, 18.0, 33.0, 41.0]))
    assert found.n == 4
    assert found.rmse == pytest.approx(math.sqrt((4 + 4 + 9 + 1) / 4))
    assert found.mae == pytest.approx(2)
    assert found.bias == pytest.approx(1)
    assert found.rpiq == pytest.approx(15 / found.rmse)


def test_concordance_and_squared_correlation_by_hand():
    observed, predicted = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 5.0])
    found = scores(observed, predicted)  # means 2 and 3, variances 2/3 and 2, covariance 1
    assert found.ccc == pytest.approx(2 * 1 / (2 / 3 + 2 + 1))
    assert found.squared_pearson == pytest.approx(1 / (2 / 3 * 2))
    assert found.iqr == pytest.approx(1)
    assert scores(observed, observed + 7).squared_pearson == pytest.approx(1)
    assert scores(observed, observed + 7).ccc < 0.1


def test_robust_scores_hardly_see_a_peat_and_count_no_prediction_below_zero():
    observed, predicted = np.array([10.0, 20.0, 30.0, 40.0, 50.0]), np.array([11.0, 18.0, 30.0, 44.0, 47.0])
    found = scores(observed, predicted)
    assert found.medae == 2
    logs, expected = np.log([11, 21, 31, 41, 51]), np.log([12, 19, 31, 45, 48])
    assert found.r2_log == pytest.approx(1 - ((logs - expected) ** 2).sum() / ((logs - logs.mean()) ** 2).sum())
    peat = scores(np.append(observed, 400.0), np.append(predicted, 150.0))
    assert peat.medae == 2.5 and peat.mae > 40
    below = scores(np.array([0.0, 10.0]), np.array([-5.0, 10.0]))
    assert below.r2_log == 1 and below.r2 < 1


def test_r2_is_nan_where_it_is_undefined():
    assert math.isnan(r_squared(np.array([5.0]), np.array([4.0])))
    assert math.isnan(r_squared(np.array([5.0, 5.0]), np.array([4.0, 6.0])))
    assert scores(np.array([5.0]), np.array([4.0])).rmse == 1
    empty = scores(np.empty(0), np.empty(0))
    assert empty.n == 0
    assert math.isnan(empty.rmse)


def test_target_summary_has_one_row_per_split_with_the_tail_share():
    oc = np.array([10.0, 20.0, 60.0, 80.0, 30.0])
    summary = target_summary(oc, np.array(["train", "train", "train", "train", "test"], dtype=object))
    assert summary["split"].tolist() == ["train", "test"]
    train = summary.iloc[0]
    assert (train["n"], train["mean"], train["median"], train["share_above_50"]) == (4, 42.5, 40, 0.5)
    assert train["sd"] == pytest.approx(np.std(oc[:4], ddof=1))
