"""What the GDAL bundled with rasterio cannot read, though GDAL supports the format: HDF4, and drivers left out."""

from collections.abc import Sequence
from functools import cache

import rasterio

from soc_assets.errors import RasterError
from soc_assets.storage import raster_location

_HDF4 = b"\x0e\x03\x13\x01"
_MAY_BE_HDF4 = (".hdf", ".h5", ".he5", ".hdf5")


def require_driver(location: str, drivers: Sequence[str]) -> None:
    """Refuse a file for which this build of GDAL has no driver.

    Args:
        location: a path or another location.
        drivers: that may open it.

    Raises:
        RasterError: names the file, the driver and where to get it.
    """
    lacking = [name for name in drivers if name not in _built()]
    if lacking and location.lower().endswith(_MAY_BE_HDF4) and raster_location.first_bytes(location, 4) == _HDF4:
        raise RasterError(
            f"The raster {location} is an HDF4 file (as those of MODIS are), which the GDAL that pip installs with "
            "rasterio cannot read. Order the product as GeoTIFF or NetCDF (AppEEARS and Earthdata Search convert), or "
            "convert it where GDAL has HDF4: conda create -n hdf4 -c conda-forge rasterio libgdal-hdf4; conda activate "
            f"hdf4; rio info --subdatasets {location} lists its layers, rio convert LAYER out.tif writes one."
        )
    if len(lacking) == len(drivers):
        raise RasterError(
            f"The raster {location} needs GDAL's driver {' or '.join(lacking)}, which this build of GDAL does not have "
            "(`rio env --formats` lists those it has). Correct the name in [rasters] drivers of soc.toml, convert the "
            "file to GeoTIFF, or take rasterio from conda-forge."
        )


@cache
def _built() -> frozenset[str]:
    with rasterio.Env() as environment:
        return frozenset(environment.drivers())
