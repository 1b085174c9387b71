import numpy as np

from soc_assets.sampling.training_part import training_rows

FOLD = np.array([0, 0, 1, 1, 2, -1])


def test_training_part_is_every_other_fold():
    assert training_rows(FOLD, 0).tolist() == [2, 3, 4]


def test_samples_at_a_test_location_are_dropped():
    location = np.array(["a", "b", "a", "c", "d", "e"])
    assert training_rows(FOLD, 0, location).tolist() == [3, 4]


def test_samples_nearer_than_the_buffer_are_dropped():
    places = np.array([[0.0, 0], [10, 0], [14, 0], [16, 0], [100, 0], [101, 0]])
    assert training_rows(FOLD, 0, places=places, buffer=5.0).tolist() == [3, 4]
    assert training_rows(FOLD, 0, places=places, buffer=6.5).tolist() == [4]
