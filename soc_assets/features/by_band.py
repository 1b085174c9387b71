"""Copies of the batches with a column per band and lag, from which SQL reads one of them without the others.

In a batch's file most images are the values of one map, which Parquet can only read whole. The copies hold the same
numbers, bit by bit. They are derived like soc.duckdb, beside which they lie: whoever deletes them loses time, no
result. The digest in the name and in each row says which file of a batch a copy was made from: a batch that changed
since is read from its own file (`soc_assets.features.sql.by_band`).
"""

import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from soc_assets.embedding.spec import Spec
from soc_assets.errors import EmbeddingError, SocWarning, StorageError
from soc_assets.features.images import Images, read_images
from soc_assets.rasters.steps import Slot
from soc_assets.runtime import interrupts, progress
from soc_assets.storage import digest, files, folders
from soc_assets.storage.access import is_stored, source

FACTS = ("soc.inputs", "soc.labels", "soc.seconds", "soc.device", "soc.version", "soc.weights_sha256")
"""Metadata of a batch's file which, with its name and size, tell it from any other that has been in its place."""
_PLACE = ("batch", "longitude", "latitude", "year", "organic_carbon")
_MAPS = ("static_embeddings", "channel_time_embeddings", "point_values")
_MOST_AT_ONCE = 4  # batches at once: each holds up to 128 MB of vectors, and a copy
_GB = 10**9
_END = b"PAR1"  # of every Parquet file


def column_of(slot: Slot) -> str:
    """The column of a band (or group of bands) and lag; the space keeps it apart from all other columns.

    >>> column_of(Slot("LAI", "yearly", 2, ()))
    'LAI lag 2'
    """
    return f"{slot.name} static" if slot.lag is None else f"{slot.name} lag {slot.lag}"


def schema_of(spec: Spec) -> pa.Schema:
    """The columns of a copy: the sample, what it was made from, keys and point values by slot, and the images.

    An image is a list of rows x width numbers, null where it is missing.
    """
    number = pa.float32() if spec.choices["storage"] == "float32" else pa.float16()
    image = pa.list_(pa.field("element", number, nullable=False))  # a fifth faster to read than with nullable numbers
    return pa.schema(
        [
            *(("sample_id", pa.string()), ("batch", pa.string()), ("made_from", pa.string())),
            *(("longitude", pa.float64()), ("latitude", pa.float64()), ("year", pa.int32())),
            *(("organic_carbon", pa.float64()), ("missing_images", pa.int32())),
            *(("keys", pa.list_(pa.string())), ("points", pa.list_(pa.list_(pa.float32())))),
            *((column_of(slot), image) for slot in spec.slots),
        ]
    )


def made_from(batch: Path) -> str | None:
    """Digest of what a batch's file says it is; None where it does not say so."""
    stored = files.read_metadata(batch)
    if not stored.keys() >= set(FACTS):
        return None
    words = [_key(batch), *(stored[fact] for fact in FACTS), str(batch.stat().st_size)]
    return digest.of_bytes(" ".join(words).encode())


def bring_up_to_date(folder: Path, spec: Spec, batches: Sequence[Path], limit_gb: float) -> None:
    """Write the copies that are missing and remove those of no use: of batches that changed, and of other specs.

    Where they would take more than the limit, or the disk has too little space, there are none.

    Args:
        folder: of the spec's copies; those of other specs lie beside it.
        spec: of the batches.
        batches: their files.
        limit_gb: of all copies together.
    """
    digests = {batch: found for batch in batches if (found := made_from(batch))}
    copies = {folder / f"{_key(batch)}_{found}.parquet": batch for batch, found in digests.items()}
    if not _fits(copies, limit_gb):
        copies = {}
    todo = [(copy, batch) for copy, batch in copies.items() if not _is_complete(copy, batch)]
    if todo and not _space_for(folder, sum(batch.stat().st_size for _, batch in todo)):
        todo = []
    try:
        with ThreadPoolExecutor(min(_MOST_AT_ONCE, os.cpu_count() or 1)) as pool:
            made = pool.map(lambda pair: _write(pair[0], pair[1], spec, digests[pair[1]]), todo)
            for done, _ in enumerate(made, start=1):
                progress.report(done, len(todo), "batches copied by band")
    except StorageError as error:
        warnings.warn(f"SQL reads the batches themselves, which takes longer: {error}", SocWarning, stacklevel=2)
    _remove_all_but(folder, set(copies))


def drop_cut(folder: Path) -> None:
    """Remove copies without a proper end (a full disk, a power failure): SQL reads their batches then.

    On object storage there are none: a file is there as a whole or not at all.
    """
    if is_stored(folder):
        return
    for copy in folder.glob("*.parquet"):
        with copy.open("rb") as file:
            file.seek(max(copy.stat().st_size - len(_END), 0))
            whole = file.read() == _END
        if not whole:
            files.remove(copy)


def drop_damaged(folder: Path) -> Iterator[Path]:
    """Read every page of every copy and compare its checksum; those that are damaged are removed, and named."""
    for copy in sorted(folder.glob("*.parquet")):
        interrupts.check()
        try:
            with pq.ParquetFile(source(copy), page_checksum_verification=True) as file:
                for number in range(file.num_row_groups):
                    file.read_row_group(number)
        except (pa.ArrowException, OSError):
            files.remove(copy)
            yield copy


