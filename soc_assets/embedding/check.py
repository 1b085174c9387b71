"""Checks of a batch's file before it is used: spec, rows, keys, shapes, numbers.

The file is read once, some rows at a time, however large it is, also where the batch was not computed but found fresh:
a disk or a stray program may have corrupted it since. The numbers are checked in `soc_assets.embedding.quality`.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from soc_assets.embedding import quality
from soc_assets.embedding.batch import Batch
from soc_assets.embedding.parquet import schema_of
from soc_assets.embedding.spec import Spec
from soc_assets.embedding.tile_cache import POINT_WINDOWS
from soc_assets.errors import EmbeddingError
from soc_assets.rasters.steps import Slot, keys_of, step_numbers
from soc_assets.reporting.findings import Finding, of_output
from soc_assets.storage.access import source

CHECKS = ("finite", "complete", "spec", "rank", "constant_columns")
_AT_ONCE = 32 * 2**20  # bytes of vectors read at a time
_MAPS = ("channel_time_embeddings", "static_embeddings", "valid_fraction", "point_values")


def check_batch(batch: Batch, folder: Path, spec: Spec) -> list[Finding]:
    """Everything wrong with the file of a batch; empty where it is sound.

    Args:
        batch: its samples, in order.
        folder: of the spec.
        spec: the frozen spec.
    """
    path = batch.path(folder)

    def finding(check: str, found: str) -> Finding:
        return of_output(check, "error", str(path), found, "")

    try:
        with pq.ParquetFile(source(path), page_checksum_verification=True) as file:
            stored = {key.decode(): value.decode() for key, value in (file.metadata.metadata or {}).items()}
            findings = [finding("spec", found) for found in _wrong_spec(stored, folder, spec)]
            try:
                variety = _read(file, batch, spec, stored)
            except EmbeddingError as error:
                return [*findings, finding("complete", f"{error}")]
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        return [finding("complete", f"it cannot be read ({error})")]
    return [*findings, *variety.findings(path)]


def _wrong_spec(stored: dict[str, str], folder: Path, spec: Spec) -> Iterator[str]:
    """How the file's spec differs from the folder's, as text."""
    found = stored.get("soc.spec")
    if found != spec.digest or folder.name != spec.digest:
        yield f"it says that it is of the spec {found}, and lies in {folder.name} among those of {spec.digest}"
    try:
        frozen = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
        written = json.loads(stored.get("soc.spec_json", "{}"))
    except (OSError, ValueError) as error:
        yield f"its spec cannot be compared with spec.json ({error})"
        return
    differing = [name for name in ("choices", "statistics") if frozen.get(name) != written.get(name)]
    if frozen.get("digest") != spec.digest or differing:
        yield f"the spec in it differs from {folder / 'spec.json'} ({', '.join(differing) or 'digest'})"


def _read(file: pq.ParquetFile, batch: Batch, spec: Spec, stored: dict[str, str]) -> quality.EmbeddingQuality:
    """Compare rows, keys and shapes with what they must be; the numbers are collected for the quality checks.

    Raises:
        EmbeddingError: something is missing, superfluous, or of the wrong shape.
    """
    _require(file.schema_arrow.equals(schema_of(spec)), "its columns or their types are not the documented ones")
    n = len(batch.samples)
    _require(file.metadata.num_rows == n, f"it has {file.metadata.num_rows} rows, and the batch {n} samples")
    keys = _keys_of_maps(batch, spec)
    variety = quality.EmbeddingQuality(spec, n)
    at_once, first, missing = max(1, _AT_ONCE // (4 * spec.n_features)), 0, 0
    for chunk in file.iter_batches(at_once):
        rows = slice(first, first + chunk.num_rows)
        ids = chunk["sample_id"].to_pylist()
        expected = batch.samples["sample_id"].iloc[rows].to_list()
        odd = next((pair for pair in zip(ids, expected, strict=True) if pair[0] != pair[1]), None)
        _require(odd is None, f"it has the sample {odd and odd[0]} where the ledger has {odd and odd[1]}")
        items = {name: _items(chunk, name, keys[name][rows], expected) for name in _MAPS}
        images = [
            _vectors(column, name, *spec.shape)
            for name, column in (
                ("elevation_embedding", chunk["elevation_embedding"]),
                *((name, items[name]) for name in ("static_embeddings", "channel_time_embeddings")),
            )
        ]
        points = _points(items["point_values"]).reshape(len(ids), -1, len(POINT_WINDOWS))
        variety.see(images, points, expected, first)
        missing += sum(int((~present).sum()) for _, present in images)
        first = rows.stop
    _require(
        str(missing) == stored.get("soc.missing_images"),
        f"{missing} images are null, and its metadata says {stored.get('soc.missing_images')}",
    )
    return variety


def _require(right: bool, found: str) -> None:
    if not right:
        raise EmbeddingError(found)


def _keys_of_maps(batch: Batch, spec: Spec) -> dict[str, np.ndarray]:
    """The keys [n, k] that each map must have, in order."""
    every, statics = _keys(batch, spec.slots), sum(slot.lag is None for slot in spec.slots)
    return {
        "channel_time_embeddings": every[:, statics:],
        "static_embeddings": every[:, 1:statics],
        "valid_fraction": every,
        "point_values": every if spec.frames == 1 else _keys(batch, spec.band_slots),
    }


def _keys(batch: Batch, slots: list[Slot]) -> np.ndarray:
    keys = np.empty((len(batch.samples), len(slots)), dtype=object)
    for number, slot in enumerate(slots):
        keys[:, number] = keys_of(slot, step_numbers(slot, batch.samples))
    return keys


def _items(chunk: pa.RecordBatch, name: str, keys: np.ndarray, ids: list[str]) -> pa.Array:
    """The values of a map, sample by sample, after comparing its keys."""
    column = chunk[name]
    offsets = column.offsets.to_numpy()
    lengths = np.diff(offsets)
    if (lengths != keys.shape[1]).any():
        row = int(np.argmax(lengths != keys.shape[1]))
        raise EmbeddingError(f"{name} of sample {ids[row]} has {lengths[row]} keys, expected {keys.shape[1]}")
    start, count = int(offsets[0]), int(offsets[-1] - offsets[0])
    found = column.keys.slice(start, count)
    if not found.equals(pa.array(keys.ravel(), pa.string())):
        row, number = np.argwhere(np.array(found.to_pylist(), dtype=object).reshape(keys.shape) != keys)[0]
        got = found[int(row) * keys.shape[1] + int(number)].as_py()
        raise EmbeddingError(f"{name} of sample {ids[row]} has the key {got} where {keys[row, number]} is expected")
    return column.items.slice(start, count)


def _vectors(lists: pa.Array, name: str, rows: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors [present, rows * width] float32 of lists of lists, and which of all are present."""
    present = lists.is_valid().to_numpy(zero_copy_only=False)
    inner = lists.flatten()
    tall = lists.value_lengths().fill_null(rows).to_numpy() == rows
    wide = inner.value_lengths().fill_null(-1).to_numpy() == width
    _require(bool(tall.all() and wide.all()), f"{name} has vectors that are not {rows} x {width}")
    values = inner.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)  # null becomes NaN
    return values.reshape(-1, rows * width), present


def _points(lists: pa.Array) -> np.ndarray:
    """Point values [m, 4], NaN where there is none."""
    width, present = len(POINT_WINDOWS), lists.is_valid().to_numpy(zero_copy_only=False)
    lengths = lists.value_lengths().fill_null(width).to_numpy()
    _require(bool((lengths == width).all()), f"point_values has lists that are not of {width} numbers")
    values = np.full((len(present), width), np.nan, np.float32)
    values[present] = lists.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
    return values
