"""The one way in which vectors leave DuckDB: lists of a query as rows of a float32 matrix, an Arrow batch at a time.

All code that reads features by SQL does it here: the view `features`, a group of features, or embeddings in memory. The
batches' files are read without SQL in `soc_assets.features.images`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from soc_assets.errors import FeaturesError
from soc_assets.storage.scratch import Allocate, in_memory

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_BATCH_ROWS = 512  # 41 MB of default features


def read_matrix(
    connection: "duckdb.DuckDBPyConnection",
    query: str,
    samples: pd.Index,
    source: Path,
    width: int | None = None,
    allocate: Allocate = in_memory,
) -> np.ndarray:
    """Vectors of samples as a matrix [n, width] float32; memory stays near its size.

    Args:
        connection: to run the query on.
        query: gives a key and a list of numbers per row; rows with other keys are left out.
        samples: [n] keys, in the order of the matrix.
        source: the file or folder that messages name.
        width: numbers of each row; None takes that of the first.
        allocate: gives the matrix, see `soc_assets.storage.scratch`.

    Raises:
        FeaturesError: a sample is not there, or vectors differ in length.
    """
    matrix: np.ndarray | None = None
    filled = np.zeros(len(samples), bool)
    for rows, values in iter_vectors(connection, query, samples, source, width):
        if matrix is None:
            matrix = allocate((len(samples), values.shape[1]))
        matrix[rows], filled[rows] = values, True
    require_all(int(filled.sum()), len(samples), source)
    return np.empty((0, width or 0), np.float32) if matrix is None else matrix


def iter_vectors(
    connection: "duckdb.DuckDBPyConnection", query: str, samples: pd.Index, source: Path, width: int | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """As `read_matrix`, block by block: positions [m] in `samples` and vectors [m, width]; null numbers are NaN.

    Raises:
        FeaturesError: vectors differ in length.
    """
    for batch in connection.sql(query).to_arrow_reader(_BATCH_ROWS):
        if not batch.num_rows:
            continue
        width = len(batch.column(1)[0] or ()) if width is None else width
        rows, values = samples.get_indexer(batch.column(0).to_pandas()), _vectors(batch, width, source)
        known = rows >= 0
        if known.all():
            yield rows, values
        elif known.any():
            yield rows[known], values[known]


def require_all(found: int, wanted: int, source: Path) -> None:
    """Refuse features of which some rows were not read: their numbers would be undefined.

    Raises:
        FeaturesError: there are fewer, or more.
    """
    if found != wanted:
        raise FeaturesError(
            f"{found} of {wanted} samples were found in the batches of {source}: they changed while they were read, or "
            "since soc.duckdb was built. Wait for the run that writes them (`soc status`), then try again."
        )


def _vectors(batch: "pa.RecordBatch", width: int, source: Path) -> np.ndarray:
    """The list column as float32 [rows, width]; null numbers become NaN."""
    lists = batch.column(1)
    lengths = lists.value_lengths().fill_null(0).to_numpy()
    if width == 0 or (lengths != width).any():
        odd = int(np.argmax(lengths != width))
        raise FeaturesError(
            f"Sample {batch.column(0)[odd].as_py()!r} has {lengths[odd]} features in {source}, others have {width}. "
            "Materialise `embeddings` and `features` again, so that all batches are of one embedding spec."
        )
    return lists.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False).reshape(-1, width)
