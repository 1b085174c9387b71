"""How large a raster may claim to be: a file of a thousand bytes can declare a million times a million pixels."""

import math

import numpy as np
from rasterio.enums import Interleaving
from rasterio.io import DatasetReader

from soc_assets.errors import RasterError
from soc_assets.storage import raster_location
from soc_assets.storage.raster_drivers import allowed

_PIXELS_A_BYTE = 1000  # pixels of one value that a byte can hold at best compression


def require_bounded(dataset: DatasetReader, name: str) -> None:
    """Refuse an open raster that declares far more pixels than its file can hold, or blocks that fill the memory.

    Raises:
        RasterError: names the file, what it declares, the limit and its setting.
    """
    may = allowed(name)
    _require_small_blocks(dataset, name, may.block_mb)
    pixels = dataset.width * dataset.height
    if pixels <= may.pixels:
        return
    bytes_of_all = sum(raster_location.stamp_of(file)[0] for file in dataset.files if raster_location.exists(file))
    if pixels - _PIXELS_A_BYTE * bytes_of_all > may.pixels:
        raise RasterError(
            f"The raster {name} declares {dataset.height:,} x {dataset.width:,} pixels, and its {bytes_of_all:,} "
            f"bytes can hold data for few of them; at most {may.pixels:,.0f} pixels may be without data. "
            "Replace it, or raise max_pixels_without_data in [rasters] of soc.toml if it is right."
        )


def _require_small_blocks(dataset: DatasetReader, name: str, most_mb: int) -> None:
    if not dataset.count:
        return
    together = dataset.count if dataset.interleaving == Interleaving.pixel else 1
    pairs = zip(dataset.block_shapes, dataset.dtypes, strict=True)
    size = max(math.prod(shape) * np.dtype(dtype).itemsize for shape, dtype in pairs) * together
    if size > most_mb * 10**6:
        raise RasterError(
            f"The raster {name} is stored in blocks of {size / 1e6:,.0f} MB (the largest of {dataset.block_shapes[0]} "
            f"pixels), each of which must be unpacked as a whole; at most {most_mb:,} MB are. Store it in tiles: rio "
            "convert in.tif out.tif --co TILED=YES, or raise max_block_mb in [rasters] of soc.toml."
        )
