"""Opening a layer of a map or a change, one of our own Cloud Optimized GeoTIFFs, wherever it lies."""

import io
from pathlib import Path
from typing import cast

import rasterio
from rasterio.io import DatasetReader

from soc_assets.storage.access import is_stored

_BLOCK = 2**18  # bytes that are read at a time from storage; an overview of a small map is less


def open_layer(path: Path) -> DatasetReader:
    """A dataset that reads windows; of a file on object storage only their ranges.

    Raises:
        rasterio.RasterioIOError: it is missing or damaged.
    """
    if not is_stored(path):
        return rasterio.open(path, driver="GTiff")
    try:
        file = io.BufferedReader(cast(io.RawIOBase, path.open("rb")), _BLOCK)
    except FileNotFoundError as error:
        raise rasterio.RasterioIOError(f"{path} does not exist") from error
    return rasterio.open(file, driver="GTiff")
