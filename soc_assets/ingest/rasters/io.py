"""Opening rasters and reading pixel values from them, with every reason for "no value" turned into NaN.

What a file must have to be used, and reading it, belongs here. How stored numbers become values is in `rasters.coding`,
which files there are in `rasters.files`, what is kept about them in `catalog`, resampling to the reference grid in the
embedding stage.
"""

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.session import DummySession
from rasterio.windows import Window

from soc_assets.errors import RasterError, SocError
from soc_assets.ingest.grid import Grid
from soc_assets.ingest.rasters import folder as raster_folder
from soc_assets.ingest.rasters.allowed import drivers_of
from soc_assets.ingest.rasters.builds import require_driver
from soc_assets.ingest.rasters.coding import Coding, Dataset
from soc_assets.ingest.rasters.guard import require_no_other, require_own_variable, require_safe
from soc_assets.ingest.rasters.limits import require_bounded
from soc_assets.ingest.rasters.places import require_georeferencing
from soc_assets.ingest.rasters.variables import chosen

# open_raster refuses such files with a cure; a filter for good, as those of `catch_warnings` do not respect threads
warnings.simplefilter("ignore", NotGeoreferencedWarning)

_BLOCK_CACHE_MB = 64


@contextmanager
def small_block_cache() -> Iterator[None]:
    """For reading each block of rasters once, in any thread: let GDAL keep few decoded blocks.

    It would keep as many as fit into a twentieth of the machine's memory, be they needed again or not. The user's own
    GDAL_CACHEMAX in the environment holds.
    """
    with nullcontext() if "GDAL_CACHEMAX" in os.environ else rasterio.Env(GDAL_CACHEMAX=_BLOCK_CACHE_MB):
        yield


@contextmanager
def open_raster(
    location: Path | str, variable: str | None = None, *, overviews: bool = True
) -> Iterator[DatasetReader]:
    """Open a raster that has a CRS and georeferencing, for `read_values`, which explains what cannot be read.

    Args:
        location: a path, or any other string that GDAL opens (`/vsizip/...`, `/vsis3/...`).
        variable: which variable of a NetCDF or HDF file, or page of a TIFF; None where the file holds one.
        overviews: whether GDAL may take its pyramids for a reading at a lower resolution. They are made by averaging,
            or are older than the raster: nothing that is judged may come from them.

    Raises:
        RasterError: the file is missing, truncated, or without CRS or georeferencing; names the file and the cure.
    """
    name = str(location)
    with _opened(name, variable, **({} if overviews else {"OVERVIEW_LEVEL": "NONE"})) as dataset:
        require_georeferencing(dataset, name)
        yield dataset


@contextmanager
def open_placed(location: Path | str, place: Grid, variable: str | None = None) -> Iterator[DatasetReader]:
    """Open a raster whose place the catalog knows, for its pixels: to find its place takes GDAL half of the opening.

    Args:
        location: as for `open_raster`.
        place: its pixels.
        variable: as for `open_raster`.

    Raises:
        RasterError: the file is missing or truncated, or has changed its size in pixels.
    """
    name = str(location)
    is_tiff = name.lower().endswith((".tif", ".tiff"))  # other drivers warn of options that they do not know
    options = {"GEOREF_SOURCES": "PAM"} if is_tiff else {}  # not NONE: then nodata and scale of `.aux.xml` are lost too
    with _opened(name, variable, **options) as dataset:
        if dataset.shape != (place.height, place.width):
            raise RasterError(
                f"The raster {name} has {dataset.height} x {dataset.width} pixels, but {place.height} x {place.width} "
                "in the raster catalog. Materialise raster_catalog again."
            )
        yield dataset


@contextmanager
def _opened(name: str, variable: str | None, **options: Any) -> Iterator[DatasetReader]:
    if raster_folder.is_local(name) and not Path(name).is_file():
        raise RasterError(f"The raster {name} does not exist. Put it back, or materialise raster_catalog again.")
    with _explained(name):
        require_safe(name)
    with rasterio.Env.from_defaults(
        DummySession() if raster_folder.is_local(name) else None, **raster_folder.gdal_options(name)
    ):
        with _explained(name):
            dataset = _by_its_suffix(name, name, options)
        with dataset:
            with _explained(name):
                require_no_other(dataset, name)
                other = None
                if dataset.count != 1 or variable is not None or dataset.subdatasets:  # nearly none
                    other = chosen(dataset, name, variable)
                if other is None:
                    require_bounded(dataset, name)
            if other is None:
                yield dataset
                return
        with _explained(name):
            require_own_variable(name, other)
            dataset = _by_its_suffix(name, other, options)
        with dataset:
            with _explained(name):
                require_bounded(dataset, name)
            yield dataset


