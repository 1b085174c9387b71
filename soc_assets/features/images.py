"""Reading the images of a batch's Parquet file into arrays, a row group at a time, without a Python object per number.

What the arrays mean is in `soc_assets.embedding.parquet`, which writes the files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from soc_assets.embedding.spec import Spec
from soc_assets.errors import EmbeddingError
from soc_assets.storage.access import source

_IMAGES: tuple[str, ...] = ("elevation_embedding", "static_embeddings", "channel_time_embeddings")


@dataclass(frozen=True)
class Images:
    """The images of n samples, in the order of the slots.

    Attributes:
        sample_id: [n].
        vectors: [n, slots, rows, width] float32, zero where missing.
        missing: [n, slots].
        columns: the other columns asked for.
    """

    sample_id: np.ndarray
    vectors: np.ndarray
    missing: np.ndarray
    columns: pa.Table


def batch_paths(folder: Path) -> list[Path]:
    """The existing files of a spec's batches, in order."""
    return sorted(folder.glob("batch_*_size_*.parquet"))


def read_images(
    path: Path, spec: Spec, columns: Sequence[str] = (), slots: Sequence[int] | None = None
) -> Iterator[Images]:
    """Read a batch's file, a row group at a time: at most about 128 MB of vectors.

    Args:
        path: of the file.
        spec: of the file.
        columns: further columns wanted.
        slots: positions in `spec.slots` of the images wanted, in this order; None takes all. Columns without any of
            them are not read.

    Raises:
        EmbeddingError: the file cannot be read, or does not hold the images of the spec.
    """
    wanted = list(range(len(spec.slots))) if slots is None else list(slots)
    statics = sum(slot.lag is None for slot in spec.slots)
    parts = dict(zip(_IMAGES, (range(1), range(1, statics), range(statics, len(spec.slots))), strict=True))
    read = [name for name, part in parts.items() if set(part) & set(wanted)]
    extra = [name for name in columns if name not in ("sample_id", *read)]
    try:
        with pq.ParquetFile(source(path), page_checksum_verification=True) as file:
            for number in range(file.num_row_groups):
                table = file.read_row_group(number, columns=["sample_id", *read, *extra])
                if table.num_rows:
                    yield _images(table, spec, {name: parts[name] for name in read}, wanted, list(columns))
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise EmbeddingError(
            f"{path} cannot be read as a batch of the spec {spec.digest} ({error}). Delete it and run "
            "`soc run --to embeddings`: it is rewritten."
        ) from None


def _images(table: pa.Table, spec: Spec, parts: dict[str, range], wanted: list[int], columns: list[str]) -> Images:
    n, (rows, width) = table.num_rows, spec.shape
    vectors = np.empty((n, len(wanted), rows, width), np.float32)
    missing = np.empty((n, len(wanted)), bool)
    for name, part in parts.items():
        column = table[name].combine_chunks()
        items = column if name == _IMAGES[0] else column.items
        values, gaps = _dense(items, n, len(part), rows, width)
        positions = [position for position, slot in enumerate(wanted) if slot in part]
        here, there = _slice(positions), _slice([wanted[position] - part.start for position in positions])
        vectors[:, here], missing[:, here] = values[:, there], gaps[:, there]
    return Images(table["sample_id"].to_numpy(), vectors, missing, table.select(columns))


def _slice(positions: list[int]) -> slice | list[int]:
    """Positions as a slice where they are consecutive, which is copied at once."""
    first, last = positions[0], positions[-1]
    return slice(first, last + 1) if positions == list(range(first, last + 1)) else positions


def _dense(items: pa.Array, n: int, k: int, rows: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Lists of lists, n * k of them, as [n, k, rows, width] and what is missing as [n, k]."""
    if len(items) != n * k:
        raise ValueError(f"{n} samples have {len(items)} images where {n * k} were expected")
    missing = items.is_null().to_numpy(zero_copy_only=False).reshape(n, k)
    found = items.flatten().flatten().to_numpy(zero_copy_only=False)
    if not missing.any():
        return found.reshape(n, k, rows, width), missing
    values = np.zeros((n, k, rows, width), np.float32)
    values[~missing] = found.reshape(-1, rows, width)
    return values, missing
