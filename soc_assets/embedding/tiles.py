"""Tiles of any raster on the reference grid: the only place that reads pixels for embeddings.

A raster is brought to the grid in fixed tiles, so that a pixel's value does not depend on which windows ask for it,
every block is read once while it is in the cache, and memory stays below the cache's limit however large the raster.
How pixels are resampled is in `resample`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.transform import Affine
from rasterio.warp import transform as transform_coordinates
from rasterio.windows import Window

from soc_assets.embedding.resample import Raster, resample
from soc_assets.ingest.grid import Box, Grid
from soc_assets.ingest.raster_io import read_values

TILE = 512  # pixels of the reference grid along a tile's edge
REACH = 4  # pixels beyond its edge to which a raster can matter, by the resampling kernel
_MARGIN = 4  # source pixels read beyond a tile, times the resolution ratio: what the resampling kernel reaches for


@dataclass(frozen=True, eq=False)
class Source:
    """One raster: file, how it is resampled, values that mean "no data", and its place on the grid.

    `box` is top, left, bottom, right in pixels of the grid: nothing is read where it does not reach.
    """

    path: Path
    resampling: str = "bilinear"
    fill_values: tuple[float, ...] = ()
    box: Box = (-np.inf, -np.inf, np.inf, np.inf)

    def touches(self, rows: np.ndarray | int, columns: np.ndarray | int, size: int) -> np.ndarray:
        """Whether parts of `size` pixels that begin at (rows, columns) overlap the raster, or almost."""
        top, left, bottom, right = self.box
        first, second = np.asarray(rows), np.asarray(columns)
        inside = (first < bottom + REACH) & (first + size > top - REACH)
        return inside & (second < right + REACH) & (second + size > left - REACH)


def read_part(
    dataset: DatasetReader, source: Source, grid: Grid, top: int, left: int, height: int, width: int
) -> np.ndarray:
    """A part [height, width] float32 of the grid from a raster in any CRS, resolution and orientation.

    Scale and offset are applied; NaN where the raster has no value or does not reach. The result is the caller's own.
    """
    window = _window(top, left, height, width)
    offset = _pixel_offset(dataset, grid, grid.transform * Affine.translation(left, top))
    if offset is None:
        return _warp(dataset, source, grid, window)
    return read_values(dataset, _window(*offset, height, width), source.fill_values)


def _warp(dataset: DatasetReader, source: Source, grid: Grid, window: Window) -> np.ndarray:
    """Resample the part of the window that the raster covers."""
    result = np.full((int(window.height), int(window.width)), np.nan, np.float32)
    box = source.box
    offsets = np.array([window.row_off, window.col_off] * 2)
    low, high = np.array([0, 0]), np.array(result.shape)
    top, left = np.clip(np.floor(box[:2] - offsets[:2]) - REACH, low, high).astype(int)
    bottom, right = np.clip(np.ceil(box[2:] - offsets[2:]) + REACH, low, high).astype(int)
    covered = result[top:bottom, left:right]
    transform = grid.transform * Affine.translation(window.col_off + left, window.row_off + top)
    part = _source_window(dataset, grid, transform, *covered.shape) if covered.size else None
    if part is None:
        return result
    values = read_values(dataset, part, source.fill_values)
    origin = Raster(dataset.crs, dataset.transform * Affine.translation(part.col_off, part.row_off), *values.shape)
    onto = Raster(grid.crs, transform, *covered.shape)
    result[top:bottom, left:right] = resample(values, origin, onto, Resampling[source.resampling])
    return result


def _pixel_offset(dataset: DatasetReader, grid: Grid, transform: Affine) -> tuple[int, int] | None:
    """Row and column of the window in the raster if both have the same pixels, else None."""
    if dataset.crs != grid.crs:
        return None
    relative = ~dataset.transform * transform
    linear = np.array([relative.a - 1, relative.b, relative.d, relative.e - 1])
    row, column = round(relative.f), round(relative.c)
    aligned = abs(relative.f - row) < 1e-3 and abs(relative.c - column) < 1e-3
    return (row, column) if aligned and np.abs(linear).max() < 1e-6 else None


def _source_window(dataset: DatasetReader, grid: Grid, transform: Affine, height: int, width: int) -> Window | None:
    """The part of the raster that a window of the grid reads, or None if they do not touch."""
    along = np.linspace(0, 1, 21)
    x, y = (values.ravel() * size for values, size in zip(np.meshgrid(along, along), (width, height), strict=True))
    xs = transform.a * x + transform.b * y + transform.c
    ys = transform.d * x + transform.e * y + transform.f
    if dataset.crs != grid.crs:
        moved = transform_coordinates(grid.crs, dataset.crs, xs.tolist(), ys.tolist())
        xs, ys = np.asarray(moved[0]), np.asarray(moved[1])
    finite = np.isfinite(xs) & np.isfinite(ys)
    if not finite.any():
        return None
    inverse = ~dataset.transform
    columns = inverse.a * xs[finite] + inverse.b * ys[finite] + inverse.c
    rows = inverse.d * xs[finite] + inverse.e * ys[finite] + inverse.f
    ratio = max(1.0, (rows.max() - rows.min()) / height, (columns.max() - columns.min()) / width)
    margin = int(np.ceil(_MARGIN * ratio))
    top, left = int(max(0, np.floor(rows.min()) - margin)), int(max(0, np.floor(columns.min()) - margin))
    bottom = int(min(dataset.height, np.ceil(rows.max()) + margin))
    right = int(min(dataset.width, np.ceil(columns.max()) + margin))
    return _window(top, left, bottom - top, right - left) if bottom > top and right > left else None


def _window(row: int, column: int, height: int, width: int) -> Window:
    return Window.from_slices((row, row + height), (column, column + width), boundless=True)


def grouped_by_tile(rows: np.ndarray, columns: np.ndarray) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """Tiles (i, j) in which pixels (rows, columns) [n] lie, each with the positions of its pixels."""
    tile_of = np.column_stack([rows // TILE, columns // TILE])
    if len(tile_of) and (tile_of == tile_of[0]).all():
        yield (int(tile_of[0, 0]), int(tile_of[0, 1])), np.arange(len(rows))
        return
    tiles, member_of = np.unique(tile_of, axis=0, return_inverse=True)
    for number, (i, j) in enumerate(tiles.tolist()):
        yield (i, j), np.flatnonzero(member_of.ravel() == number)