def _key(batch: Path) -> str:
    return batch.name.partition("_size_")[0]


def _is_complete(copy: Path, batch: Path) -> bool:
    """Whether a copy is there with every row; its digest is in its name."""
    return copy.is_file() and files.read_footer(copy)[0] == files.read_footer(batch)[0]


def _fits(copies: dict[Path, Path], limit_gb: float) -> bool:
    """Whether the copies, which are as large as the batches, stay below the limit."""
    return sum(batch.stat().st_size for batch in copies.values()) <= limit_gb * _GB


def _space_for(folder: Path, size: int) -> bool:
    """Whether the disk has twice the space that is needed; a warning says so where it has not."""
    if is_stored(folder):
        return True
    above = next(each for each in (folder, *folder.parents) if each.is_dir())
    free = shutil.disk_usage(above).free
    if free < 2 * size:
        warnings.warn(
            f"{folder.parent} gets no copies by band, {size / _GB:.1f} GB, because {free / _GB:.1f} GB are free: SQL "
            "reads the batches themselves, which takes longer. [features] by_band_gb = 0 asks for none.",
            SocWarning,
            stacklevel=3,
        )
    return free >= 2 * size


def _write(copy: Path, batch: Path, spec: Spec, known: str) -> None:
    """Copy a batch, unless it is replaced meanwhile or cannot be read: then its own file is what SQL reads."""
    interrupts.check()
    schema = schema_of(spec)
    vectors = [f"{column_of(slot)}.list.element" for slot in spec.slots]
    options = {
        "compression": "zstd",
        "use_dictionary": ["batch", "made_from", "keys.list.element"],
        "use_byte_stream_split": vectors if spec.choices["storage"] == "float32" else False,  # as in the batches
        "write_page_checksum": True,
    }
    try:
        with files.replacing(copy) as temporary:
            with pq.ParquetWriter(temporary, schema, **options) as writer:
                for images in read_images(batch, spec, [*_PLACE, *_MAPS]):
                    writer.write_table(_table(images, spec, known, schema))
            if made_from(batch) != known:
                raise EmbeddingError(f"{batch} was replaced while it was read")
    except (EmbeddingError, FileNotFoundError):
        return


def _table(images: Images, spec: Spec, known: str, schema: pa.Schema) -> pa.Table:
    n, columns = len(images.sample_id), images.columns.combine_chunks()
    by_name = {
        **{name: columns[name] for name in _PLACE},
        "sample_id": pa.array(images.sample_id, pa.string()),
        "made_from": pa.array([known]).take(pa.array(np.zeros(n, np.int32))),
        "missing_images": pa.array(images.missing.sum(axis=1).astype(np.int32)),
        "keys": _keys(columns, spec, n),
        "points": _by_sample(columns["point_values"].combine_chunks().items, n),
    }
    kind = np.dtype(spec.choices["storage"])
    for number, slot in enumerate(spec.slots):
        vectors = images.vectors[:, number].reshape(n, -1).astype(kind, copy=False)
        by_name[column_of(slot)] = _lists(vectors, images.missing[:, number], schema.field(column_of(slot)).type)
    return pa.table([by_name[name] for name in schema.names], names=schema.names).cast(schema)


def _keys(columns: pa.Table, spec: Spec, n: int) -> pa.Array:
    """The key of each slot, as the maps have them: the reference band has none of its own."""
    parts = [np.full((n, 1), spec.choices["reference"], object)]
    for name in _MAPS[:2]:
        parts.append(columns[name].combine_chunks().keys.to_numpy(zero_copy_only=False).reshape(n, -1))
    return _by_sample(pa.array(np.hstack(parts).ravel(), pa.string()), n)


def _by_sample(values: pa.Array, n: int) -> pa.ListArray:
    """Values [n * k] as n lists."""
    return pa.ListArray.from_arrays(pa.array(np.arange(n + 1, dtype=np.int32) * (len(values) // n)), values)


def _lists(vectors: np.ndarray, missing: np.ndarray, kind: pa.DataType) -> pa.ListArray:
    """Vectors [n, d] as n lists, null where missing."""
    ends = np.concatenate([[0], np.cumsum(~missing) * vectors.shape[1]]).astype(np.int32)
    values = pa.array(vectors[~missing].ravel())
    return pa.ListArray.from_arrays(pa.array(ends), values, type=kind, mask=pa.array(missing))


def _remove_all_but(folder: Path, wanted: set[Path]) -> None:
    """Remove other copies, also those of other specs; the database shows one spec only."""
    mine = folder.parent.is_dir() and not is_stored(folder)  # on storage other hosts may show other specs
    for other in folder.parent.glob("[!.]*") if mine else []:
        if other != folder:
            _remove(other)
    for copy in folder.glob("*.parquet"):
        if copy not in wanted:
            files.remove(copy)
    if folder.is_dir() and not wanted:
        _remove(folder)


def _remove(folder: Path) -> None:
    with suppress(OSError):
        folders.remove_all(folder)
