"""What is wrong with splits and folds: each fault alone, in two small tables."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from soc_assets.sampling.check import check_tables

Tables = tuple[pd.DataFrame, pd.DataFrame]


def tables() -> Tables:
    """Seven samples at six locations (a and b share one), the last for tests; two schemes of two folds."""
    balanced = pd.DataFrame(
        {
            "sample_id": list("abcdefg"),
            "location_id": ["one", "one", "two", "three", "four", "five", "six"],
            "split": ["train"] * 4 + ["validation"] * 2 + ["test"],
            "multiplicity": [2, 1, 1, 0, 1, 1, 1],
            "weight": [1.0, 0.5, 1, 1, 1, 1, 1],
        }
    )
    fold = [0, 0, 1, 0, 1, 0]
    folds = [
        pd.DataFrame({"scheme": name, "sample_id": list("abcdef"), "fold": fold}) for name in ("location", "random")
    ]
    return balanced, pd.concat(folds, ignore_index=True)


def found(balanced: pd.DataFrame, folds: pd.DataFrame) -> list[tuple[str, str]]:
    findings = check_tables(balanced, folds, Path("balanced.parquet"), Path("folds.parquet"))
    assert all(finding.severity == "error" and "`soc run` makes them again" in str(finding) for finding in findings)
    return [(finding.check, str(finding)) for finding in findings]


def test_sound_tables_have_nothing_wrong():
    assert found(*tables()) == []


def test_locations_need_not_be_whole_where_the_scheme_draws_samples():
    balanced, folds = tables()
    folds.loc[folds["scheme"].eq("random") & folds["sample_id"].eq("a"), "fold"] = 1
    assert found(balanced, folds) == []


def put(table: int, row: int, column: str, value: object) -> Callable[[Tables], None]:
    def change(both: Tables) -> None:
        both[table].loc[row, column] = value

    return change


@pytest.mark.parametrize(
    ("change", "check", "file", "words"),
    [
        (
            put(0, 6, "location_id", "two"),
            "no_location_in_two_splits",
            "balanced",
            "1 locations are in two splits or more (for example two: test, train)",
        ),
        (
            put(1, 0, "fold", 1),
            "no_location_in_two_splits",
            "folds",
            "1 locations are in two folds or more (for example one: 0, 1) of the scheme location",
        ),
        (put(0, 1, "sample_id", "a"), "tables", "balanced", "samples occur twice (1, for example a)"),
        (put(0, 3, "split", "held out"), "tables", "balanced", "samples have no split (1, for example d)"),
        (
            put(0, 6, "multiplicity", 3),
            "tables",
            "balanced",
            "samples outside the training split are repeated or weighted (1, for example g)",
        ),
        (
            put(0, 4, "weight", 0.5),
            "tables",
            "balanced",
            "samples outside the training split are repeated or weighted (1, for example e)",
        ),
        (put(0, 0, "multiplicity", -1), "tables", "balanced", "multiplicities or weights are negative or missing"),
        (put(0, 0, "weight", float("nan")), "tables", "balanced", "multiplicities or weights are negative or missing"),
        (put(1, 11, "sample_id", "g"), "tables", "folds", "test samples have a fold (1, for example g)"),
        (
            put(1, 11, "sample_id", "z"),
            "tables",
            "folds",
            "samples that are not studied have a fold (1, for example z)",
        ),
        (put(1, 11, "sample_id", "e"), "tables", "folds", "samples have two folds in a scheme (1, for example e)"),
    ],
)
def test_each_fault_is_found_under_its_check_with_its_file(change, check: str, file: str, words: str):
    both = tables()
    change(both)
    assert any(name == check and f"{file}.parquet" in said and words in said for name, said in found(*both))
