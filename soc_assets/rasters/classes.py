"""Whether the numbers of a raster are codes of classes: a colour table, names, an attribute table, or flags."""

import re
import tempfile
from pathlib import Path

import numpy as np
import rasterio.shutil
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from soc_assets.rasters.cf import has_flags
from soc_assets.storage import raster_location

_TABLE = ".vat.dbf"  # ArcGIS, beside `landcover.tif` as landcover.tif.vat.dbf or landcover.vat.dbf
_NAMES = re.compile(r"<Type>2</Type>|<Usage>2</Usage>")  # GDAL's attribute table: a column of text, or of names


def attribute_tables(path: str) -> list[str]:
    """Attribute tables of ArcGIS beside a raster."""
    names = dict.fromkeys((f"{path}{_TABLE}", f"{path.rpartition('.')[0]}{_TABLE}"))
    return [name for name in names if raster_location.exists(name)]


def is_classes(dataset: DatasetReader, path: str, index: int) -> bool:
    """Whether a band of an open raster holds classes, by what the file says and what lies beside it.

    A table that only counts how often each number occurs does not count: ArcGIS writes one for any raster of integers.

    Args:
        dataset: the open raster.
        path: the file.
        index: the band, from 1.
    """
    if np.dtype(dataset.dtypes[index - 1]).kind not in "iu":
        return False
    if dataset.colorinterp[index - 1] == ColorInterp.palette or has_flags(dataset, index):
        return True
    with tempfile.TemporaryDirectory() as folder:  # rasterio exposes categories and tables only through a copy as VRT
        copy = Path(folder) / "copy.vrt"
        rasterio.shutil.copy(dataset, copy, driver="VRT")
        described = copy.read_text(encoding="utf-8", errors="replace")
    own = described.partition(f'band="{index}"')[2].partition("</VRTRasterBand>")[0]
    table = own.partition("<GDALRasterAttributeTable")[2].partition("</GDALRasterAttributeTable>")[0]
    if "<Category>" in own or _NAMES.search(table):
        return True
    return any(_has_text(raster_location.first_bytes(name)) for name in attribute_tables(path))


def _has_text(dbf: bytes) -> bool:
    """Whether a dBASE table has a column of text, by its header: 32 bytes for the file and for each column."""
    end = int.from_bytes(dbf[8:10], "little")
    return any(dbf[start + 11 : start + 12] == b"C" for start in range(32, min(end, len(dbf)) - 31, 32))
