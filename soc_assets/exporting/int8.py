"""Vectors as int8 with a scale: a quarter of the bytes of float32, and floats again.

Each vector has a scale of its own, its largest absolute number divided by 127, so that a file is complete in itself and
no later batch changes it. Scales by dimension, which need all samples first, are no better
(`benchmarks/int8_vectors.py`). A missing vector has the scale NaN and so becomes NaN.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from soc_assets.errors import FeaturesError
from soc_assets.storage.access import source

_LIMIT = 127
SCALES = {  # columns of vectors -> columns of their scales
    "elevation_embedding": "elevation_scale",
    "channel_time_embeddings": "channel_time_scales",
    "static_embeddings": "static_scales",
}
_COMMENT = {b"comment": b"of each vector: number = int8 * scale"}


def quantise(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors [..., d] as int8 [..., d] and scales float32 [...]; each number is off by half a scale at most.

    A vector with a NaN is missing: its numbers are 0 and its scale is NaN.
    """
    scales = (np.abs(vectors).max(axis=-1) / np.float32(_LIMIT)).astype(np.float32)
    usable = np.where(scales > 0, scales, np.float32(1))[..., None]  # also where NaN
    return np.rint(np.nan_to_num(vectors / usable)).clip(-_LIMIT, _LIMIT).astype(np.int8), scales


def restore(numbers: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Vectors float32 [..., d] of int8 [..., d] and scales [...]; scales [n, k] of vectors laid end to end [n, k * d].

    >>> restore(*quantise(np.array([[1.0, -2.0], [np.nan, 0.0]], np.float32))).round(1).tolist()
    [[1.0, -2.0], [nan, nan]]
    """
    shape = (*scales.shape, -1)
    return (numbers.reshape(shape) * scales[..., None].astype(np.float32)).reshape(numbers.shape)


def read_int8_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an int8 export as NPZ: features or embeddings as float32, all others as they are, without scales.

    Raises:
        FeaturesError: the file is not an int8 export.
    """
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    whole = [name for name in ("features", "embeddings") if name in arrays and arrays[name].dtype == np.int8]
    if not whole or "scale" not in arrays:
        raise FeaturesError(f"{path} is not an int8 export: numpy.load gives its numbers as they are.")
    scales = arrays.pop("scale")
    return {**arrays, whole[0]: restore(arrays[whole[0]], scales)}


def read_int8_parquet(path: Path) -> pa.Table:
    """The table of an int8 export as Parquet with float32 vectors and the columns of an export without `--int8`.

    Raises:
        FeaturesError: the file is not an int8 export.
    """
    table = pq.read_table(source(path)).combine_chunks()
    if "scale" in table.column_names:
        table = table.set_column(*_features(table)).drop_columns(["scale"])
        return table
    if not set(SCALES.values()) <= set(table.column_names):
        raise FeaturesError(f"{path} is not an int8 export: pandas.read_parquet gives its numbers as they are.")
    for name, scale in SCALES.items():
        numbers, scales = _one_chunk(table[name]), _one_chunk(table[scale])
        if isinstance(numbers, pa.MapArray):
            found = pa.MapArray.from_arrays(numbers.offsets, numbers.keys, _restored(numbers.items, scales.items))
        else:
            found = _restored(numbers, scales)
        table = table.set_column(table.column_names.index(name), name, found)
    return table.drop_columns(list(SCALES.values()))


def quantised_batch(table: pa.Table, width: int) -> pa.Table:
    """Rows of a batch with int8 vectors of `width` numbers and columns of scales behind them; all else as it is."""
    fields, columns = [], []
    for name in table.column_names:
        field, column = table.schema.field(name), _one_chunk(table[name])
        if name not in SCALES:
            fields.append(field)
            columns.append(column)
            continue
        items = column.items if isinstance(column, pa.MapArray) else column
        parts = _lists(items, width)
        if isinstance(column, pa.MapArray):
            parts = tuple(pa.MapArray.from_arrays(column.offsets, column.keys, part) for part in parts)
        fields += [field.with_type(parts[0].type), pa.field(SCALES[name], parts[1].type, metadata=_COMMENT)]
        columns += parts
    return pa.table(columns, schema=pa.schema(fields, table.schema.metadata))


def _lists(items: pa.ListArray, width: int) -> tuple[pa.ListArray, pa.ListArray]:
    """Lists of vectors as lists of int8 vectors and lists of scales, null where they are."""
    found = items.flatten().flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    numbers, scales = quantise(found.reshape(-1, width))
    inner = pa.ListArray.from_arrays(
        pa.array(np.arange(len(scales) + 1, dtype=np.int32) * width), pa.array(numbers.ravel())
    )
    return _nested(items, inner), _nested(items, pa.array(scales))


def _restored(numbers: pa.ListArray, scales: pa.ListArray) -> pa.ListArray:
    inner = numbers.flatten()
    widths = inner.value_lengths().to_numpy()
    every = scales.flatten().to_numpy(zero_copy_only=False)
    values = inner.flatten().to_numpy(zero_copy_only=False).astype(np.float32) * np.repeat(every, widths)
    offsets = np.concatenate([[0], np.cumsum(widths)]).astype(np.int32)
    return _nested(numbers, pa.ListArray.from_arrays(pa.array(offsets), pa.array(values)))


def _nested(like: pa.ListArray, inner: pa.Array) -> pa.ListArray:
    """Lists of `inner` as long, and as null, as those of `like`."""
    lengths = like.value_lengths().fill_null(0).to_numpy()
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), inner, mask=like.is_null())


def _features(table: pa.Table) -> tuple[int, pa.Field, pa.Array]:
    """Position, field and floats of the column `features`."""
    numbers, scales = _one_chunk(table["features"]), _one_chunk(table["scale"])
    n, width = len(numbers), numbers.type.list_size
    values = restore(
        numbers.flatten().to_numpy().reshape(n, width),
        scales.flatten().to_numpy(zero_copy_only=False).reshape(n, -1),
    )
    found = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel(), from_pandas=True), width)
    return table.column_names.index("features"), pa.field("features", found.type), found


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
