"""The prediction area: places all over the region that a map would cover, used for distances only."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from rasterio.io import DatasetReader
from rasterio.windows import Window

from soc_assets.geo.grid import WGS84, Grid, move
from soc_assets.geo.polygons import read_region
from soc_assets.rasters.catalog import variable_of
from soc_assets.rasters.opening import open_raster
from soc_assets.rasters.reading import read_values
from soc_assets.sampling.knndm import GRID_POINTS
from soc_assets.settings import Band, Rasters


def prediction_area(
    grid: Grid, region: Path | None, catalog: pd.DataFrame, rasters: Rasters, count: int = GRID_POINTS
) -> np.ndarray:
    """Centres of about `count` pixels of the reference grid, regularly spaced, as longitude and latitude [m, 2].

    Args:
        grid: the reference grid.
        region: a file of polygons; places outside are left out.
        catalog: the raster catalog; places where the reference band has no value are left out.
        rasters: which band is the reference, and what of its stored numbers is no value.
        count: of places in the whole grid, before anything is left out.
    """
    longitude, latitude = _lattice(grid, count)
    kept = read_region(region).contains(longitude, latitude) if region else np.ones(len(longitude), bool)
    longitude, latitude = longitude[kept], latitude[kept]
    valid = np.zeros(len(longitude), bool)
    for found in _with_values(longitude, latitude, catalog, rasters):
        valid |= found
    kept = valid if valid.any() else np.ones(len(valid), bool)
    return np.column_stack([longitude[kept], latitude[kept]])


def _lattice(grid: Grid, count: int) -> tuple[np.ndarray, np.ndarray]:
    step = max(1, round((grid.width * grid.height / count) ** 0.5))
    rows, columns = (np.arange(step // 2, size, step) + 0.5 for size in (grid.height, grid.width))
    column, row = (values.ravel() for values in np.meshgrid(columns, rows))
    t = grid.transform
    x, y = t.a * column + t.b * row + t.c, t.d * column + t.e * row + t.f
    longitude, latitude = (x, y) if grid.crs == WGS84 else move(grid.crs, WGS84, x, y)
    there = np.isfinite(longitude) & np.isfinite(latitude)
    return longitude[there], latitude[there]


def _with_values(
    longitude: np.ndarray, latitude: np.ndarray, catalog: pd.DataFrame, rasters: Rasters
) -> Iterator[np.ndarray]:
    band = next(band for band in rasters.bands if band.name == rasters.reference)
    for row in catalog[catalog["band"] == band.name].to_dict("records"):
        lines, columns = Grid.of_row(row).pixels(longitude, latitude)
        with open_raster(row["path"], variable_of(row)) as dataset:
            yield _has_value(dataset, int(row["layer"]), lines, columns, band)


def _has_value(dataset: DatasetReader, layer: int, rows: np.ndarray, columns: np.ndarray, band: Band) -> np.ndarray:
    """Whether pixels [n] have a value; a row of pixels is read once, in the order of the file."""
    there = (columns >= 0) & (columns < dataset.width) & (rows >= 0) & (rows < dataset.height)
    found = np.zeros(len(rows), bool)
    for row in np.unique(rows[there]):
        at = np.flatnonzero(there & (rows == row))
        window = Window.from_slices((int(row), int(row) + 1), (0, dataset.width))
        values = read_values(dataset, window, band.fill_values, layer, band.valid_range, band.scaling)
        found[at] = np.isfinite(values[0, columns[at]])
    return found
