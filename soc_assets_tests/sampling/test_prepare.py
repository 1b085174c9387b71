import numpy as np
import pandas as pd
import pytest

from soc_assets.errors import SamplingError
from soc_assets.sampling.folds import with_schemes
from soc_assets.sampling.prepare import prepare_samples
from soc_assets.settings import Sampling, Study
from soc_assets.settings.evaluation import Evaluation
from soc_assets_tests.reported import reported


def prepare(samples, grid, study=None, sampling=None, **more):
    given = {"region": None, "ledger": None} | more
    return prepare_samples(samples, study or Study(), sampling or Sampling(), grid, **given)


def test_samples_are_either_studied_or_excluded(samples, grid):
    result = prepare(samples, grid)
    studied, excluded = set(result.balanced["sample_id"]), set(result.excluded["sample_id"])
    assert studied | excluded == set(samples["sample_id"])
    assert not studied & excluded
    by_id = samples.set_index("sample_id").loc[sorted(studied)]
    assert by_id["year"].between(2012, 2023).all()
    assert by_id["organic_carbon"].max() <= 150
    assert set(result.batches["sample_id"]) == studied


def test_balanced_table_keeps_its_contract(samples, grid):
    balanced = prepare(samples, grid).balanced
    assert list(balanced.columns) == ["sample_id", "location_id", "split", "bin", "multiplicity", "weight"]
    types = {"bin": "Int32", "multiplicity": "int32", "weight": "float32", "sample_id": "str", "split": "str"}
    assert {name: str(balanced[name].dtype) for name in types} == types
    assert balanced["sample_id"].is_monotonic_increasing


def test_balancing_touches_the_training_split_alone(samples, grid):
    balanced = prepare(samples, grid, sampling=Sampling(bins="width")).balanced
    train, rest = balanced[balanced["split"] == "train"], balanced[balanced["split"] != "train"]
    assert train["bin"].notna().all()
    assert train["multiplicity"].max() > 1
    assert rest["bin"].isna().all()
    assert (rest["multiplicity"] == 1).all()
    weighted = prepare(samples, grid, sampling=Sampling(balance="weights")).balanced
    assert (weighted.loc[weighted["split"] != "train", "weight"] == 1).all()


def test_held_out_carbon_does_not_reach_the_balancing_of_training(samples, grid):
    before = prepare(samples, grid).balanced
    held_out = before.loc[before["split"] != "train", "sample_id"]
    changed = samples.copy()
    changed.loc[changed["sample_id"].isin(held_out), "organic_carbon"] = 149.0
    pd.testing.assert_frame_equal(prepare(changed, grid).balanced, before)


@pytest.mark.parametrize("by", ["coordinates", "pixel"])
def test_no_location_is_in_two_splits(samples, grid, by):
    neighbours = samples.copy()
    neighbours["longitude"] += np.where(np.arange(len(samples)) < 300, 0, 2e-4)  # another place in the same pixel
    balanced = prepare(neighbours, grid, study=Study(location=by)).balanced.merge(neighbours, on="sample_id")
    assert (balanced.groupby("location_id")["split"].nunique() == 1).all()
    if by == "pixel":
        balanced["row"], balanced["column"] = grid.pixels(balanced["longitude"], balanced["latitude"])
        assert (balanced.groupby(["row", "column"])["split"].nunique() == 1).all()
        assert balanced.groupby("location_id").size().max() > 1


def test_nothing_depends_on_the_order_of_rows(samples, grid):
    ordered, shuffled = prepare(samples, grid), prepare(samples.sample(frac=1, random_state=9), grid)
    for name in ("balanced", "excluded", "folds", "batches"):
        pd.testing.assert_frame_equal(getattr(ordered, name), getattr(shuffled, name))


def test_new_samples_leave_splits_and_batches_as_they_were(samples, grid):
    before = prepare(samples.head(200), grid)
    after = prepare(samples, grid, ledger=before.batches, previous=before.balanced)
    both = before.balanced.merge(after.balanced, on="sample_id", suffixes=("_old", "_new"))
    assert len(both) == len(before.balanced)
    assert (both["split_old"] == both["split_new"]).all()
    pd.testing.assert_frame_equal(after.batches.head(len(before.batches)), before.batches)


def test_a_corrected_carbon_value_moves_no_sample_to_another_batch_or_split(samples, grid):
    before = prepare(samples, grid)
    corrected = samples.assign(organic_carbon=samples["organic_carbon"].clip(upper=150) * 0.9)
    after = prepare(corrected, grid, ledger=before.batches, previous=before.balanced)
    pd.testing.assert_frame_equal(after.batches.head(len(before.batches)), before.batches)
    old, new = before.balanced.set_index("sample_id"), after.balanced.set_index("sample_id")
    assert (new.loc[old.index, "split"] == old["split"]).all()


def test_samples_without_years_are_studied(samples, grid):
    result = prepare(samples.assign(year=pd.array([pd.NA] * 600, dtype="Int32")), grid)
    assert set(result.excluded["filter"]) <= {"organic carbon above max_oc"}


def test_filters_that_leave_nothing_are_an_error_with_counts_and_a_cure(samples, grid):
    old = samples.assign(year=pd.array([2000] * 600, dtype="Int32"))
    old.loc[old.index[:10], "year"] = 2015
    with pytest.raises(SamplingError, match=r"all 600 samples.*time range: 590.*above max_oc: 10.*Widen year_from"):
        prepare(old, grid, study=Study(max_oc=0.01))


def test_no_samples_at_all_and_repeated_identifiers_are_errors(samples, grid):
    with pytest.raises(SamplingError, match=r"no samples at all.*rejected\.parquet"):
        prepare(samples.head(0), grid)
    with pytest.raises(SamplingError, match=r"repeat a sample_id \(for example s0003\)"):
        prepare(samples.assign(sample_id=samples["sample_id"].replace("s0004", "s0003")), grid)


def test_two_locations_are_too_few(samples, grid):
    two = samples.assign(longitude=np.where(np.arange(600) % 2, 11.5, 12.5), latitude=48.0)
    with pytest.raises(SamplingError, match="at least 3"):
        prepare(two, grid)


def test_progress_names_each_step_and_each_clustering(samples, grid):
    rng = np.random.default_rng(0)
    middle = rng.integers(0, 8, 600)
    clustered = samples.assign(
        longitude=11.3 + 0.3 * middle + rng.normal(0, 0.02, 600), latitude=48 + rng.normal(0, 0.02, 600)
    )
    area = np.column_stack([rng.uniform(11, 14, 200), rng.uniform(47, 49, 200)])
    with reported() as told:
        prepare(clustered, grid, area=area)
    words = [now.message for now in told]
    assert words[0] == "filters of [study] on 600 samples"
    assert "folds of the scheme knndm" in words
    assert any("knndm: 1 of " in line for line in words)
    done = [now.done for now in told]
    assert done == sorted(done)
    assert {now.total for now in told} == {done[-1] + 1}


def test_knndm_is_cut_only_where_the_evaluation_or_the_settings_ask_for_it():
    schemes = [
        with_schemes(Sampling(), Evaluation()).fold_schemes,
        with_schemes(Sampling(), Evaluation(schemes=("location", "knndm"))).fold_schemes,
        with_schemes(Sampling(), Evaluation(primary="knndm")).fold_schemes,
        with_schemes(Sampling(fold_schemes=("random", "knndm")), Evaluation()).fold_schemes,
    ]
    assert ["knndm" in found for found in schemes if found] == [False, True, True, True]
    assert schemes[0] == ("random", "location", "block", "leave_source_out", "leave_year_out")
