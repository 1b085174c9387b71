import numpy as np
import pandas as pd
import pytest

from soc_assets.errors import SamplingError
from soc_assets.sampling.split import split_by_location
from soc_assets.settings import Sampling


def names(n):
    return np.array([f"l{i:05d}" for i in range(n)], dtype=object)


def counts(split):
    return {name: int((split == name).sum()) for name in ("train", "validation", "test")}


def test_shares_of_locations_are_64_16_20():
    assert counts(split_by_location(names(1000), Sampling())) == {"train": 640, "validation": 160, "test": 200}


def test_all_samples_of_a_location_share_its_split():
    locations = np.repeat(names(100), np.arange(100) % 7 + 1)
    table = pd.DataFrame({"location": locations, "split": split_by_location(locations, Sampling())})
    assert (table.groupby("location")["split"].nunique() == 1).all()


def test_split_depends_on_the_seed_and_not_on_the_order_of_rows():
    locations = np.repeat(names(200), 3)
    split = split_by_location(locations, Sampling())
    order = np.random.default_rng(1).permutation(len(locations))
    assert (split_by_location(locations[order], Sampling()) == split[order]).all()
    assert (split_by_location(locations, Sampling(seed=43)) != split).any()


@pytest.mark.parametrize("n", [3, 4, 5, 7])
def test_every_split_has_a_location_even_of_few(n):
    assert min(counts(split_by_location(names(n), Sampling())).values()) >= 1
    greedy = Sampling(test_fraction=0.55, validation_fraction=0.44)
    assert min(counts(split_by_location(names(n), greedy)).values()) >= 1


def test_fractions_of_zero_leave_a_split_empty():
    sampling = Sampling(test_fraction=0, validation_fraction=0)
    assert counts(split_by_location(names(50), sampling)) == {"train": 50, "validation": 0, "test": 0}
    assert counts(split_by_location(names(50), Sampling(validation_fraction=0)))["test"] == 10


def test_fewer_than_three_locations_are_an_error():
    with pytest.raises(SamplingError, match=r"at 2 location\(s\).*at least 3"):
        split_by_location(np.repeat(names(2), 500), Sampling())


def test_new_locations_leave_the_others_where_they_were_and_restore_the_shares():
    before = pd.DataFrame({"location_id": names(100), "split": split_by_location(names(100), Sampling())})
    more = names(200)
    after = split_by_location(more, Sampling(), previous=before)
    assert (after[:100] == before["split"]).all()
    assert counts(after) == {"train": 128, "validation": 32, "test": 40}
    assert len(set(after[100:])) == 3


def test_locations_that_have_gone_do_not_unsettle_the_others():
    before = pd.DataFrame({"location_id": names(100), "split": split_by_location(names(100), Sampling())})
    rest = names(100)[::2]
    assert (split_by_location(rest, Sampling(), previous=before) == before["split"][::2]).all()


def test_an_earlier_split_that_leaves_nothing_to_train_on_is_an_error_with_a_cure():
    before = pd.DataFrame({"location_id": names(3), "split": ["validation", "test", "test"]})
    with pytest.raises(SamplingError, match=r"no location in train.*Another seed"):
        split_by_location(names(3), Sampling(), previous=before)