def _by_its_suffix(name: str, opened: str, options: dict[str, Any]) -> DatasetReader:
    """Open a file, or a variable in it, by the drivers that its suffix allows."""
    drivers = drivers_of(name)
    require_driver(name, drivers)
    for number, driver in enumerate(drivers, start=1):
        try:
            return rasterio.open(opened, driver=driver, **options)
        except (RasterioError, ValueError):
            if number == len(drivers):
                raise
    raise RasterError(f"The raster {name} has no driver.")


def read_values(
    dataset: Dataset,
    window: Window,
    fill_values: Sequence[float] = (),
    band: int = 1,
    valid_range: tuple[float, float] | None = None,
) -> np.ndarray:
    """Read a window as values: scale and offset tags applied, NaN wherever there is no value.

    No value: the nodata tag, a zero in the mask or alpha band, NaN and infinity, one of `fill_values` or beyond
    `valid_range` (compared with the stored numbers, before scaling), and all of the window beyond the raster.

    Args:
        dataset: an open raster, [height, width].
        window: whole-pixel window, which may reach beyond the raster on any side.
        fill_values: further stored numbers that mean "no data".
        band: index of the band in the file, from 1.
        valid_range: lowest and highest stored number that is a value.

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
    read = _to_values(raw, mask, dataset, fill_values, band, valid_range)
    if read.shape == (height, width):
        return read
    values = np.full((height, width), np.nan, np.float32)
    values[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = read
    return values


def read_stored(dataset: Dataset, window: Window, band: int = 1) -> tuple[np.ndarray, np.ndarray | None]:
    """Read a window as the numbers that are stored, for `Coding`, and its mask, both [window.height, window.width].

    Args:
        dataset: an open raster.
        window: whole-pixel window within the raster.
        band: index of the band in the file, from 1.

    Returns:
        Numbers of the file's type, and the mask (uint8, zero where there is no value), None where the file has none.

    Raises:
        RasterError: the file is truncated or damaged; names it.
    """
    is_whole = (window.height, window.width) == dataset.shape
    part = None if is_whole else window  # rasterio takes its time with windows
    with _explained(dataset.name):
        raw = dataset.read(band, window=part)
        return raw, _mask(dataset, band, window=part)


def read_decimated(
    dataset: Dataset,
    longest: int,
    fill_values: Sequence[float] = (),
    band: int = 1,
    valid_range: tuple[float, float] | None = None,
) -> np.ndarray:
    """Read the whole raster at a lower resolution (nearest pixel; of overviews unless it was opened without them).

    Args:
        dataset: an open raster.
        longest: most pixels along the longer edge of the result.
        fill_values: further stored numbers that mean "no data".
        band: index of the band in the file, from 1.
        valid_range: lowest and highest stored number that is a value.

    Returns:
        float32 [h, w], NaN where there is no value.

    Raises:
        RasterError: the file is truncated or damaged; names it.
    """
    factor = max(dataset.height / longest, dataset.width / longest, 1)
    shape = max(1, round(dataset.height / factor)), max(1, round(dataset.width / factor))
    with _explained(dataset.name):
        raw = dataset.read(band, out_shape=shape)
        mask = _mask(dataset, band, out_shape=shape)
    return _to_values(raw, mask, dataset, fill_values, band, valid_range)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn whatever a library raises into an error that names the file."""
    try:
        yield
    except SocError:
        raise
    except Exception as error:  # rasterio's, GDAL's, zipfile's, XML's, memory: each has errors of its own
        cause = error.__cause__ or error
        cure = "It is truncated, damaged or no raster: copy or download it again."
        if name.startswith("/vsi"):
            cure = (
                "It is gone, damaged or no raster, or the network or the credentials fail: materialise raster_catalog."
            )
        raise RasterError(f"The raster {name} cannot be read: {cause}. {cure}") from error


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
    """Which band of a file, from 1, says where the others are transparent; None where none does."""
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
) -> np.ndarray:
    """Stored numbers and their mask, both [h, w], as float32 values."""
    coding = Coding.of_band(dataset, fill_values, band, valid_range)
    values = coding.scaled(raw, np.float32)
    invalid = coding.invalid(raw, values, mask)
    if invalid is not None:
        values[invalid] = np.nan
    return values
