"""Many batches in one pass: some are computed while others are written, and one that fails does not stop the rest.

Every file is checked, computed or cached. One that is wrong is set aside under another name, so that nothing reads it
and the next run computes the batch again.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from soc_assets.embedding import batch as batches
from soc_assets.embedding import parquet
from soc_assets.embedding.batch import Batch, Written
from soc_assets.embedding.check import check_batch
from soc_assets.embedding.embed import Embedder
from soc_assets.embedding.inputs import EmbeddingInputs
from soc_assets.embedding.listing import SET_ASIDE, Listing
from soc_assets.embedding.spec import Spec
from soc_assets.errors import ConflictError, RasterError
from soc_assets.reporting.findings import Finding, errors
from soc_assets.runtime import interrupts
from soc_assets.storage import access, files
from soc_assets.storage.write_errors import translate_write_errors

_MOST_AT_ONCE = 4  # batches in progress, for memory's sake


@dataclass(frozen=True)
class Failed:
    """A batch that could not be brought up to date."""

    key: str
    error: Exception


def write_batches(
    inputs: EmbeddingInputs, keys: Sequence[str], folder: Path, embedder: Callable[[], Embedder]
) -> Iterator[Written | Failed]:
    """Bring batches up to date, doing no more than necessary.

    Args:
        inputs: what they are made from.
        keys: of the batches.
        folder: of the spec.
        embedder: gives the embedder with its weights, from any thread; called only if something must be embedded.

    Yields:
        The outcome of each batch, in order, with what its checks found. An error of its rasters or its file is a
        `Failed`; others, of the checkpoint or the device, are the same for every batch and end the run.
    """
    parquet.write_empty(folder, inputs.spec)
    listing = Listing(folder)

    def bring_up_to_date(key: str) -> Written | Failed:
        interrupts.check()
        try:
            batch = inputs.batch(key)
            written = batches.write(batch, folder, inputs.spec, embedder, listing)
            return replace(written, findings=_checked(batch, folder, inputs.spec, written.outcome, listing))
        except (RasterError, ConflictError, OSError, pa.ArrowException) as error:
            return Failed(key, error)

    with ThreadPoolExecutor(min(_MOST_AT_ONCE, os.cpu_count() or 1)) as pool:
        yield from pool.map(bring_up_to_date, keys)


def verify(inputs: EmbeddingInputs) -> Iterator[tuple[str, list[Finding]]]:
    """Read and check every batch that counts as done, computing nothing; a wrong file is set aside.

    Yields:
        Each batch and what is wrong with its file.

    Raises:
        StorageError: a wrong file cannot be set aside.
    """
    listing = Listing(inputs.folder)
    for key in inputs.keys:
        interrupts.check()
        batch, findings = inputs.batch(key), ()
        if batches.state(batch, inputs.folder, listing) in ("fresh", "relabel"):
            with translate_write_errors(batch.path(inputs.folder)):
                findings = _checked(batch, inputs.folder, inputs.spec, "cached", listing)
        yield key, list(findings)


def _checked(batch: Batch, folder: Path, spec: Spec, outcome: str, listing: Listing) -> tuple[Finding, ...]:
    """What is wrong with a batch's file, with the fix; where it is an error the file is set aside."""
    path = batch.path(folder)
    seen, findings = access.version(path), check_batch(batch, folder, spec)
    if errors(findings) and access.version(path) != seen:
        raise ConflictError(f"{path} was written by another host while it was checked. Run again.")
    aside = path.with_name(path.name + SET_ASIDE)
    if not errors(findings):
        for old in listing.aside(batch.key):
            files.remove(old)
        cure = "It stays in use; compare it with other batches (docs/check.md)."
    elif outcome == "cached":
        files.rename(path, aside)
        cure = f"It was sound when it was written. It is now {aside.name}; `soc run` computes the batch again."
    else:
        files.rename(path, aside)
        cure = (
            f"It has just been {outcome}, so mend what it is made from: rasters (`soc check`), checkpoint or "
            f"[embedding] in soc.toml. It is now {aside.name}; `soc run` computes the batch again."
        )
    return tuple(replace(finding, cure=cure) for finding in findings)
