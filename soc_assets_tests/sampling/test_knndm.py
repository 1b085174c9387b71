import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from soc_assets.sampling.knndm import held_out_distances, match_distances, nearest, nearest_other


def grid_of_places(edge: float = 100.0, count: int = 40) -> np.ndarray:
    along = np.linspace(0, edge, count)
    return np.array([(x, y) for x in along for y in along])


def test_distances_by_hand():
    points = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 5.0]])
    assert nearest(np.array([[0.0, 1.0]]), points).tolist() == [1.0]
    assert nearest_other(points).tolist() == [5.0, 1.0, 1.0]
    assert held_out_distances(points, np.array([0, 1, 1])).tolist() == pytest.approx([5.0, 5.0, np.hypot(3, 5)])


def test_regular_samples_get_random_folds():
    points = np.random.default_rng(0).uniform(0, 100, (300, 2))
    found = match_distances(points, grid_of_places(), 5, seed=1)
    assert found.clusters == 0
    assert np.bincount(found.fold).tolist() == [60] * 5


def test_clustered_samples_get_folds_as_hard_as_the_map():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(rng.uniform(0, 100, 2), 2, (30, 2)) for _ in range(12)])
    area, found = grid_of_places(), match_distances(points, grid_of_places(), 5, seed=1)
    wanted = nearest(area, points)
    random = rng.permutation(len(points)) % 5
    of_random = wasserstein_distance(held_out_distances(points, random), wanted)
    assert found.clusters >= 5
    assert found.distance < 0.5 * of_random
    assert found.distance == pytest.approx(wasserstein_distance(held_out_distances(points, found.fold), wanted))
    assert np.bincount(found.fold).max() <= 0.5 * len(points)
    assert (match_distances(points, area, 5, seed=1).fold == found.fold).all()
