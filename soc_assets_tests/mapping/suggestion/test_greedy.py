"""The choice of sites against its definition."""

import numpy as np
import pytest

from soc_assets.mapping.suggestion.greedy import choose_sites


@pytest.mark.parametrize(("n", "count"), [(1, 3), (7, 7), (60, 12), (61, 1)])
def test_each_site_is_farthest_from_samples_and_earlier_sites(n, count):
    rng = np.random.default_rng(n)
    places, seen, weight = rng.normal(size=(n, 3)), rng.normal(size=(5, 3)), rng.uniform(0.5, 2, n)
    where = rng.uniform(0, 100, (n, 2))
    distance = np.linalg.norm(places[:, None] - seen, axis=2).min(axis=1) / 2.5
    found = choose_sites(places, distance, weight, where, count, 10.0, 2.5)
    chosen: list[int] = []
    for position, novelty in zip(found.positions, found.novelty, strict=True):
        known = [*seen, *places[chosen]]
        novel = np.array([min(np.linalg.norm(place - other) for other in known) / 2.5 for place in places])
        free = [
            i for i in range(n) if i not in chosen and all(np.linalg.norm(where[i] - where[j]) >= 10 for j in chosen)
        ]
        assert position == max(free, key=lambda i: novel[i] * weight[i])
        assert novelty == pytest.approx(novel[position])
        chosen.append(int(position))
    left = [i for i in range(n) if all(np.linalg.norm(where[i] - where[j]) >= 10 for j in chosen)]
    assert len(chosen) == count or not set(left) - set(chosen)


def test_of_equal_places_the_first_is_taken_and_none_twice():
    places, where = np.ones((4, 2)), np.arange(8.0).reshape(4, 2)
    found = choose_sites(places, np.ones(4), np.ones(4), where, 9, 0.0)
    assert found.positions.tolist() == [0, 1, 2, 3]
    assert found.novelty.tolist() == [1, 0, 0, 0]


def test_nothing_to_choose_from_gives_no_site():
    assert len(choose_sites(np.empty((0, 2)), np.empty(0), np.empty(0), np.empty((0, 2)), 3, 1.0).positions) == 0
