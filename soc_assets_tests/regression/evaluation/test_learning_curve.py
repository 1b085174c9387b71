from itertools import pairwise

import numpy as np

from soc_assets.regression.evaluation.learning_curve import some_locations


def test_parts_of_the_locations_are_nested_and_keep_locations_whole():
    location = np.repeat([f"l{number}" for number in range(37)], [1 + number % 4 for number in range(37)])
    parts = [some_locations(location, share, 3) for share in (0.1, 0.25, 0.5, 1.0)]
    assert [len(set(location[part])) for part in parts] == [4, 10, 19, 37]
    for less, more in pairwise(parts):
        assert not (less & ~more).any()
    for part in parts:
        assert not set(location[part]) & set(location[~part])
    assert (some_locations(location, 0.25, 4) != parts[1]).any()
    assert some_locations(location[::-1], 0.25, 3)[::-1].tolist() == parts[1].tolist()
    assert some_locations(np.empty(0), 0.5, 0).tolist() == []
