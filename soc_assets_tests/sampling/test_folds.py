import numpy as np
import pandas as pd
import pytest

from soc_assets.errors import SocWarning
from soc_assets.sampling.folds import blocks, cut_folds, grouped_folds
from soc_assets.sampling.locations import location_ids
from soc_assets.sampling.split import split_by_location
from soc_assets.settings import FOLD_SCHEMES, Sampling


@pytest.fixture
def studied(samples, grid):
    locations = location_ids(samples, "coordinates", grid)
    return samples.assign(location_id=locations, split=split_by_location(locations, Sampling()))


def test_test_samples_have_no_fold_and_all_others_have_one_per_scheme(studied, grid):
    folds = cut_folds(studied, Sampling(), grid)
    expected = set(studied.loc[studied["split"] != "test", "sample_id"])
    for scheme in ("location", "block"):
        part = folds[folds["scheme"] == scheme]
        assert set(part["sample_id"]) == expected
        assert part["sample_id"].is_unique
        assert set(part["fold"]) == {0, 1, 2, 3, 4}


def test_no_location_and_no_block_is_in_two_folds(studied, grid):
    studied["block"] = blocks(studied, Sampling(), grid)
    folds = cut_folds(studied, Sampling(fold_schemes=("block", "location")), grid).merge(studied, on="sample_id")
    assert (folds.groupby(["scheme", "location_id"])["fold"].nunique() == 1).all()
    assert (folds[folds["scheme"] == "block"].groupby("block")["fold"].nunique() == 1).all()


def test_folds_are_of_nearly_equal_size(studied, grid):
    folds = cut_folds(studied, Sampling(), grid)
    for _, part in folds[folds["scheme"].isin(["location", "block", "random"])].groupby("scheme"):
        sizes = part["fold"].value_counts()
        assert sizes.max() - sizes.min() <= 0.05 * len(part)


def test_blocks_are_squares_of_reference_pixels(grid):
    corners = pd.DataFrame(
        {"longitude": [11.001, 11.199, 11.201, 11.001], "latitude": [48.999, 48.801, 48.999, 48.799]}
    )
    named = blocks(corners.assign(location_id=list("abcd")), Sampling(), grid)
    assert named.tolist() == ["0,0", "0,0", "0,1", "1,0"]


def test_location_on_the_edge_of_two_blocks_stays_in_one(grid):
    straddling = pd.DataFrame(
        {"longitude": [11.199999, 11.200001], "latitude": [48.9, 48.9], "location_id": ["a", "a"]}
    )
    assert len(set(blocks(straddling, Sampling(), grid))) == 1


def test_folds_do_not_depend_on_the_order_of_rows_but_on_the_seed(studied, grid):
    folds = cut_folds(studied, Sampling(), grid)
    pd.testing.assert_frame_equal(cut_folds(studied.sample(frac=1, random_state=5), Sampling(), grid), folds)
    other = cut_folds(studied, Sampling(seed=1), grid)
    assert (other["fold"] != folds["fold"]).any()


def test_fewer_groups_than_folds_make_fewer_folds():
    groups = np.array(["a", "a", "b", "c", "c", "c"])
    assert sorted(set(grouped_folds(groups, 3, seed=1))) == [0, 1, 2]


def test_scheme_with_a_single_group_is_left_out_with_a_warning(studied, grid):
    with pytest.warns(SocWarning, match=r"'block' is left out.*now 5000 pixels"):
        folds = cut_folds(studied, Sampling(block_size=5000), grid)
    assert "block" not in set(folds["scheme"])


def test_three_locations_make_two_folds(studied, grid):
    three = studied.drop_duplicates("location_id").head(3).assign(split=["train", "validation", "test"])
    folds = cut_folds(three, Sampling(block_size=1, fold_schemes=("block", "location")), grid)
    assert folds.groupby("scheme")["fold"].nunique().to_dict() == {"block": 2, "location": 2}
    assert folds["fold"].dtype == "int32"


def test_every_scheme_is_cut_where_the_samples_allow_it(studied, grid):
    area = np.array([[longitude, latitude] for longitude in np.linspace(11, 14, 20) for latitude in (47.5, 48.5)])
    of_two = studied.assign(source=np.where(np.arange(len(studied)) % 2, "LfU", "LUCAS"))
    folds = cut_folds(of_two, Sampling(), grid, area)
    assert list(dict.fromkeys(folds["scheme"])) == sorted(FOLD_SCHEMES)
    assert "leave_source_out" not in set(cut_folds(studied, Sampling(), grid)["scheme"])  # no source, and nobody warns


def test_one_source_or_year_is_one_fold(studied, grid):
    of_two = studied.assign(source=np.where(np.arange(len(studied)) % 3, "LfU", "LUCAS"))
    of_two.loc[5, "year"] = pd.NA
    folds = cut_folds(of_two, Sampling(), grid).merge(of_two, on="sample_id")
    for scheme, column in (("leave_source_out", "source"), ("leave_year_out", "year")):
        part = folds[folds["scheme"] == scheme]
        assert (part.groupby("fold")[column].nunique() == 1).all()
        assert part["fold"].nunique() == part[column].nunique()
    assert not folds[folds["scheme"] == "leave_year_out"]["year"].isna().any()


def test_blocks_in_metres_are_squares_where_pixels_in_degrees_are_not(grid):
    east = pd.DataFrame({"longitude": np.linspace(12.3, 12.7, 400), "latitude": 48.0}).assign(location_id=range(400))
    north = pd.DataFrame({"longitude": 12.5, "latitude": np.linspace(47.85, 48.15, 400)}).assign(location_id=range(400))
    sampling = Sampling(block_metres=5000.0)
    along_east, along_north = (pd.Series(blocks(line, sampling, grid)).value_counts() for line in (east, north))
    lengths = along_east.iloc[0] * 0.4 / 400 * 111.3 * np.cos(np.deg2rad(48)), along_north.iloc[0] * 0.3 / 400 * 111.2
    assert lengths == pytest.approx((5.0, 5.0), rel=0.03)  # km


def test_folds_can_be_cut_without_a_test_split(samples, grid):
    locations = location_ids(samples, "coordinates", grid)
    whole = Sampling(test_fraction=0.0, validation_fraction=0.0)
    studied = samples.assign(location_id=locations, split=split_by_location(locations, whole))
    folds = cut_folds(studied, whole, grid)
    assert (folds.groupby("scheme")["sample_id"].nunique().drop("leave_year_out") == len(samples)).all()
