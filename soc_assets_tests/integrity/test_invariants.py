"""What must hold between tables: each rule is broken once, and said with an example."""

import pandas as pd
import pytest

from soc_assets.integrity import invariants

SAMPLES = pd.DataFrame({"sample_id": list("abcdef")})
BALANCED = pd.DataFrame(
    {
        "sample_id": list("abcde"),
        "location_id": list("ABCDE"),
        "split": ["train", "train", "train", "validation", "test"],
    }
)
TABLES = {
    "balanced": BALANCED,
    "excluded": pd.DataFrame({"sample_id": ["f"], "filter": ["max_oc"]}),
    "folds": pd.DataFrame({"scheme": "block", "sample_id": list("abcd"), "fold": [0, 1, 0, 1]}),
    "batches": pd.DataFrame({"sample_id": list("abcde"), "batch": ["batch_0001"] * 3 + ["batch_0002"] * 2}),
    "splits": pd.DataFrame({"location_id": list("ABCDEX"), "split": [*BALANCED["split"], "test"]}),
}


def again(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table.iloc[:1]], ignore_index=True)


def less(table: pd.DataFrame) -> pd.DataFrame:
    return table.iloc[1:]


def other(column: str, value: str):
    return lambda table: table.assign(**{column: [value, *table[column].iloc[1:]]})


def test_tables_of_one_moment_keep_every_rule():
    assert list(invariants.of_sampling(SAMPLES, TABLES)) == []
    years = pd.DataFrame({"scheme": "leave_year_out", "sample_id": list("ab"), "fold": [0, 1]})
    assert not list(invariants.of_folds(pd.concat([TABLES["folds"], years]), BALANCED)), "a sample may have no year"


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("balanced", again, "1 studied samples occur twice (for example a)"),
        ("balanced", other("split", "held out"), "1 studied samples are in no split (for example a)"),
        ("balanced", other("sample_id", "z"), "1 studied samples do not exist (for example z)"),
        ("excluded", other("sample_id", "a"), "1 samples are left out and studied (for example a)"),
        ("excluded", less, "1 samples are neither studied nor left out (for example f)"),
        ("folds", again, "1 samples within a scheme occur twice (for example a)"),
        ("folds", less, "1 samples have no fold of block (for example a)"),
        ("folds", other("sample_id", "e"), "1 samples have a fold, and are not to have one (for example e)"),
        ("batches", again, "1 samples of the batches occur twice (for example a)"),
        ("batches", less, "1 studied samples are in no batch (for example a)"),
        ("batches", other("batch", "batch"), "1 samples are in no batch of ours (for example a)"),
        ("splits", again, "1 places occur twice (for example A)"),
        ("splits", less, "1 studied samples are at places without a split (for example a)"),
        ("splits", other("split", "test"), "1 studied samples are in another split (for example a)"),
        ("splits", other("split", ""), "1 places are in no split (for example A)"),
    ],
)
def test_broken_rule_is_said_with_an_example(name, change, said):
    assert f"{name}.parquet: {said}" in list(invariants.of_sampling(SAMPLES, {**TABLES, name: change(TABLES[name])}))


def test_samples_rasters_and_predictions_stand_once():
    assert list(invariants.of_samples(again(SAMPLES))) == ["1 samples occur twice (for example a)"]
    rasters = pd.DataFrame({"band": ["LAI", "LAI"], "path": ["a.tif", "a.tif"], "layer": [1, 2]})
    assert not list(invariants.of_rasters(rasters))
    assert list(invariants.of_rasters(rasters.assign(layer=1))) == ["1 rasters occur twice (for example a.tif)"]
    rows = pd.DataFrame({"run_id": "1", "sample_id": ["a", "b"], "scheme": "block", "model": "m", "features": "f"})
    assert not [*invariants.of_predictions(rows), *invariants.of_out_of_fold(rows)]
    assert list(invariants.of_out_of_fold(again(rows))) == ["1 samples of a model occur twice (for example a)"]
    assert list(invariants.of_predictions(rows.assign(run_id=["1", "2"]))) == ["2 runs, expected one"]
