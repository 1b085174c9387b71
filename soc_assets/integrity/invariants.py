"""What must hold within and between the tables of a project, whatever wrote them; docs/faults.md has it as a table.

One function for each table; each yields a description of what is wrong, with an example. Leaks of locations between
splits and folds are in `soc_assets.sampling.check`, what every sample must be in
`soc_assets.ingest.quality.sample_schema`.
"""

from collections.abc import Iterator, Mapping

import pandas as pd

from soc_assets.integrity.schemas import SPLITS

_KEY = r"batch_\d{4,}"  # of a batch


def of_rasters(rasters: pd.DataFrame) -> Iterator[str]:
    """Every layer of a file once per band."""
    yield from _twice(rasters, [name for name in ("band", "path", "layer") if name in rasters], "path", "rasters")


def of_samples(samples: pd.DataFrame) -> Iterator[str]:
    """Every sample_id once."""
    yield from _twice(samples, ["sample_id"], "sample_id", "samples")


def of_balanced(balanced: pd.DataFrame, samples: pd.DataFrame) -> Iterator[str]:
    """Every studied sample once, in a known split, and one of the samples."""
    yield from _twice(balanced, ["sample_id"], "sample_id", "studied samples")
    yield from _some(balanced, ~balanced["split"].isin(SPLITS), "studied samples are in no split")
    yield from _some(balanced, ~balanced["sample_id"].isin(samples["sample_id"]), "studied samples do not exist")


def of_excluded(excluded: pd.DataFrame, balanced: pd.DataFrame, samples: pd.DataFrame) -> Iterator[str]:
    """Every sample is either studied or left out."""
    yield from _some(excluded, excluded["sample_id"].isin(balanced["sample_id"]), "samples are left out and studied")
    known = pd.concat([excluded["sample_id"], balanced["sample_id"]])
    yield from _some(samples, ~samples["sample_id"].isin(known), "samples are neither studied nor left out")


def of_folds(folds: pd.DataFrame, balanced: pd.DataFrame) -> Iterator[str]:
    """Every training and validation sample once in each scheme (of `leave_year_out` those with a year), no other."""
    yield from _twice(folds, ["scheme", "sample_id"], "sample_id", "samples within a scheme")
    part = balanced.loc[balanced["split"] != "test"]
    yield from _some(folds, ~folds["sample_id"].isin(part["sample_id"]), "samples have a fold, and are not to have one")
    for scheme, found in folds.groupby("scheme"):
        if scheme != "leave_year_out":
            yield from _some(part, ~part["sample_id"].isin(found["sample_id"]), f"samples have no fold of {scheme}")


def of_batches(batches: pd.DataFrame, balanced: pd.DataFrame) -> Iterator[str]:
    """Every studied sample in exactly one batch, every key one of a batch."""
    yield from _twice(batches, ["sample_id"], "sample_id", "samples of the batches")
    yield from _some(batches, ~batches["batch"].astype("str").str.fullmatch(_KEY), "samples are in no batch of ours")
    yield from _some(balanced, ~balanced["sample_id"].isin(batches["sample_id"]), "studied samples are in no batch")


def of_splits(splits: pd.DataFrame, balanced: pd.DataFrame) -> Iterator[str]:
    """Every place once and in a known split; of what is studied every location, in the split that it is studied in."""
    yield from _twice(splits, ["location_id"], "location_id", "places")
    yield from _some(splits, ~splits["split"].isin(SPLITS), "places are in no split", "location_id")
    known = splits.drop_duplicates("location_id").set_index("location_id")["split"]
    kept = balanced["location_id"].map(known)
    yield from _some(balanced, kept.isna(), "studied samples are at places without a split")
    yield from _some(balanced, kept.notna() & (kept != balanced["split"]), "studied samples are in another split")


def of_predictions(predictions: pd.DataFrame) -> Iterator[str]:
    """Every sample once, all of one run."""
    yield from _twice(predictions, ["sample_id"], "sample_id", "samples")
    if predictions["run_id"].nunique() > 1:
        yield f"{predictions['run_id'].nunique()} runs, expected one"


def of_out_of_fold(rows: pd.DataFrame) -> Iterator[str]:
    """Every sample once for each scheme, model and feature set."""
    yield from _twice(rows, ["scheme", "model", "features", "sample_id"], "sample_id", "samples of a model")


def of_sampling(samples: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    """All of the tables of `balanced_samples`, by name; each with the name of the file it is about in front."""
    balanced = tables["balanced"]
    found = {
        "balanced": of_balanced(balanced, samples),
        "excluded": of_excluded(tables["excluded"], balanced, samples),
        "folds": of_folds(tables["folds"], balanced),
        "batches": of_batches(tables["batches"], balanced),
        "splits": of_splits(tables["splits"], balanced),
    }
    for name, wrong in found.items():
        yield from (f"{name}.parquet: {words}" for words in wrong)


def _twice(table: pd.DataFrame, columns: list[str], named: str, what: str) -> Iterator[str]:
    yield from _some(table, table.duplicated(columns), f"{what} occur twice", named)
    yield from _some(table, table[columns].isna().any(axis=1), f"{what} have no {named}", named)


def _some(table: pd.DataFrame, rows: pd.Series, words: str, named: str = "sample_id") -> Iterator[str]:
    """How many rows there are, and one of them."""
    if n := int(rows.sum()):
        yield f"{n} {words} (for example {table.loc[rows, named].iloc[0]})"
