"""Features for training elsewhere: the view `features` as numpy arrays, torch tensors or a pandas table.

Which rows and columns these are, and how they are read, is in `soc_assets.features.selection`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import pandas as pd

from soc_assets.errors import FeaturesError
from soc_assets.features.selection import select
from soc_assets.project import Project


@dataclass(frozen=True)
class Loaded:
    """Features of n samples, in the order of the batches.

    Attributes:
        matrix: [n, d] float32, numpy or torch; missing images as [features] missing says.
        organic_carbon: [n] g/kg, numpy float64 or torch float32.
        samples: [n] rows with sample_id, location_id, split, multiplicity, weight, longitude, latitude, year, season.
        columns: [d] what is in each column: what, band, lag, row, dimension.
    """

    matrix: Any
    organic_carbon: Any
    samples: pd.DataFrame
    columns: pd.DataFrame


@overload
def load_features(
    split: str | Sequence[str] | None = None,
    bands: Sequence[str] | None = None,
    as_: Literal["numpy", "torch"] = "numpy",
    project: Project | Path | None = None,
) -> Loaded: ...
@overload
def load_features(
    split: str | Sequence[str] | None = None,
    bands: Sequence[str] | None = None,
    *,
    as_: Literal["pandas"],
    project: Project | Path | None = None,
) -> pd.DataFrame: ...
def load_features(
    split: str | Sequence[str] | None = None,
    bands: Sequence[str] | None = None,
    as_: Literal["numpy", "torch", "pandas"] = "numpy",
    project: Project | Path | None = None,
) -> Loaded | pd.DataFrame:
    """The feature vectors of the studied samples that are embedded, as the view `features` has them.

    Args:
        split: train, validation or test, or several of them; None takes all.
        bands: names of bands (or groups); their features follow in the order of the vector. None takes all.
        as_: numpy or torch arrays (`Loaded`), or a pandas table with the samples' columns first and then one column per
            feature (`LAI lag 1 17`).
        project: a project, or its soc.toml; None looks for the soc.toml of the current folder.

    Raises:
        FeaturesError: there are no features, no such split or no such band.

    Examples:
        >>> loaded = load_features(split="train")  # in the folder of a project
        >>> len(loaded.matrix) == len(loaded.samples) == len(loaded.organic_carbon)
        True
        >>> load_features(bands=["Elevation"], as_="pandas").columns[-1]
        'Elevation 767'
    """
    if as_ not in ("numpy", "torch", "pandas"):
        raise FeaturesError(f"as_ = {as_!r}: it is numpy, torch or pandas.")
    selection = select(project, split, bands)
    matrix = selection.matrix()
    if as_ == "pandas":
        table = pd.DataFrame(matrix, columns=selection.names, copy=False)
        return pd.concat([selection.samples, table], axis=1)
    if as_ == "torch":
        import torch

        carbon = torch.from_numpy(selection.samples["organic_carbon"].to_numpy(np.float32))
        return Loaded(torch.from_numpy(matrix), carbon, selection.samples, selection.columns)
    carbon = selection.samples["organic_carbon"].to_numpy(float)
    return Loaded(matrix, carbon, selection.samples, selection.columns)
