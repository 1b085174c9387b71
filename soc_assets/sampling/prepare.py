"""The sampling stage from end to end: filter, locate, split, balance, folds, batches, in this order.

Each step is in its own module; here they are put together over the unique samples of the study. No file is read or
written, except that the region is read.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from soc_assets.errors import SamplingError, SocWarning
from soc_assets.geo.grid import Grid
from soc_assets.runtime import progress
from soc_assets.sampling.balance import balance
from soc_assets.sampling.batches import extend_ledger
from soc_assets.sampling.filters import apply_filters
from soc_assets.sampling.folds import cut_folds
from soc_assets.sampling.locations import locate
from soc_assets.sampling.split import split_by_location
from soc_assets.settings import FOLD_SCHEMES, Sampling, Study


@dataclass(frozen=True)
class Prepared:
    """The tables of the sampling stage.

    Attributes:
        balanced: the samples studied, by sample_id: sample_id, location_id, split, bin (Int32, null outside train),
            multiplicity (int32) and weight (float32), both 1 outside train.
        excluded: sample_id, filter, detail of the samples not studied.
        folds: scheme, sample_id, fold of training and validation samples.
        batches: the ledger sample_id, batch; old rows first, unchanged.
        splits: location_id, split of every place now studied, by which the next run knows it: the places of one
            location have a row each, so that they keep their split when a link comes or goes.
    """

    balanced: pd.DataFrame
    excluded: pd.DataFrame
    folds: pd.DataFrame
    batches: pd.DataFrame
    splits: pd.DataFrame


def prepare_samples(
    samples: pd.DataFrame,
    study: Study,
    sampling: Sampling,
    grid: Grid,
    region: Path | None,
    ledger: pd.DataFrame | None,
    previous: pd.DataFrame | None = None,
    area: np.ndarray | None = None,
) -> Prepared:
    """Prepare the usable samples for embedding and regression.

    Args:
        samples: unique sample_id, longitude, latitude (WGS84 degrees), organic_carbon (g/kg), year (may be null).
        study: filters, and what makes a location.
        sampling: splits, balancing, folds and batches.
        grid: the reference grid.
        region: a file of polygons (see `geo.polygons.read_region`), or None.
        ledger: the batches cut so far, or None.
        previous: the splits of an earlier run with the same seed, fractions and kind of location: its places keep
            their split. None draws every location again.
        area: [m, 2] longitude and latitude of places to predict, for the folds of `knndm`; None leaves them out.

    Raises:
        SamplingError: sample_id is not unique, the filters leave nothing, there are fewer than three locations, or the
            region cannot be read.
    """
    _refuse_duplicates(samples)
    steps = 4 + len(sampling.fold_schemes or FOLD_SCHEMES)
    with progress.step(0, steps, f"filters of [study] on {len(samples):,} samples"):
        samples = samples.sort_values("sample_id").reset_index(drop=True)
        kept, excluded = apply_filters(samples, study, region)
    if not kept.any():
        raise SamplingError(_nothing_left(excluded))
    studied = samples.loc[kept].reset_index(drop=True)
    with progress.step(1, steps, f"locations of {len(studied):,} samples"):
        located = locate(studied, study, grid)
    _tell_of_chains(located.chained)
    studied["location_id"] = located.location
    with progress.step(2, steps, "split and balancing"):
        studied["split"] = split_by_location(located.location, sampling, previous, located.place)
        balanced = _balanced(studied, sampling)
    with progress.part(3, steps):
        folds = cut_folds(studied, sampling, grid, area)
    with progress.step(steps - 1, steps, "batches"):
        batches = extend_ledger(studied, grid, ledger, sampling.batch_size)
    splits = pd.DataFrame({"location_id": located.place, "split": studied["split"]}).drop_duplicates("location_id")
    return Prepared(
        balanced=balanced,
        excluded=excluded,
        folds=folds,
        batches=batches,
        splits=splits.astype("str").sort_values("location_id", ignore_index=True),
    )


def _tell_of_chains(chained: int) -> None:
    if chained:
        warnings.warn(
            f"{chained} places lie in chains, each within [study] id_metres or location_metres of the next: linked, "
            "they would be one location over a whole area. They are divided into cells instead. Smaller distances, or "
            "ids that name one point each, link visits alone.",
            SocWarning,
            stacklevel=3,
        )


def _balanced(studied: pd.DataFrame, sampling: Sampling) -> pd.DataFrame:
    train = (studied["split"] == "train").to_numpy()
    result = balance(studied["organic_carbon"].to_numpy(float)[train], sampling, sampling.seed)
    bins = pd.Series(pd.NA, index=studied.index, dtype="Int32")
    bins[train] = result.bin
    multiplicity, weight = np.ones(len(studied), np.int32), np.ones(len(studied), np.float32)
    multiplicity[train], weight[train] = result.multiplicity, result.weight
    table = studied[["sample_id", "location_id", "split"]].astype("str")
    return table.assign(bin=bins, multiplicity=multiplicity, weight=weight)


def _refuse_duplicates(samples: pd.DataFrame) -> None:
    twice = samples.loc[samples["sample_id"].duplicated(), "sample_id"]
    if len(twice):
        raise SamplingError(
            f"{len(twice)} rows of the samples repeat a sample_id (for example {twice.iloc[0]}); each must be unique. "
            "Materialise soil_samples again."
        )


def _nothing_left(excluded: pd.DataFrame) -> str:
    if excluded.empty:
        return "There are no samples at all; see rejected.parquet for the reasons, and add soil tables."
    counts = excluded["filter"].value_counts()
    reasons = "; ".join(f"{name}: {n} (for example {_example(excluded, name)})" for name, n in counts.items())
    return (
        f"The filters of [study] exclude all {len(excluded)} samples - {reasons}. "
        "Widen year_from and year_to, max_oc or region."
    )


def _example(excluded: pd.DataFrame, name: object) -> str:
    return str(excluded.loc[excluded["filter"] == name, "detail"].iloc[0])
