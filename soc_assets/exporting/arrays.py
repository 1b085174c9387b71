"""NPZ and Zarr: one array of numbers, the samples' columns, and the axis labels; a block at a time."""

import zipfile
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from soc_assets.errors import FeaturesError
from soc_assets.exporting.int8 import quantise
from soc_assets.exporting.sources import RowBlock, Source
from soc_assets.runtime import progress

_ZARR_CHUNK = 256  # samples


def write_npz(source: Source, name: str, path: Path, int8: bool = False) -> None:
    """An uncompressed .npz that `numpy.load` reads; the numbers are streamed, never all in memory.

    Args:
        source: what is written.
        name: of the array of numbers.
        path: of the file.
        int8: numbers as int8, and `scale` of each vector (`soc_assets.exporting.int8`).
    """
    seen: list[pd.DataFrame] = []
    scales: list[np.ndarray] = []
    written, kind = 0, "|i1" if int8 else "<f4"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
            header = {"descr": kind, "fortran_order": False, "shape": (source.n, *source.shape)}
            np.lib.format.write_array_header_2_0(member, header)
            for block in source.row_blocks():
                numbers, scale = _stored(source, block, int8)
                member.write(np.ascontiguousarray(numbers, kind).data)
                scales.append(scale)
                seen.append(block.samples)
                written += len(block.samples)
                progress.report(written, source.n, "samples")
        if int8:
            with archive.open("scale.npy", "w", force_zip64=True) as member:
                _save(member, np.concatenate(scales))
        for label, (_, values) in source.labels.items():
            with archive.open(f"{label}.npy", "w") as member:
                _save(member, values)
        for column, values in pd.concat(seen, ignore_index=True).items():
            with archive.open(f"{column}.npy", "w") as member:
                _save(member, _plain(values))


def write_zarr(source: Source, name: str, path: Path, int8: bool = False) -> None:
    """A Zarr group: the numbers in chunks of 256 samples, the samples' columns, and labels with their dimensions.

    Args:
        source: what is written.
        name: of the array of numbers.
        path: of the folder.
        int8: numbers as int8, and `scale` of each vector (`soc_assets.exporting.int8`).

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
        dtype="int8" if int8 else "float32",
        dimension_names=("sample", *source.axes),
    )
    seen: list[pd.DataFrame] = []
    scales: list[np.ndarray] = []
    written = 0
    for block in source.row_blocks():
        after = written + len(block.samples)
        numbers[written:after], scale = _stored(source, block, int8)
        scales.append(scale)
        seen.append(block.samples)
        written = after
        progress.report(written, source.n, "samples")
    columns = {str(column): ("sample", _plain(v)) for column, v in pd.concat(seen, ignore_index=True).items()}
    for label, (axis, values) in (source.labels | columns).items():
        group.create_array(label, data=values, dimension_names=(axis,))
    if int8:
        axes = ("sample", *(source.axes[:-1] or ("vector",)))
        group.create_array("scale", data=np.concatenate(scales), dimension_names=axes)


def _stored(source: Source, block: RowBlock, int8: bool) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of a block as they are stored [m, ...], and the scales [m, ...] of its vectors; none of floats."""
    if not int8:
        return block.values, np.empty(0, np.float32)
    shape = (len(block.values), -1) if len(source.shape) == 1 else block.values.shape[:-1]
    numbers, scales = quantise(block.values.reshape(*shape, source.vector or 1))
    return numbers.reshape(block.values.shape), scales


def _plain(values: pd.Series) -> np.ndarray:
    """A column as an array without objects: text as fixed-width characters, missing text empty, missing numbers NaN."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.to_numpy(float if values.isna().any() else values.to_numpy().dtype)
    return values.fillna("").to_numpy(str)


def _save(member: IO[bytes], values: np.ndarray) -> None:
    np.lib.format.write_array(member, values, allow_pickle=False)
