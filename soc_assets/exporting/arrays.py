"""NPZ and Zarr: one array of numbers, the samples' columns, and the axis labels; a block at a time."""

import zipfile
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from soc_assets.errors import FeaturesError
from soc_assets.exporting.sources import Source
from soc_assets.runtime import progress

_ZARR_CHUNK = 256  # samples


def write_npz(source: Source, name: str, path: Path) -> None:
    """An uncompressed .npz that `numpy.load` reads; the numbers are streamed, never all in memory.

    Args:
        source: what is written.
        name: of the array of numbers.
        path: of the file.
    """
    seen: list[pd.DataFrame] = []
    written = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
            header = {"descr": "<f4", "fortran_order": False, "shape": (source.n, *source.shape)}
            np.lib.format.write_array_header_2_0(member, header)
            for block in source.row_blocks():
                member.write(np.ascontiguousarray(block.values, "<f4").data)
                seen.append(block.samples)
                written += len(block.samples)
                progress.report(written, source.n, "samples")
        for label, (_, values) in source.labels.items():
            with archive.open(f"{label}.npy", "w") as member:
                _save(member, values)
        for column, values in pd.concat(seen, ignore_index=True).items():
            with archive.open(f"{column}.npy", "w") as member:
                _save(member, _plain(values))


def write_zarr(source: Source, name: str, path: Path) -> None:
    """A Zarr group: the numbers in chunks of 256 samples, the samples' columns, and labels with their dimensions.

    Raises:
        FeaturesError: zarr is not installed.
    """
    try:
        import zarr
    except ImportError:
        raise FeaturesError("zarr is not installed: `pip install 'soc-assets[zarr]'`, or another --format.") from None
    group = zarr.open_group(path, mode="w")
    group.update_attributes(source.metadata)
    shape = (source.n, *source.shape)
    numbers = group.create_array(
        name,
        shape=shape,
        chunks=(min(_ZARR_CHUNK, source.n), *source.shape),
        dtype="float32",
        dimension_names=("sample", *source.axes),
    )
    seen: list[pd.DataFrame] = []
    written = 0
    for block in source.row_blocks():
        after = written + len(block.samples)
        numbers[written:after] = block.values
        seen.append(block.samples)
        written = after
        progress.report(written, source.n, "samples")
    columns = {str(column): ("sample", _plain(v)) for column, v in pd.concat(seen, ignore_index=True).items()}
    for label, (axis, values) in (source.labels | columns).items():
        group.create_array(label, data=values, dimension_names=(axis,))


def _plain(values: pd.Series) -> np.ndarray:
    """A column as an array without objects: text as fixed-width characters, missing text empty, missing numbers NaN."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.to_numpy(float if values.isna().any() else values.to_numpy().dtype)
    return values.fillna("").to_numpy(str)


def _save(member: IO[bytes], values: np.ndarray) -> None:
    np.lib.format.write_array(member, values, allow_pickle=False)
