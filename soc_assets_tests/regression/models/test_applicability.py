import numpy as np
import pytest

from soc_assets.regression.models.applicability import Applicability, mean_pairwise_distance, upper_whisker

SQUARE = np.array([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 2.0]])  # sample sd of each column: 2 / sqrt(3)
SD = 2 / np.sqrt(3)


def test_mean_distance_of_a_square_by_hand():
    edge, diagonal = 2.0, 2 * np.sqrt(2)
    assert mean_pairwise_distance(SQUARE) == pytest.approx((4 * edge + 2 * diagonal) / 6)


def test_index_with_equal_weights_by_hand():
    area = Applicability.fit(SQUARE, np.ones(2), np.array([0, 1, 2, 3]))
    mean = (4 * 2 + 2 * 2 * np.sqrt(2)) / 6 / SD
    assert area.mean_distance == pytest.approx(mean)
    places = np.array([[0.0, 0.0], [1.0, 1.0], [5.0, 2.0]])
    expected = np.array([0, np.sqrt(2) / SD, 3 / SD]) / mean
    np.testing.assert_allclose(area.index(places), expected, rtol=1e-6)
    assert area.threshold == pytest.approx(2 / SD / mean)  # every corner is one edge from the nearest of another fold
    assert area.inside(places).tolist() == [True, True, False]


def test_importance_stretches_its_axis_by_hand():
    area = Applicability.fit(SQUARE, np.array([3.0, 1.0]), np.array([0, 1, 2, 3]))  # weights 1.5 and 0.5
    sideways, upwards = 1.5 * 2 / SD, 0.5 * 2 / SD
    mean = (2 * sideways + 2 * upwards + 2 * np.hypot(sideways, upwards)) / 6
    assert area.mean_distance == pytest.approx(mean)
    np.testing.assert_allclose(area.index(np.array([[3.0, 0.0], [0.0, 3.0]])), np.array([1.5, 0.5]) / SD / mean)


def test_feature_without_importance_does_not_count():
    area = Applicability.fit(SQUARE, np.array([1.0, 0.0]), np.array([0, 1, 2, 3]))
    assert area.index(np.array([[0.0, 1e6]])) == 0


def test_training_samples_of_one_fold_are_not_compared_with_each_other():
    line = np.array([[0.0], [0.1], [10.0], [10.1]])
    apart = Applicability.fit(line, np.ones(1), np.array([0, 0, 1, 1]))
    together = Applicability.fit(line, np.ones(1), np.array([0, 1, 0, 1]))
    assert apart.threshold == pytest.approx(10 / 0.1 * together.threshold, rel=1e-3)


def test_threshold_leaves_outliers_out():
    assert upper_whisker(np.array([1.0, 2, 3, 4, 100])) == 4
    assert upper_whisker(np.array([1.0, 2, 3, 4, 5])) == 5
