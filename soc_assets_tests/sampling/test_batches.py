import numpy as np
import pandas as pd

from soc_assets.sampling.batches import extend_ledger, hilbert_index


def test_neighbours_along_the_hilbert_curve_are_neighbouring_pixels():
    rows, columns = (axis.ravel() for axis in np.mgrid[0:32, 0:32])
    index = hilbert_index(rows, columns)
    assert sorted(index) == list(range(1024))
    order = np.argsort(index)
    steps = np.abs(np.diff(rows[order])) + np.abs(np.diff(columns[order]))
    assert (steps == 1).all()


def test_pixels_far_outside_are_taken_to_the_edge_of_the_curve():
    far = hilbert_index(np.array([-(2**31), 2**40]), np.array([-(2**31), -5]))
    assert far.tolist() == hilbert_index(np.array([0, 2**24 - 1]), np.array([0, 0])).tolist()


def test_every_sample_is_in_one_batch_of_at_most_the_batch_size(samples, grid):
    ledger = extend_ledger(samples, grid, None, 256)
    assert sorted(ledger["sample_id"]) == sorted(samples["sample_id"])
    assert ledger["batch"].value_counts().to_dict() == {"batch_0001": 256, "batch_0002": 256, "batch_0003": 88}


def test_rows_of_the_ledger_never_change_and_new_samples_go_into_new_batches(samples, grid):
    first = extend_ledger(samples[::2], grid, None, 100)
    second = extend_ledger(samples, grid, first, 100)
    pd.testing.assert_frame_equal(second.head(300), first)
    assert set(second["batch"][300:]) == {"batch_0004", "batch_0005", "batch_0006"}
    assert second["sample_id"].is_unique


def test_samples_no_longer_studied_stay_in_the_ledger(samples, grid):
    ledger = extend_ledger(samples, grid, None, 100)
    pd.testing.assert_frame_equal(extend_ledger(samples.head(50), grid, ledger, 64), ledger)


def test_ledger_does_not_depend_on_the_order_of_rows(samples, grid):
    shuffled = samples.sample(frac=1, random_state=2)
    pd.testing.assert_frame_equal(extend_ledger(shuffled, grid, None, 50), extend_ledger(samples, grid, None, 50))


def test_batches_are_ordered_by_year_with_unknown_years_last(samples, grid):
    samples.loc[samples.index[:7], "year"] = pd.NA
    ledger = extend_ledger(samples, grid, None, 50).merge(samples, on="sample_id")
    known = ledger["year"].dropna()
    assert known.is_monotonic_increasing
    assert ledger["year"].tail(7).isna().all()


def test_batches_of_one_year_are_compact(grid):
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"longitude": rng.uniform(11, 14, 4096), "latitude": rng.uniform(47, 49, 4096)})
    table = table.assign(sample_id=[f"s{i}" for i in range(4096)], year=pd.array([2015] * 4096, dtype="Int32"))
    ledger = extend_ledger(table, grid, None, 256).merge(table, on="sample_id")
    spread = ledger.groupby("batch")[["longitude", "latitude"]].std().mean()
    assert (spread < 0.5 * table[["longitude", "latitude"]].std()).all()


def test_numbers_go_on_after_9999(samples, grid):
    ledger = pd.DataFrame({"sample_id": ["old", "older"], "batch": ["batch_9999", "batch_0400"]})
    assert set(extend_ledger(samples, grid, ledger, 600)["batch"][2:]) == {"batch_10000"}
