"""The rasters of the catalog by band and step: file, digest and place on the reference grid.

Answers which rasters a set of windows reads, without opening one.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from rasterio.crs import CRS
from rasterio.transform import Affine
from rasterio.warp import transform as transform_coordinates

from soc_assets.embedding.steps import Step
from soc_assets.embedding.tiles import Source
from soc_assets.ingest.grid import Grid
from soc_assets.settings import Band

_REACH = 4.0  # pixels beyond its edge to which a raster can matter, by the resampling kernel


@dataclass(frozen=True)
class Sheet:
    """One raster: how to read it, its digest, and its box (top, left, bottom, right) in pixels of the grid."""

    source: Source
    digest: str
    box: tuple[float, float, float, float]

    def touches(self, rows: np.ndarray, columns: np.ndarray, size: int) -> bool:
        """Whether any window of `size` pixels that begins at (rows, columns) [n] overlaps the raster."""
        top, left, bottom, right = self.box
        inside = (rows < bottom) & (rows + size > top) & (columns < right) & (columns + size > left)
        return bool(inside.any())


@dataclass(frozen=True)
class Atlas:
    """All rasters of a spec's bands on the reference grid."""

    grid: Grid
    sheets: dict[tuple[str, Step], Sheet]

    @classmethod
    def of_catalog(cls, catalog: pd.DataFrame, bands: tuple[Band, ...], reference: str) -> "Atlas":
        """Place every raster of the catalog that belongs to one of the bands."""
        grid = Grid.of_catalog(catalog, reference)
        by_name = {band.name: band for band in bands}
        sheets = {}
        for row in catalog[catalog["band"].isin(by_name)].to_dict("records"):
            band = by_name[row["band"]]
            year = None if pd.isna(row["year"]) else int(row["year"])
            season = None if pd.isna(row["season"]) else str(row["season"])
            source = Source(Path(row["path"]), band.resampling, band.fill_values)
            box = _box(row["crs"], Affine(*row["transform"]), int(row["height"]), int(row["width"]), grid)
            sheets[band.name, Step(year, season)] = Sheet(source, str(row["digest"]), box)
        return cls(grid, sheets)


def _box(crs: str, transform: Affine, height: int, width: int, grid: Grid) -> tuple[float, float, float, float]:
    along = np.linspace(0, 1, 21)
    x, y = (values.ravel() * size for values, size in zip(np.meshgrid(along, along), (width, height), strict=True))
    xs, ys = transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f
    source = CRS.from_user_input(crs)
    if source != grid.crs:
        moved = transform_coordinates(source, grid.crs, xs.tolist(), ys.tolist())
        xs, ys = np.asarray(moved[0]), np.asarray(moved[1])
    inverse = ~grid.transform
    columns, rows = inverse.a * xs + inverse.b * ys + inverse.c, inverse.d * xs + inverse.e * ys + inverse.f
    if not (np.isfinite(rows) & np.isfinite(columns)).all():
        return (-np.inf, -np.inf, np.inf, np.inf)  # partly outside the grid's CRS: counts as lying everywhere
    return rows.min() - _REACH, columns.min() - _REACH, rows.max() + _REACH, columns.max() + _REACH
