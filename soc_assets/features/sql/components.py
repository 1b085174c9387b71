"""Principal components of the studied samples' embeddings: a table built once, with the database.

They are fitted on training samples only, at most 2,048 of them, and every sample is projected; missing images are at
the mean of their band and lag. Inner products of the index's coordinates are those of the vectors, so the components
are those of the whole flattened vectors.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

MOST = 32  # components
_FITTED_ON = 2048  # samples
_ROWS = 50_000  # of the index at a time


@dataclass(frozen=True)
class Components:
    """Fitted components.

    Attributes:
        mean: [slots, r] of the images that are there.
        axes: [slots, r, components], orthonormal over the first two axes together.
        share: [components] of the variance.
    """

    mean: np.ndarray
    axes: np.ndarray
    share: np.ndarray


def fill_components(connection: duckdb.DuckDBPyConnection, slots: int) -> None:
    """Make the tables `pca_scores` (sample_id, pc1, ...) and `pca_variance` from `neighbour_index`."""
    ids = [row[0] for row in connection.execute("SELECT DISTINCT sample_id FROM neighbour_index ORDER BY 1").fetchall()]
    fitted = _fit(connection, slots) if len(ids) > 1 else None
    share = np.zeros(0) if fitted is None else fitted.share
    scores = np.zeros((len(ids), 0)) if fitted is None else _project(connection, fitted, ids)
    names = [f"pc{number}" for number in range(1, len(share) + 1)]
    frame = pd.DataFrame(scores.astype(np.float32), columns=names)
    frame.insert(0, "sample_id", pd.Series(ids, dtype="str"))
    variance = pd.DataFrame({"component": np.arange(1, len(share) + 1, dtype=np.int32), "share": share})
    for name, table in (("pca_scores", frame), ("pca_variance", variance)):
        connection.register("made", pa.Table.from_pandas(table, preserve_index=False))
        connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM made")
        connection.unregister("made")


def _fit(connection: duckdb.DuckDBPyConnection, slots: int) -> Components | None:
    """Components from the inner products of samples [n, n], which are fewer than features."""
    chosen = f"""SELECT sample_id FROM (SELECT DISTINCT i.sample_id FROM neighbour_index i
            JOIN studied_batches s USING (sample_id) WHERE s.split = 'train')
        ORDER BY hash(sample_id), sample_id LIMIT {_FITTED_ON}"""
    ids = sorted(row[0] for row in connection.execute(chosen).fetchall())
    if len(ids) < 2:
        return None
    row_of = pd.Index(ids)
    values = np.zeros((len(ids), slots, _width(connection)), np.float32)
    there = np.zeros((len(ids), slots), bool)
    where = f"WHERE sample_id IN ({chosen})"
    for sample, slot, coordinates in _stream(connection, where):
        rows = row_of.get_indexer(pd.Index(sample))
        values[rows, slot], there[rows, slot] = coordinates, True
    mean = values.sum(axis=0) / np.maximum(there.sum(axis=0), 1)[:, None]
    values -= mean
    values[~there] = 0
    return _decompose(values, mean)


def _decompose(values: np.ndarray, mean: np.ndarray) -> Components:
    n, slots, width = values.shape
    flat = values.reshape(n, slots * width)
    squares, vectors = np.linalg.eigh((flat @ flat.T).astype(float))
    order = np.argsort(squares)[::-1][: min(MOST, n - 1)]
    order = order[squares[order] > 1e-9 * max(squares.max(), 1e-30)]
    axes = flat.T @ (vectors[:, order] / np.sqrt(squares[order])).astype(np.float32)
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), range(axes.shape[1])])  # the same sign on any machine
    return Components(mean, axes.reshape(slots, width, -1), squares[order] / np.maximum(squares, 0).sum())


def _project(connection: duckdb.DuckDBPyConnection, fitted: Components, ids: list[str]) -> np.ndarray:
    row_of = pd.Index(ids)
    scores = np.zeros((len(ids), fitted.axes.shape[2]))
    for sample, slot, coordinates in _stream(connection, ""):
        rows = row_of.get_indexer(pd.Index(sample))
        for number in np.unique(slot):
            of_slot = slot == number
            centred = coordinates[of_slot] - fitted.mean[number]
            np.add.at(scores, rows[of_slot], centred @ fitted.axes[number])
    return scores


def _stream(connection: duckdb.DuckDBPyConnection, where: str) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Rows of the index, a block at a time: samples [m], slots [m], coordinates [m, r]."""
    at_once = max(1, _ROWS * 64 // _width(connection))
    query = f"SELECT sample_id, slot, coordinates FROM neighbour_index {where}"
    for batch in connection.sql(query).to_arrow_reader(at_once):
        coordinates = batch.column(2).flatten().to_numpy(zero_copy_only=False).reshape(batch.num_rows, -1)
        yield batch.column(0).to_numpy(zero_copy_only=False), batch.column(1).to_numpy(), coordinates


def _width(connection: duckdb.DuckDBPyConnection) -> int:
    """Numbers per image; 1 where the index is empty."""
    found = connection.execute("SELECT len(coordinates) FROM neighbour_index LIMIT 1").fetchall()
    return found[0][0] if found else 1
