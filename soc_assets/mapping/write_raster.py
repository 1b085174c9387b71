"""Writing one layer: a tiled GeoTIFF to fill window by window, and its translation by GDAL's COG driver."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from xml.sax.saxutils import escape

import rasterio
from rasterio.io import DatasetWriter
from rasterio.shutil import copy as translate

from soc_assets.geo.grid import Grid
from soc_assets.mapping.layers import Layer

_BLOCK = 512


@contextmanager
def open_tiled(path: Path, layer: Layer, grid: Grid) -> Iterator[DatasetWriter]:
    """A new tiled GeoTIFF of a layer, to be filled window by window."""
    place = {"crs": grid.crs, "transform": grid.transform, "width": grid.width, "height": grid.height}
    tiled = {"tiled": True, "blockxsize": _BLOCK, "blockysize": _BLOCK, "compress": "lzw", "bigtiff": "if_safer"}
    kind = {"driver": "GTiff", "count": 1, "dtype": layer.dtype, "nodata": layer.nodata}
    with rasterio.open(path, "w", **kind, **place, **tiled) as dataset:
        dataset.set_band_description(1, layer.description)
        dataset.scales, dataset.offsets = (layer.scale,), (0.0,)
        if layer.unit:
            dataset.set_band_unit(1, layer.unit)
        if layer.colours:
            dataset.write_colormap(1, dict(layer.colours))
        yield dataset


def as_cog(tiled: Path, path: Path, layer: Layer) -> None:
    """Translate a tiled GeoTIFF to a Cloud Optimized GeoTIFF with overviews, and remove it."""
    resampling = "NEAREST" if layer.colours else "AVERAGE"
    with rasterio.Env(GDAL_CACHEMAX=128):
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


def write_categories(path: Path, classes: Mapping[int, str]) -> None:
    """The names of the classes beside a file, where GDAL and QGIS look for them: a TIFF has no place for them."""
    names = "".join(f"<Category>{escape(classes.get(number, ''))}</Category>" for number in range(max(classes) + 1))
    text = f'<PAMDataset><PAMRasterBand band="1"><CategoryNames>{names}</CategoryNames></PAMRasterBand></PAMDataset>\n'
    path.with_name(f"{path.name}.aux.xml").write_text(text, encoding="utf-8")
