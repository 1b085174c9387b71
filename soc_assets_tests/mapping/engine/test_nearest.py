"""The nearest training sample of a map's cells, against all differences."""

import numpy as np
import pytest
import torch

from soc_assets.mapping.engine import nearest
from soc_assets.mapping.engine.nearest import nearest_distance


@pytest.mark.parametrize("m", [1, 3, 255, 513, 1_000, 8_191, 8_200])
@pytest.mark.parametrize("n", [1, 37])
def test_distance_is_the_least_of_all(m, n):
    stream = np.random.default_rng(m)
    training, place = stream.normal(100, 1, (m, 5)), stream.normal(100, 1, (n, 5))
    place[0] = training[m // 2]  # a training sample itself: products alone would lose all its digits
    found = nearest_distance(*(torch.from_numpy(each.astype(np.float32)) for each in (place, training)))
    place, training = place.astype(np.float32).astype(float), training.astype(np.float32).astype(float)
    expected = np.sqrt(((place[:, None] - training) ** 2).sum(axis=2)).min(axis=1)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-7)
    assert found[0] == 0


def test_place_that_has_a_missing_number_has_no_distance():
    training = torch.randn(600, 3)
    assert nearest_distance(torch.tensor([[0.0, np.nan, 0.0]]), training).isnan().all()


def test_memory_is_bounded_by_parts_of_the_places(monkeypatch):
    training, place = torch.randn(300, 4), torch.randn(50, 4)
    whole = nearest_distance(place, training)
    monkeypatch.setattr(nearest, "_PAIRS", 3_000)
    assert torch.equal(nearest_distance(place, training), whole)
