"""Reading the features view of soc.duckdb into numpy arrays.

Only reading belongs here. The view itself is made by the features stage; standardising, imputing and fitting are in
`soc_assets.regression.models.mlp` and `soc_assets.regression.models.training`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from soc_assets.errors import TrainingError
from soc_assets.features.matrix import read_matrix
from soc_assets.features.sql.opening import reading
from soc_assets.storage.scratch import Allocate, in_memory

_ROWS_AT_ONCE = 512
_IDENTITY = (
    "sample_id, location_id, split, multiplicity, weight, longitude, latitude, year, organic_carbon, missing_images"
)


@dataclass(frozen=True)
class FeatureTable:
    """The features view in arrays: n samples sorted by sample_id, d features each; one array per column.

    `matrix` is float32 [n, d]; NaN where the view has nulls (setting `missing = "null"`). Organic carbon is in g/kg,
    coordinates in WGS84 degrees; `multiplicity` and `weight` are the two ways of balancing the training split.
    """

    sample_id: np.ndarray
    location_id: np.ndarray
    split: np.ndarray
    multiplicity: np.ndarray
    weight: np.ndarray
    longitude: np.ndarray
    latitude: np.ndarray
    year: np.ndarray
    organic_carbon: np.ndarray
    missing_images: np.ndarray
    matrix: np.ndarray

    @property
    def n_features(self) -> int:
        """Features per sample, d."""
        return self.matrix.shape[1]

    def rows(self, split: str) -> np.ndarray:
        """Indices of the rows of one split, int64 [m]."""
        return np.flatnonzero(self.split == split)


def load_features(database: Path, allocate: Allocate = in_memory) -> FeatureTable:
    """Read the features view; the database is opened read-only and closed at once.

    The vectors are streamed as Arrow batches into one preallocated matrix, so that memory stays near n x d x 4 bytes.

    Args:
        database: soc.duckdb, with the view `features`.
        allocate: gives the matrix: one that is larger than memory lies in a file (`soc_assets.storage.scratch`).

    Raises:
        TrainingError: the file, the view, its rows or its training rows are missing, or features are infinite.
        FeaturesError: the vectors are not of one length, or changed while they were read.
    """
    import duckdb

    if not database.is_file():
        raise TrainingError(f"{database} does not exist. Materialise the asset `features` first.")
    with reading(database) as connection:
        try:
            identity = connection.sql(f"SELECT {_IDENTITY} FROM features").df()
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            raise TrainingError(
                f"The view `features` of {database} cannot be read ({error}). Materialise the asset `features` again."
            ) from None
        identity = _sorted(identity, database)
        query = "SELECT sample_id, features FROM features"
        matrix = read_matrix(connection, query, pd.Index(identity["sample_id"]), database, allocate=allocate)
    _refuse_infinite(identity, matrix, database)
    return FeatureTable(**{str(name): column.to_numpy() for name, column in identity.items()}, matrix=matrix)


def _sorted(identity: pd.DataFrame, database: Path) -> pd.DataFrame:
    if identity.empty:
        raise TrainingError(
            f"The view `features` of {database} has no rows. Materialise `embeddings` (all batches), then `features`."
        )
    if "train" not in set(identity["split"]):
        raise TrainingError(
            f"None of the {len(identity)} rows of `features` in {database} is in the training split. Materialise "
            "`balanced_samples` and the batches of `embeddings` that hold training samples, then `features`."
        )
    identity = identity.sort_values("sample_id", ignore_index=True)
    if not identity["sample_id"].is_unique:
        twice = identity.loc[identity["sample_id"].duplicated(), "sample_id"]
        raise TrainingError(
            f"`features` in {database} has {len(twice)} samples twice, for example {twice.iloc[0]!r}. Materialise "
            "`features` again."
        )
    words = dict.fromkeys(("sample_id", "location_id", "split"), object)
    return identity.astype({**words, "multiplicity": np.int64, "weight": np.float32, "organic_carbon": np.float64})


def _refuse_infinite(identity: pd.DataFrame, matrix: np.ndarray, database: Path) -> None:
    for start in range(0, len(matrix), _ROWS_AT_ONCE):
        infinite = np.isinf(matrix[start : start + _ROWS_AT_ONCE]).any(axis=1)
        if infinite.any():
            raise TrainingError(
                f"Sample {identity['sample_id'].iloc[start + int(np.argmax(infinite))]!r} has infinite features in "
                f"{database}. Set [embedding] normalise = 'band', and declare fill values of the rasters as "
                "`fill_values` of their band."
            )
