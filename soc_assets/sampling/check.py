"""Checks of the tables of `balanced_samples` before anything is fitted: above all, that nothing leaks.

A location in two splits, or in two folds, would let a model be scored on places that it has seen.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from soc_assets.integrity.schemas import SPLITS
from soc_assets.reporting.findings import Finding, of_output

GROUPED = ("location", "block", "knndm")  # schemes whose folds keep locations whole; the others drop them in training
CHECKS = ("no_location_in_two_splits", "tables")
CURE = "The tables count as stale now: `soc run` makes them again. If that does not help, this is a defect."


def check_tables(balanced: pd.DataFrame, folds: pd.DataFrame, balanced_file: Path, folds_file: Path) -> list[Finding]:
    """Everything wrong with splits and folds.

    Args:
        balanced: sample_id, location_id, split, multiplicity, weight.
        folds: scheme, sample_id, fold.
        balanced_file: where the first lies, for the message.
        folds_file: where the second lies.
    """
    located = folds.merge(balanced[["sample_id", "location_id", "split"]], on="sample_id", how="left")
    leaks = [(balanced_file, found) for found in _shared(balanced, "split", "splits")]
    for scheme, part in located[located["scheme"].isin(GROUPED)].groupby("scheme"):
        leaks += [(folds_file, f"{found} of the scheme {scheme}") for found in _shared(part, "fold", "folds")]
    odd = [(balanced_file, found) for found in _odd_samples(balanced)]
    odd += [(folds_file, found) for found in _odd_folds(located)]
    return [
        of_output(check, "error", str(path), found, CURE)
        for check, findings in zip(CHECKS, (leaks, odd), strict=True)
        for path, found in findings
    ]


def _shared(table: pd.DataFrame, column: str, words: str) -> Iterator[str]:
    """Locations with more than one value of a column."""
    counts = table.groupby("location_id")[column].nunique()
    if len(shared := counts[counts > 1]):
        first = str(shared.index[0])
        where = ", ".join(map(str, sorted(table.loc[table["location_id"] == first, column].unique())))
        yield f"{len(shared)} locations are in two {words} or more (for example {first}: {where})"


def _odd_samples(balanced: pd.DataFrame) -> Iterator[str]:
    if twice := _example(balanced, balanced["sample_id"].duplicated()):
        yield f"samples occur twice ({twice})"
    if unknown := _example(balanced, ~balanced["split"].isin(SPLITS)):
        yield f"samples have no split ({unknown})"
    train = balanced["split"] == "train"
    if repeated := _example(balanced, ~train & ((balanced["multiplicity"] != 1) | (balanced["weight"] != 1))):
        yield f"samples outside the training split are repeated or weighted ({repeated})"
    if (balanced["multiplicity"] < 0).any() or not (balanced["weight"] >= 0).all():
        yield "multiplicities or weights are negative or missing"


def _odd_folds(folds: pd.DataFrame) -> Iterator[str]:
    if tested := _example(folds, folds["split"] == "test"):
        yield f"test samples have a fold ({tested})"
    if unknown := _example(folds, folds["split"].isna()):
        yield f"samples that are not studied have a fold ({unknown})"
    if twice := _example(folds, folds.duplicated(["scheme", "sample_id"])):
        yield f"samples have two folds in a scheme ({twice})"


def _example(table: pd.DataFrame, rows: pd.Series) -> str:
    """How many rows, and one of them; empty where there is none."""
    ids = table.loc[rows, "sample_id"]
    return f"{len(ids)}, for example {ids.iloc[0]}" if len(ids) else ""
