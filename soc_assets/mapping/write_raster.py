"""Writing one layer: a tiled GeoTIFF to fill window by window, and its translation by GDAL's COG driver.

GDAL does not say that a disk is full, or not at all where blocks are left to be written as a file is closed. So a
failure is followed by an attempt to write, and what a file holds is compared with what was written into it.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.io import DatasetWriter
from rasterio.shutil import copy as translate
from rasterio.windows import Window

from soc_assets.errors import StorageError
from soc_assets.geo.grid import Grid
from soc_assets.mapping.lattice import Cells
from soc_assets.mapping.layers import Layer
from soc_assets.storage.write_errors import probe

_BLOCK = 512
_FAILED = (RasterioError, CPLE_BaseError, SystemError)  # the last is rasterio's for what GDAL gives no reason for


@contextmanager
def open_tiled(path: Path, layer: Layer, grid: Grid) -> Iterator[DatasetWriter]:
    """A new tiled GeoTIFF of a layer, to be filled window by window.

    Raises:
        OSError: it cannot be written.
    """
    place = {"crs": grid.crs, "transform": grid.transform, "width": grid.width, "height": grid.height}
    tiled = {"tiled": True, "blockxsize": _BLOCK, "blockysize": _BLOCK, "compress": "lzw", "bigtiff": "if_safer"}
    kind = {"driver": "GTiff", "count": 1, "dtype": layer.dtype, "nodata": layer.nodata}
    with _asking_the_disk(path), rasterio.open(path, "w", **kind, **place, **tiled) as dataset:
        dataset.set_band_description(1, layer.description)
        dataset.scales, dataset.offsets = (layer.scale,), (0.0,)
        if layer.unit:
            dataset.set_band_unit(1, layer.unit)
        if layer.colours:
            dataset.write_colormap(1, dict(layer.colours))
        yield dataset


def window_of(cells: Cells) -> Window:
    """Where cells of the lattice lie in a file of its grid."""
    return Window.from_slices((cells.top, cells.bottom), (cells.left, cells.right))


def as_cog(tiled: Path, path: Path, layer: Layer) -> None:
    """Translate a tiled GeoTIFF to a Cloud Optimized GeoTIFF with overviews, and remove it.

    Raises:
        OSError: it cannot be written.
    """
    resampling = "NEAREST" if layer.colours else "AVERAGE"
    with _asking_the_disk(path), rasterio.Env(GDAL_CACHEMAX=128):
        translate(
            tiled,
            path,
            driver="COG",
            blocksize=_BLOCK,
            compress="DEFLATE",
            predictor="YES",
            overview_resampling=resampling,
            bigtiff="IF_SAFER",
            num_threads="ALL_CPUS",
        )
    tiled.unlink()


@contextmanager
def _asking_the_disk(path: Path) -> Iterator[None]:
    """Raise the system's own error where GDAL fails because nothing more can be written."""
    try:
        yield
    except _FAILED as error:
        try:
            probe(path.parent)
        except OSError as found:
            raise found from error
        raise


def checksum(parts: Iterable[np.ndarray], found: int = 0) -> int:
    """Of stored numbers, part by part; `found` is that of the parts before."""
    for part in parts:
        found = zlib.crc32(np.ascontiguousarray(part).tobytes(), found)
    return found


def require_content(path: Path, windows: Iterable[Window], wanted: int) -> None:
    """Refuse a file that does not hold what was written.

    Args:
        path: of the finished file.
        windows: in the order in which they were written.
        wanted: `checksum` of what was written.

    Raises:
        StorageError: it holds something else, or cannot be read.
    """
    try:
        with rasterio.open(path, driver="GTiff") as dataset:
            same = checksum(dataset.read(1, window=window) for window in windows) == wanted
    except _FAILED:
        same = False
    if not same:
        probe(path.parent)
        raise StorageError(
            f"{path.name} does not hold what was written into it: the disk of {path.parent.parent} was full for a "
            "moment, or is defective. Free some space, or name another folder ([paths] in soc.toml), and run again."
        )


def write_categories(path: Path, classes: Mapping[int, str]) -> None:
    """The names of the classes beside a file, where GDAL and QGIS look for them: a TIFF has no place for them."""
    names = "".join(f"<Category>{escape(classes.get(number, ''))}</Category>" for number in range(max(classes) + 1))
    text = f'<PAMDataset><PAMRasterBand band="1"><CategoryNames>{names}</CategoryNames></PAMRasterBand></PAMDataset>\n'
    path.with_name(f"{path.name}.aux.xml").write_text(text, encoding="utf-8")
