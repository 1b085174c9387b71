from dataclasses import replace

import duckdb
import numpy as np
import pytest

from soc_assets.errors import FeaturesError, TrainingError
from soc_assets.regression.design.data import load_features
from soc_assets_tests.regression.tables import make_table, write_database


def test_rows_come_sorted_by_sample_id_with_every_column_on_its_own_row(tmp_path):
    table = make_table(700)  # more than one Arrow batch
    order = np.random.default_rng(1).permutation(700)
    shuffled = replace(table, **{name: column[order] for name, column in vars(table).items()})
    loaded = load_features(write_database(tmp_path / "soc.duckdb", shuffled))
    assert loaded.matrix.dtype == np.float32
    for name, column in vars(table).items():
        np.testing.assert_array_equal(getattr(loaded, name), column, err_msg=name)


def test_null_features_become_nan(tmp_path):
    table = make_table(30)
    vectors = table.matrix.tolist()
    vectors[3][5] = None
    loaded = load_features(write_database(tmp_path / "soc.duckdb", table, vectors))
    assert np.isnan(loaded.matrix[3, 5])
    assert np.isnan(loaded.matrix).sum() == 1


def test_database_is_closed_after_reading(tmp_path):
    path = write_database(tmp_path / "soc.duckdb", make_table(30))
    load_features(path)
    with duckdb.connect(str(path)) as connection:  # a writer would be refused beside an open reader
        connection.execute("CREATE TABLE another (a INTEGER)")
        assert connection.execute("SELECT count(*) FROM another").fetchone() == (0,)


def test_missing_database_names_the_asset_to_materialise(tmp_path):
    with pytest.raises(TrainingError, match=r"soc\.duckdb does not exist. Materialise the asset `features`"):
        load_features(tmp_path / "soc.duckdb")


def test_database_without_the_view_names_the_asset_to_materialise(tmp_path):
    duckdb.connect(str(tmp_path / "soc.duckdb")).close()
    with pytest.raises(TrainingError, match=r"Materialise the asset `features` again"):
        load_features(tmp_path / "soc.duckdb")


def test_empty_view_asks_for_embeddings(tmp_path):
    empty = replace(make_table(5), **{name: column[:0] for name, column in vars(make_table(5)).items()})
    with pytest.raises(TrainingError, match=r"has no rows. Materialise `embeddings`"):
        load_features(write_database(tmp_path / "soc.duckdb", empty))


def test_view_without_training_rows_is_refused(tmp_path):
    table = replace(make_table(5), split=np.array(["test"] * 5, dtype=object))
    with pytest.raises(TrainingError, match=r"None of the 5 rows .* is in the training split"):
        load_features(write_database(tmp_path / "soc.duckdb", table))


def test_vectors_of_different_length_name_the_sample(tmp_path):
    table = make_table(5)
    vectors = [*table.matrix.tolist()[:4], [1.0]]
    with pytest.raises(FeaturesError, match=r"Sample 's00004' has 1 features .* others have 12"):
        load_features(write_database(tmp_path / "soc.duckdb", table, vectors))


def test_infinite_features_name_the_sample(tmp_path):
    table = make_table(5)
    table.matrix[2, 0] = np.inf
    with pytest.raises(TrainingError, match=r"Sample 's00002' has infinite features"):
        load_features(write_database(tmp_path / "soc.duckdb", table))


def test_sample_that_stands_twice_is_refused(tmp_path):
    table = make_table(5)
    table.sample_id[1] = table.sample_id[0]
    with pytest.raises(TrainingError, match=r"1 samples twice, for example 's00000'"):
        load_features(write_database(tmp_path / "soc.duckdb", table))
