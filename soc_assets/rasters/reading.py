"""Reading pixel values from open rasters, with every kind of nodata turned into NaN.

How stored numbers become values is in `rasters.coding`, opening files in `rasters.opening`, resampling to the reference
grid in `rasters.resample`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.windows import Window

from soc_assets.rasters.coding import Coding, Dataset
from soc_assets.rasters.opening import explained


def read_values(
    dataset: Dataset,
    window: Window,
    fill_values: Sequence[float] = (),
    band: int = 1,
    valid_range: tuple[float, float] | None = None,
    scaling: tuple[float, float] | None = None,
) -> np.ndarray:
    """Read a window as values: scale and offset applied, NaN wherever there is no value.

    Nodata: the nodata tag, a zero in the mask or alpha band, NaN and infinity, one of `fill_values` or beyond
    `valid_range` (compared with the stored numbers, before scaling), and all of the window beyond the raster.

    Args:
        dataset: an open raster, [height, width].
        window: whole-pixel window, which may reach beyond the raster on any side.
        fill_values: further stored numbers that mean "no data".
        band: index of the band in the file, from 1.
        valid_range: lowest and highest stored number that is a value.
        scaling: scale and offset in place of the file's, or None.

    Returns:
        float32 [window.height, window.width].

    Raises:
        RasterError: the file is truncated or damaged; names it.
    """
    top, left, height, width = (round(n) for n in (window.row_off, window.col_off, window.height, window.width))
    rows = slice(max(top, 0), min(top + height, dataset.height))
    columns = slice(max(left, 0), min(left + width, dataset.width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return np.full((height, width), np.nan, np.float32)
    raw, mask = read_stored(dataset, Window.from_slices(rows, columns), band)
    read = _to_values(raw, mask, dataset, fill_values, band, valid_range, scaling)
    if read.shape == (height, width):
        return read
    values = np.full((height, width), np.nan, np.float32)
    values[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = read
    return values


def read_stored(
    dataset: Dataset, window: Window, band: int = 1, shape: tuple[int, int] | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Read a window as the numbers that are stored, for `Coding`, and its mask, both [window.height, window.width].

    Args:
        dataset: an open raster.
        window: whole-pixel window within the raster.
        band: index of the band in the file, from 1.
        shape: rows and columns of the result where it is to be coarser (nearest pixel, of overviews).

    Returns:
        Numbers of the file's type, and the mask (uint8, zero where there is no value), None where the file has none.

    Raises:
        RasterError: the file is truncated or damaged; names it.
    """
    is_whole = (window.height, window.width) == dataset.shape
    part = None if is_whole else window  # rasterio is slow with windows
    with explained(dataset.name):
        raw = dataset.read(band, window=part, out_shape=shape)
        return raw, _mask(dataset, band, window=part, out_shape=shape)


def read_decimated(
    dataset: Dataset,
    longest: int,
    fill_values: Sequence[float] = (),
    band: int = 1,
    valid_range: tuple[float, float] | None = None,
    scaling: tuple[float, float] | None = None,
) -> np.ndarray:
    """Read the whole raster at a lower resolution (nearest pixel; of overviews unless it was opened without them).

    Args:
        dataset: an open raster.
        longest: most pixels along the longer edge of the result.
        fill_values: further stored numbers that mean "no data".
        band: index of the band in the file, from 1.
        valid_range: lowest and highest stored number that is a value.
        scaling: scale and offset in place of the file's, or None.

    Returns:
        float32 [h, w], NaN where there is no value.

    Raises:
        RasterError: the file is truncated or damaged; names it.
    """
    factor = max(dataset.height / longest, dataset.width / longest, 1)
    shape = max(1, round(dataset.height / factor)), max(1, round(dataset.width / factor))
    with explained(dataset.name):
        raw = dataset.read(band, out_shape=shape)
        mask = _mask(dataset, band, out_shape=shape)
    return _to_values(raw, mask, dataset, fill_values, band, valid_range, scaling)


def _mask(dataset: Dataset, band: int, **part: Any) -> np.ndarray | None:
    """The mask of a part (uint8, zero where there is no value), None where the file has none.

    GDAL takes an alpha band for the mask of the others only as band 2 of 2 or 4 of 4, and where there is no nodata tag.
    """
    flags = dataset.mask_flag_enums[band - 1]
    mask = None
    if MaskFlags.per_dataset in flags or MaskFlags.alpha in flags:
        mask = dataset.read_masks(band, **part)
    alpha = alpha_band(dataset)
    if alpha is None or alpha == band or MaskFlags.alpha in flags:
        return mask
    seen = (dataset.read(alpha, **part) != 0).astype(np.uint8)
    return seen if mask is None else np.minimum(mask, seen)


def alpha_band(dataset: Dataset) -> int | None:
    """Which band of a file, from 1, is the alpha band; None where none is."""
    if dataset.count == 1:
        return None
    found = [n for n, meaning in enumerate(dataset.colorinterp, start=1) if meaning == ColorInterp.alpha]
    return found[0] if found else None


def _to_values(
    raw: np.ndarray,
    mask: np.ndarray | None,
    dataset: Dataset,
    fill_values: Sequence[float],
    band: int,
    valid_range: tuple[float, float] | None,
    scaling: tuple[float, float] | None,
) -> np.ndarray:
    """Stored numbers and their mask, both [h, w], as float32 values."""
    coding = Coding.of_band(dataset, fill_values, band, valid_range, scaling)
    values = coding.scaled(raw, np.float32)
    invalid = coding.invalid(raw, values, mask)
    if invalid is not None:
        values[invalid] = np.nan
    return values
