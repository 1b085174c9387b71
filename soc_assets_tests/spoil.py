"""Spoiling the Parquet file of a batch in ways that its name and digests do not tell."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from soc_assets.embedding.parquet import PARQUET_OPTIONS
from soc_assets.storage.files import read_metadata


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Replace the rows of a file, with its metadata as it was."""
    metadata = read_metadata(path)
    pq.write_table(change(pq.read_table(path)).replace_schema_metadata(metadata), path, **PARQUET_OPTIONS)


def edit_vectors(path: Path, column: str, edit: Callable[[np.ndarray], None]) -> None:
    """Change the vectors [present, width] of a column in place."""

    def change(table: pa.Table) -> pa.Table:
        array = table[column].combine_chunks()
        lists = array.items if pa.types.is_map(array.type) else array
        inner = lists.flatten()
        values = inner.flatten().to_numpy(zero_copy_only=False).copy()
        edit(values.reshape(len(inner), -1))
        new = pa.ListArray.from_arrays(inner.offsets, pa.array(values))
        new = pa.ListArray.from_arrays(lists.offsets, new, mask=lists.is_null())
        if pa.types.is_map(array.type):
            new = pa.MapArray.from_arrays(array.offsets, array.keys, new)
        return table.set_column(table.schema.get_field_index(column), table.schema.field(column), new.cast(array.type))

    rewrite(path, change)


def drop_key(path: Path, column: str = "channel_time_embeddings") -> None:
    """Leave out the first key of every sample's map."""

    def change(table: pa.Table) -> pa.Table:
        rows = [row[1:] for row in table[column].to_pylist()]
        field = table.schema.field(column)
        return table.set_column(table.schema.get_field_index(column), field, pa.array(rows, field.type))

    rewrite(path, change)


def set_metadata(path: Path, **values: str) -> None:
    """Change metadata: `soc_spec` is `soc.spec`."""
    stored = read_metadata(path) | {name.replace("_", ".", 1): value for name, value in values.items()}
    pq.write_table(pq.read_table(path).replace_schema_metadata(stored), path, **PARQUET_OPTIONS)


def flip_bytes(path: Path) -> None:
    """Spoil the middle of a file; its metadata, at the end, still reads."""
    content = bytearray(path.read_bytes())
    start = len(content) // 3
    content[start : start + 64] = bytes(byte ^ 0xFF for byte in content[start : start + 64])
    path.write_bytes(content)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 2 // 3)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def zero(path: Path) -> None:
    """What a disk without power may leave: the length is right."""
    path.write_bytes(bytes(path.stat().st_size))


def flip(path: Path, share: float = 0.5) -> None:
    """Flip one bit of the byte that lies at this share of a file."""
    content = bytearray(path.read_bytes())
    content[int(len(content) * share)] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], None]] = {"empty": empty, "cut": cut, "zeroed": zero, "flipped": flip}
