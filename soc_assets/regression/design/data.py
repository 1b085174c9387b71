"""Reading the features view of soc.duckdb into numpy arrays.

Only reading belongs here. The view itself is made by the features stage; standardising, imputing and fitting are in
`soc_assets.regression.models.mlp` and `soc_assets.regression.models.training`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from soc_assets.errors import TrainingError
from soc_assets.features.sql.opening import reading

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SPLITS = ("train", "validation", "test")
_MEMORY_LIMIT = "3GB"  # of DuckDB, beside the matrix itself; it spills to disk above
_BATCH_ROWS = 512  # 41 MB of default features per Arrow batch
_IDENTITY = (
    "sample_id, location_id, split, multiplicity, weight, longitude, latitude, year, organic_carbon, missing_images"
)


@dataclass(frozen=True)
class FeatureTable:
    """The features view in memory: n samples sorted by sample_id, d features each; one array per column.

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


def load_features(database: Path) -> FeatureTable:
    """Read the features view; the database is opened read-only and closed at once.

    The vectors are streamed as Arrow batches into one preallocated matrix, so that memory stays near n x d x 4 bytes.

    Args:
        database: soc.duckdb, with the view `features`.

    Raises:
        TrainingError: the file, the view, its rows or its training rows are missing, or the vectors are not of one
            length.
    """
    import duckdb

    if not database.is_file():
        raise TrainingError(f"{database} does not exist. Materialise the asset `features` first.")
    with reading(database, _MEMORY_LIMIT) as connection:
        try:
            identity = connection.sql(f"SELECT {_IDENTITY} FROM features").df()
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            raise TrainingError(
                f"The view `features` of {database} cannot be read ({error}). Materialise the asset `features` again."
            ) from None
        identity = _sorted(identity, database)
        matrix = _read_matrix(connection, pd.Index(identity["sample_id"]), database)
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


def _read_matrix(connection: "duckdb.DuckDBPyConnection", samples: pd.Index, database: Path) -> np.ndarray:
    reader = connection.sql("SELECT sample_id, features FROM features").to_arrow_reader(_BATCH_ROWS)
    matrix: np.ndarray | None = None
    filled = np.zeros(len(samples), bool)
    for batch in reader:
        rows = samples.get_indexer(batch.column(0).to_pandas())
        if matrix is None:
            matrix = np.empty((len(samples), len(batch.column(1)[0] or ())), dtype=np.float32)
        known = rows >= 0
        matrix[rows[known]] = _vectors(batch, matrix.shape[1], database)[known]
        filled[rows[known]] = True
    if matrix is None or not filled.all():
        raise TrainingError(
            f"`features` in {database} changed while it was read ({filled.sum()} of {len(samples)} rows). Repeat."
        )
    return matrix


def _vectors(batch: "pa.RecordBatch", length: int, database: Path) -> np.ndarray:
    """The list column as float32 [rows, length]; null elements become NaN."""
    lists = batch.column(1)
    lengths = lists.value_lengths().fill_null(0).to_numpy()
    if length == 0 or (lengths != length).any():
        odd = int(np.argmax(lengths != length))
        raise TrainingError(
            f"Sample {batch.column(0)[odd].as_py()!r} has {lengths[odd]} features in {database}, others have {length}. "
            "Materialise `embeddings` and `features` again, so that all batches are of one embedding spec."
        )
    values = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False).reshape(-1, length)
    if (infinite := np.isinf(values).any(axis=1)).any():
        raise TrainingError(
            f"Sample {batch.column(0)[int(np.argmax(infinite))].as_py()!r} has infinite features in {database}. Set "
            "[embedding] normalise = 'band', and declare fill values of the rasters as `fill_values` of their band."
        )
    return values
