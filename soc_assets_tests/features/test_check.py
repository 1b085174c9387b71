"""What is wrong with the view `features`: each fault alone, in a database of a few short vectors."""

from pathlib import Path

import duckdb
import pandas as pd
import pytest

from soc_assets.features import check
from soc_assets.features.check import check_database
from soc_assets.settings import Features, Study

LEDGER = pd.DataFrame({"sample_id": list("abcd"), "batch": ["batch_0001"] * 2 + ["batch_0002"] * 2})
BATCHES = {"batch_0001": Path("one.parquet"), "batch_0002": Path("two.parquet")}


class Part:
    length = 3


@pytest.fixture
def database(tmp_path, monkeypatch) -> Path:
    """Vectors of three features for a, b and c; d is not studied."""
    monkeypatch.setattr(check, "segments", lambda spec, features, study: [Part()])
    path = tmp_path / "soc.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute(
            "CREATE TABLE features AS SELECT unnest(['a', 'b', 'c']) AS sample_id, [1, 2, 3]::DOUBLE[] AS features"
        )
        connection.execute("CREATE TABLE feature_index AS SELECT unnest([0, 1, 2]) AS position")
    return path


def found(database: Path, missing: str = "zero", batches: dict[str, Path] = BATCHES) -> list[tuple[str, str]]:
    studied = pd.Series(list("abc"))
    settings = Features(missing=missing)
    findings = check_database(database, None, batches, LEDGER, studied, settings, Study())
    assert all(str(database) in str(each) and "`soc run` builds it again" in str(each) for each in findings)
    return [(each.check, str(each)) for each in findings]


def test_sound_database_has_nothing_wrong(database):
    assert found(database) == []


@pytest.mark.parametrize(
    ("sql", "name", "words"),
    [
        (
            "DELETE FROM features WHERE sample_id = 'b'",
            "count_equals_embeddings",
            "1 of 3 embedded samples of the study are not in the view (first b)",
        ),
        (
            "INSERT INTO features VALUES ('d', [1, 2, 3])",
            "count_equals_embeddings",
            "1 samples of the view are not embedded samples of the study (first d)",
        ),
        (
            "INSERT INTO features VALUES ('a', [1, 2, 3])",
            "count_equals_embeddings",
            "1 samples are in the view twice (first a)",
        ),
        (
            "DELETE FROM feature_index WHERE position = 2",
            "vectors",
            "feature_index has 2 positions, and the spec gives 3",
        ),
        (
            "UPDATE features SET features = [1, 2] WHERE sample_id = 'a'",
            "vectors",
            "vectors have 2 to 3 features, expected 3",
        ),
        (
            "UPDATE features SET features = [1, 2, NULL] WHERE sample_id = 'a'",
            "vectors",
            "1 vectors have nulls, although missing images are zeros",
        ),
        (
            "UPDATE features SET features = [1, 2, 'nan'::DOUBLE] WHERE sample_id != 'a'",
            "vectors",
            "2 vectors have numbers that are not finite",
        ),
        ("DROP TABLE features", "count_equals_embeddings", "it cannot be read"),
    ],
)
def test_each_fault_is_found_under_its_check(database, sql: str, name: str, words: str):
    with duckdb.connect(database) as connection:
        connection.execute(sql)
    assert any(at == name and words in said for at, said in found(database))


def test_nulls_are_what_the_settings_ask_for(database):
    with duckdb.connect(database) as connection:
        connection.execute("UPDATE features SET features = [1, 2, NULL]")
    assert found(database, missing="null") == []


def test_batches_that_are_not_there_yet_are_not_missed(database):
    with duckdb.connect(database) as connection:
        connection.execute("DELETE FROM features WHERE sample_id = 'c'")
    assert found(database, batches={"batch_0001": Path("one.parquet")}) == []
