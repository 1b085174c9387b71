from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from soc_assets.sampling import knndm
from soc_assets.sampling.knndm import halves, held_out_distances, match_distances, nearest, nearest_other
from soc_assets_tests.reported import reported


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


def test_many_locations_get_folds_as_hard_as_the_map_too(monkeypatch):
    """Groups of neighbours instead of single locations: nearly the same answer, whatever is done above the limit."""
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(rng.uniform(0, 100, 2), 2, (50, 2)) for _ in range(24)])
    area = grid_of_places()
    exact = match_distances(points, area, 5, seed=1)
    for name, value in (("_MOST_HIERARCHICAL", 500), ("_GROUPS", 256), ("_LOOKED_AT", 600)):
        monkeypatch.setattr(knndm, name, value)
    with reported() as told:
        found = match_distances(points, area, 5, 1)
    measured = wasserstein_distance(held_out_distances(points, found.fold), nearest(area, points))
    assert measured < 1.5 * exact.distance + 0.5
    assert len(np.unique(found.fold)) == 5
    assert np.bincount(found.fold).max() <= 0.5 * len(points)
    assert (match_distances(points, area, 5, seed=1).fold == found.fold).all()
    assert told[0].done == 0
    assert len(told) == told[0].total


def test_halves_of_halves_hold_neighbours_together():
    points = np.random.default_rng(2).uniform(0, 1, (1000, 2))
    levels = halves(points)
    assert [level.max() + 1 for level in levels] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    for coarse, fine in pairwise(levels):
        assert len(np.unique(coarse * 10_000 + fine)) == fine.max() + 1  # each is inside one of the level before
    assert np.bincount(levels[5]).min() >= 31
    spread = [points[levels[6] == group].std(axis=0).max() for group in range(64)]
    assert max(spread) < 0.1
    assert len(halves(np.zeros((50, 2)))[-1]) == 50
