"""The prediction area: places all over the region that a map would cover, for distances and for nothing else."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from soc_assets.ingest.grid import WGS84, Grid, crs_of_text, move
from soc_assets.ingest.rasters.facts import variable_of
from soc_assets.ingest.rasters.io import open_raster
from soc_assets.sampling.knndm import GRID_POINTS
from soc_assets.sampling.region import read_region


def prediction_area(grid: Grid, region: Path | None, reference: pd.DataFrame, count: int = GRID_POINTS) -> np.ndarray:
    """Centres of about `count` pixels of the reference grid, regularly spaced, as longitude and latitude [m, 2].

    Args:
        grid: the reference grid.
        region: a file of polygons; places outside are left out.
        reference: rows of the catalog for the reference band (path, layer, crs): places where none has a value are
            left out.
        count: of places in the whole grid, before anything is left out.
    """
    longitude, latitude = _lattice(grid, count)
    kept = read_region(region).contains(longitude, latitude) if region else np.ones(len(longitude), bool)
    longitude, latitude = longitude[kept], latitude[kept]
    valid = np.zeros(len(longitude), bool)
    for found in _with_values(longitude, latitude, reference):
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


def _with_values(longitude: np.ndarray, latitude: np.ndarray, reference: pd.DataFrame) -> Iterator[np.ndarray]:
    for row in reference.to_dict("records"):
        crs = crs_of_text(row["crs"])
        x, y = (longitude, latitude) if crs == WGS84 else move(WGS84, crs, longitude, latitude)
        with open_raster(row["path"], variable_of(row)) as dataset:
            points = zip(x.tolist(), y.tolist(), strict=True)
            values = [value[0] for value in dataset.sample(points, indexes=[int(row["layer"])], masked=True)]
        yield ~np.ma.getmaskarray(np.ma.stack(values)) if values else np.zeros(0, bool)
