"""Many batches in one go: some are computed while others are written, and one that fails does not stop the rest."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from soc_assets.embedding import batch as batches
from soc_assets.embedding.batch import Written
from soc_assets.embedding.embed import Embedder
from soc_assets.embedding.inputs import EmbeddingInputs
from soc_assets.errors import RasterError

_MOST_AT_ONCE = 4  # batches under way, for memory's sake


@dataclass(frozen=True)
class Failed:
    """A batch that could not be brought up to date."""

    key: str
    error: Exception


def write_batches(
    inputs: EmbeddingInputs, keys: Sequence[str], folder: Path, embedder: Callable[[], Embedder]
) -> Iterator[Written | Failed]:
    """Bring batches up to date, doing no more than is needed.

    Args:
        inputs: what they are made from.
        keys: of the batches.
        folder: of the spec.
        embedder: gives the embedder with its weights, from any thread; called only if something must be embedded.

    Yields:
        What became of each batch, in order. An error of its rasters or its file is a `Failed`; others, of the
        checkpoint or the device, are the same for every batch and end the run.
    """
    batches.write_empty(folder, inputs.spec)

    def bring_up_to_date(key: str) -> Written | Failed:
        try:
            return batches.write(inputs.batch(key), folder, inputs.spec, embedder)
        except (RasterError, OSError, pa.ArrowException) as error:
            return Failed(key, error)

    with ThreadPoolExecutor(min(_MOST_AT_ONCE, os.cpu_count() or 1)) as pool:
        yield from pool.map(bring_up_to_date, keys)
