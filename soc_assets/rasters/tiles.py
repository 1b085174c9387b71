"""Tiles of any raster on the reference grid: the only place that reads pixels for embeddings.

A raster is resampled to the grid in fixed tiles, so that a pixel's value does not depend on which windows ask for it,
every block is read once while it is in the cache, and memory stays below the cache's limit however large the raster.
How pixels are resampled is in `resample`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.windows import Window

from soc_assets.geo.grid import Box, Grid, move
from soc_assets.rasters.coding import shares_of_class
from soc_assets.rasters.georeferencing import grid_of_dataset
from soc_assets.rasters.reading import read_values
from soc_assets.rasters.resample import resample

TILE = 512  # pixels of the reference grid along a tile's edge
REACH = 4  # pixels beyond its edge to which a raster can matter, by the resampling kernel
_MARGIN = 4  # source pixels read beyond a tile, times the resolution ratio: the reach of the resampling kernel


class Readable(Protocol):
    """A raster to be resampled to the grid: one file (`Source`), or mosaicked tiles (`mosaic.Aligned`)."""

    @property
    def resampling(self) -> str:
        """How its pixels are resampled."""
        ...

    @property
    def value(self) -> int | None:
        """The class that it is asked for, or None."""
        ...

    @property
    def box(self) -> Box:
        """Top, left, bottom and right in pixels of the grid."""
        ...

    def read(self, dataset: Any, window: Window) -> np.ndarray:
        """Values of a window of its own pixels."""
        ...


@dataclass(frozen=True, eq=False)
class Source:
    """One raster: what GDAL opens, how it is read and resampled, and its place on the grid.

    Attributes:
        path: what GDAL opens.
        resampling: nearest, bilinear, average or mode.
        fill_values: stored numbers that mean "no data".
        box: top, left, bottom, right in pixels of the grid: nothing is read where it does not reach.
        layer: the band in the file, from 1.
        valid_range: lowest and highest stored number that is a value.
        value: a class, to be read as 1 where a pixel belongs to it and 0 where it belongs to another.
        variable: which variable or page of the file; None where it holds one.
        scaling: scale and offset in place of the file's, or None.
    """

    path: str
    resampling: str = "bilinear"
    fill_values: tuple[float, ...] = ()
    box: Box = (-np.inf, -np.inf, np.inf, np.inf)
    layer: int = 1
    valid_range: tuple[float, float] | None = None
    value: int | None = None
    variable: str | None = None
    scaling: tuple[float, float] | None = None

    def read(self, dataset: DatasetReader, window: Window) -> np.ndarray:
        """Values [h, w] float32 of a window of the raster's own pixels; NaN where there is none.

        A class becomes shares here, except for resampling that needs the codes: then `read_part` compares afterwards.
        """
        values = read_values(dataset, window, self.fill_values, self.layer, self.valid_range, self.scaling)
        return values if self.value is None or _codes_first(self) else shares_of_class(values, self.value)


def reaches(box: Box, rows: np.ndarray | int, columns: np.ndarray | int, size: int) -> np.ndarray:
    """Whether parts of `size` pixels that begin at (rows, columns) of the grid overlap a box, or almost."""
    top, left, bottom, right = box
    first, second = np.asarray(rows), np.asarray(columns)
    inside = (first < bottom + REACH) & (first + size > top - REACH)
    return inside & (second < right + REACH) & (second + size > left - REACH)


def read_part(
    dataset: DatasetReader | Grid, source: Readable, grid: Grid, top: int, left: int, height: int, width: int
) -> np.ndarray:
    """A part [height, width] float32 of the grid from a raster in any CRS, resolution and orientation.

    Scale and offset are applied; NaN where the raster has no value or does not reach. The result is the caller's own.
    """
    own = dataset if isinstance(dataset, Grid) else grid_of_dataset(dataset)
    offset = own.offset_of(grid.part(top, left, height, width))
    if offset is None:
        values = _warp(dataset, own, source, grid, (top, left), (height, width))
    else:
        values = source.read(dataset, _window(offset[0], offset[1], height, width))
    return values if source.value is None or not _codes_first(source) else shares_of_class(values, source.value)


def _codes_first(source: Readable) -> bool:
    """Whether a class is compared after resampling: the most frequent code is not a mean of shares."""
    return source.resampling in ("mode", "nearest")


def _warp(
    dataset: DatasetReader | Grid, own: Grid, source: Readable, grid: Grid, first: tuple[int, int], shape: tuple
) -> np.ndarray:
    """Resample the part [shape] of the grid, from its row and column `first` on, that the raster covers."""
    result = np.full(shape, np.nan, np.float32)
    inside, onto = _covered(source.box, grid, first, shape)
    if onto is None or (part := _source_part(own, onto)) is None:
        return result
    values = source.read(dataset, _window(*part))
    result[inside] = resample(values, own.part(*part), onto, Resampling[source.resampling])
    return result


@lru_cache(maxsize=256)
def _covered(box: Box, grid: Grid, first: tuple, shape: tuple) -> tuple[tuple[slice, slice], Grid | None]:
    """What a box covers of the part [shape] of the grid from its row and column `first` on: where, and its pixels."""
    top, left = (round(n) for n in np.clip(np.floor(np.subtract(box[:2], first)) - REACH, 0, shape))
    bottom, right = (round(n) for n in np.clip(np.ceil(np.subtract(box[2:], first)) + REACH, 0, shape))
    height, width = bottom - top, right - left
    onto = grid.part(first[0] + top, first[1] + left, height, width) if height > 0 and width > 0 else None
    return (slice(top, bottom), slice(left, right)), onto


@lru_cache(maxsize=256)
def _source_part(own: Grid, onto: Grid) -> tuple[int, int, int, int] | None:
    """Top, left, height and width of the pixels of a raster that a grid reads, or None if they do not touch."""
    along = np.linspace(0, 1, 21)
    x, y = (
        values.ravel() * size for values, size in zip(np.meshgrid(along, along), (onto.width, onto.height), strict=True)
    )
    transform = onto.transform
    xs = transform.a * x + transform.b * y + transform.c
    ys = transform.d * x + transform.e * y + transform.f
    if own.crs != onto.crs:
        xs, ys = move(onto.crs, own.crs, xs, ys)
    finite = np.isfinite(xs) & np.isfinite(ys)
    if not finite.any():
        return None
    inverse = ~own.transform
    columns = inverse.a * xs[finite] + inverse.b * ys[finite] + inverse.c
    rows = inverse.d * xs[finite] + inverse.e * ys[finite] + inverse.f
    ratio = max(1.0, (rows.max() - rows.min()) / onto.height, (columns.max() - columns.min()) / onto.width)
    margin = int(np.ceil(_MARGIN * ratio))
    top, left = int(max(0, np.floor(rows.min()) - margin)), int(max(0, np.floor(columns.min()) - margin))
    bottom = int(min(own.height, np.ceil(rows.max()) + margin))
    right = int(min(own.width, np.ceil(columns.max()) + margin))
    return (top, left, bottom - top, right - left) if bottom > top and right > left else None


def _window(row: int, column: int, height: int, width: int) -> Window:
    return Window.from_slices((row, row + height), (column, column + width), boundless=True)


def grouped_by_tile(rows: np.ndarray, columns: np.ndarray) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """Tiles (i, j) in which pixels (rows, columns) [n] lie, each with the positions of its pixels."""
    if not len(rows):
        return
    (top, bottom), (left, right) = ((int(at.min()) // TILE, int(at.max()) // TILE) for at in (rows, columns))
    if (top, left) == (bottom, right):
        yield (top, left), np.arange(len(rows))
        return
    tile_of = np.column_stack([rows // TILE, columns // TILE])
    tiles, member_of = np.unique(tile_of, axis=0, return_inverse=True)
    for number, (i, j) in enumerate(tiles.tolist()):
        yield (i, j), np.flatnonzero(member_of.ravel() == number)
