"""Opening rasters with GDAL: any format, a variable of a file, a file without georeferencing.

What a file must have to be used belongs here, and what GDAL's errors mean; reading pixels is in `rasters.reading`.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.session import DummySession

from soc_assets.errors import RasterError, SocError
from soc_assets.geo.grid import Grid
from soc_assets.rasters.builds import require_driver
from soc_assets.rasters.georeferencing import require_georeferencing
from soc_assets.rasters.guard import require_no_other, require_own_variable, require_safe
from soc_assets.rasters.limits import require_bounded
from soc_assets.rasters.variables import chosen
from soc_assets.storage import raster_location
from soc_assets.storage.raster_drivers import drivers_of

_BLOCK_CACHE_MB = 64

# open_raster refuses such files with a fix; a filter for good, as those of `catch_warnings` do not respect threads
warnings.simplefilter("ignore", NotGeoreferencedWarning)


@contextmanager
def small_block_cache() -> Iterator[None]:
    """For reading each block of rasters once, in any thread: let GDAL keep few decoded blocks.

    It would keep as many as fit into a twentieth of the machine's memory, whether needed again or not. The user's own
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
            or are older than the raster: nothing that is checked may come from them.

    Raises:
        RasterError: the file is missing, truncated, or without CRS or georeferencing; names the file and the fix.
    """
    name = str(location)
    with _opened(name, variable, **({} if overviews else {"OVERVIEW_LEVEL": "NONE"})) as dataset:
        require_georeferencing(dataset, name)
        yield dataset


@contextmanager
def open_placed(location: Path | str, place: Grid, variable: str | None = None) -> Iterator[DatasetReader]:
    """Open a raster whose grid the catalog knows, for its pixels: GDAL spends half of opening on georeferencing.

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
    if raster_location.is_local(name) and not Path(name).is_file():
        raise RasterError(f"The raster {name} does not exist. Put it back, or materialise raster_catalog again.")
    with explained(name):
        require_safe(name)
    with rasterio.Env.from_defaults(
        DummySession() if raster_location.is_local(name) else None, **raster_location.gdal_options(name)
    ):
        with explained(name):
            dataset = _by_its_suffix(name, name, options)
        with dataset:
            with explained(name):
                require_no_other(dataset, name)
                other = None
                if dataset.count != 1 or variable is not None or dataset.subdatasets:  # nearly none
                    other = chosen(dataset, name, variable)
                if other is None:
                    require_bounded(dataset, name)
            if other is None:
                yield dataset
                return
        with explained(name):
            require_own_variable(name, other)
            dataset = _by_its_suffix(name, other, options)
        with dataset:
            with explained(name):
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


@contextmanager
def explained(name: str) -> Iterator[None]:
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
        raise RasterError(f"The raster {name} cannot be read: {str(cause).rstrip('.')}. {cure}") from error
