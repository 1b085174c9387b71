"""Point values of the batches' files: what each band and step has at the pixel of a sample, normalised or raw."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from soc_assets.embedding.spec import Spec
from soc_assets.embedding.tile_cache import POINT_WINDOWS
from soc_assets.errors import EmbeddingError
from soc_assets.storage.access import source


def at_pixel(values: pa.MapArray) -> np.ndarray:
    """The first of the numbers of each item of maps [n], float32 [n, s]; NaN where there is none."""
    items = values.items
    there = items.is_valid().to_numpy(zero_copy_only=False)
    found = np.full(len(items), np.nan, np.float32)
    numbers = items.flatten().to_numpy(zero_copy_only=False)
    found[there] = numbers.reshape(-1, len(POINT_WINDOWS))[:, 0]
    return found.reshape(len(values), -1)


def read_raw_points(path: Path, spec: Spec, columns: Sequence[str]) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """Read a batch's file, a row group at a time.

    Args:
        path: of the file.
        spec: of the file.
        columns: further columns wanted.

    Yields:
        These columns [n], and float32 [n, band slots]: the value of each band and lag at the sample's pixel of the
        reference grid, in the unit of the rasters (after their scale and offset); NaN where there is none.

    Raises:
        EmbeddingError: the file cannot be read, or does not hold the bands of the spec.
    """
    slots = spec.band_slots
    try:
        with pq.ParquetFile(source(path), page_checksum_verification=True) as file:
            for number in range(file.num_row_groups):
                table = file.read_row_group(number, columns=[*columns, "point_values"])
                if table.num_rows:
                    values = at_pixel(table["point_values"].combine_chunks())
                    if values.shape[1] != len(slots):
                        raise ValueError(f"{values.shape[1]} point values where {len(slots)} were expected")
                    yield table.select(list(columns)), raw(values, spec)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise EmbeddingError(
            f"{path} cannot be read as a batch of the spec {spec.digest} ({error}). Delete it and run "
            "`soc run --to embeddings`: it is rewritten."
        ) from None


def raw(values: np.ndarray, spec: Spec) -> np.ndarray:
    """Normalised point values [n, band slots] in the unit of the rasters, float32."""
    how = spec.choices["normalise"]
    known = [spec.statistics[slot.name] for slot in spec.band_slots]
    return np.stack([each.restore(values[:, n], how) for n, each in enumerate(known)], axis=1)
