"""Rasters whose pixels say where they are, a catalog of them, and windows on the reference grid."""

from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import Affine, from_origin

from soc_assets.ingest.catalog.scan import Catalog, scan_rasters
from soc_assets.rasters.index import RasterIndex
from soc_assets.rasters.steps import Step
from soc_assets.settings import Band, Rasters
from soc_assets_tests.small_world import ORIGIN, PIXEL, UTM, write_raster

ELEVATION = Band(name="Elevation", kind="static")
LARGE_BAND = Band(name="Large", pattern="{band}_{year}.tif")


def numbered(height: int, width: int) -> np.ndarray:
    """row * 1000 + column."""
    rows, columns = np.mgrid[0:height, 0:width]
    return (rows * 1000 + columns).astype(np.float32)


def at(row: float, column: float, pixel: float = PIXEL) -> Affine:
    """North-up pixels of an edge (m) whose corner lies (row, column) reference pixels from the grid's corner."""
    return from_origin(ORIGIN[0] + column * PIXEL, ORIGIN[1] - row * PIXEL, pixel, pixel)


def write_reference(folder: Path, size: int = 64) -> None:
    write_raster(folder / "static/Elevation.tif", numbered(size, size), at(0, 0), nodata=-1)


def write_layers(path: Path, layers: list[np.ndarray], descriptions: list[str] | None = None, **options) -> Path:
    """A file of several bands on the reference grid."""
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "crs": UTM, "transform": at(0, 0), "nodata": -1, "dtype": layers[0].dtype} | options
    shape = {"height": layers[0].shape[0], "width": layers[0].shape[1], "count": len(layers)}
    with rasterio.open(path, "w", **profile, **shape) as dataset:
        dataset.write(np.stack(layers))
        for index, text in enumerate(descriptions or [], start=1):
            dataset.set_band_description(index, text)
    return path


def scanned(folder: Path | str, *bands: Band, **rasters) -> tuple[RasterIndex, Catalog]:
    """The rasters on the reference grid and the catalog of Elevation and further bands."""
    settings = Rasters(bands=(ELEVATION, *bands), **rasters)
    catalog = scan_rasters(settings, folder)
    return RasterIndex.of_catalog(catalog.frame, settings.channels, settings.reference, settings.grid), catalog


def window(raster_index: RasterIndex, band: str, step: Step, top: int = 0, left: int = 0, size: int = 64) -> np.ndarray:
    return raster_index.mosaics[band, step].read(raster_index.grid, top, left, size, size)
