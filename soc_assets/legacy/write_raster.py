"""Reading tiles that are NumPy files, and writing those of one step as one GeoTIFF.

Memory is bounded: the raster is assembled block by block, from the parts of the tiles that lie in each. Where the
tiles lie is decided in `legacy.tile_grid`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.transform import from_origin
from rasterio.windows import Window

from soc_assets.errors import RasterError
from soc_assets.legacy.tile_grid import PixelGrid, Tile
from soc_assets.legacy.tile_names import TileFile
from soc_assets.storage.files import replacing

_BLOCK = 1024  # pixels along the edge of what is put together at once; a multiple of the file's own blocks
_NUMBERS = "biuf"  # kinds of dtypes that are real numbers


@dataclass(frozen=True)
class PlacedTile:
    """A tile and the row and column of its first pixel in the raster."""

    tile: Tile
    row: int
    column: int


@dataclass
class Overlap:
    """Pixels in which a tile and those of lower number both have a value: how many, how many differ, by how much."""

    shared: int = 0
    different: int = 0
    largest: float = 0.0


@dataclass(frozen=True)
class Mosaic:
    """What was written: size in pixels, how many of them have a value, and the overlaps by tile."""

    height: int
    width: int
    valid: int
    overlaps: dict[Path, Overlap]


def read_header(file: TileFile) -> Tile:
    """Shape and dtype of a tile, without reading its values.

    Raises:
        RasterError: it is no NumPy array of real numbers, [h, w] or [1, h, w], or it is truncated; says what it is.
    """
    array = _open(file.path)
    if array.dtype.kind not in _NUMBERS:
        raise RasterError(f"Holds {array.dtype} where real numbers are expected.")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[0] != 1) or not array.size:
        raise RasterError(f"Has the shape {list(array.shape)}; expected [h, w] or [1, h, w].")
    return Tile(file, array.shape[-2], array.shape[-1], array.dtype)


def write_mosaic(path: Path, placed: list[PlacedTile], grid: PixelGrid, origin: tuple[int, int], words: str) -> Mosaic:
    """Write tiles of one step as a GeoTIFF (EPSG:4326), atomically.

    Where several tiles have a value for a pixel, that of the first in `placed` is kept. No value (NaN, infinity, or no
    tile) is NaN, the file's nodata.

    Args:
        path: the file to write, or to replace.
        placed: the tiles, by number; rows and columns count from the raster's first pixel.
        grid: the tiles' grid.
        origin: row and column of the raster's first pixel, counted from the grid's corner.
        words: for the file's tag DESCRIPTION.

    Raises:
        RasterError: a tile cannot be read any more, no tile has a value, or the file cannot be written.
    """
    height = max(item.row + item.tile.rows for item in placed)
    width = max(item.column + item.tile.columns for item in placed)
    west, north = grid.west + origin[1] * grid.width, grid.north - origin[0] * grid.height
    dtype = _common_dtype([item.tile for item in placed])
    profile = {"driver": "GTiff", "count": 1, "dtype": dtype, "nodata": np.nan, "crs": "EPSG:4326"}
    profile |= {"height": height, "width": width, "transform": from_origin(west, north, grid.width, grid.height)}
    profile |= {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "predictor": 3}
    profile |= {"sparse_ok": True, "bigtiff": "if_safer"}
    valid, overlaps = 0, {}
    try:
        with replacing(path) as temporary:
            with rasterio.open(temporary, "w", **profile) as dataset:
                dataset.update_tags(DESCRIPTION=words)
                for window, inside in _blocks(height, width, placed):
                    block = _put_together(window, inside, dtype, overlaps)
                    valid += int(np.isfinite(block).sum())
                    dataset.write(block, 1, window=window)
            if not valid:
                raise RasterError("No tile has a valid value: all are NaN or infinite.")
    except (OSError, RasterioError) as error:
        raise RasterError(
            f"{path} cannot be written: {error}. Free space, or mend the folder's permissions."
        ) from error
    return Mosaic(height, width, valid, overlaps)


def _blocks(height: int, width: int, placed: list[PlacedTile]) -> Iterator[tuple[Window, list[PlacedTile]]]:
    """The blocks in which tiles lie, with those tiles."""
    for top in range(0, height, _BLOCK):
        below = [item for item in placed if item.row < top + _BLOCK and item.row + item.tile.rows > top]
        for left in range(0, width, _BLOCK):
            inside = [item for item in below if item.column < left + _BLOCK and item.column + item.tile.columns > left]
            if inside:
                rows, columns = (top, min(top + _BLOCK, height)), (left, min(left + _BLOCK, width))
                yield Window.from_slices(rows, columns), inside


def _put_together(
    window: Window, inside: list[PlacedTile], dtype: np.dtype, overlaps: dict[Path, Overlap]
) -> np.ndarray:
    """The values of a block [h, w], of the first tile that has one; `overlaps` counts what further ones have."""
    top, left, height, width = int(window.row_off), int(window.col_off), int(window.height), int(window.width)
    block = np.full((height, width), np.nan, dtype)
    for item in inside:
        rows = slice(max(item.row, top), min(item.row + item.tile.rows, top + height))
        columns = slice(max(item.column, left), min(item.column + item.tile.columns, left + width))
        target = block[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        part = _read_part(item, rows, columns, dtype)
        shared = np.isfinite(target) & np.isfinite(part)
        if shared.any():
            distance = abs(target[shared].astype(np.float64) - part[shared])
            overlap = overlaps.setdefault(item.tile.file.path, Overlap())
            overlap.shared += distance.size
            overlap.different += int((distance > 0).sum())
            overlap.largest = max(overlap.largest, float(distance.max()))
        np.copyto(target, part, where=np.isnan(target))
    return block


def _read_part(item: PlacedTile, rows: slice, columns: slice, dtype: np.dtype) -> np.ndarray:
    """A tile's values in rows and columns of the raster, NaN where they are not finite."""
    array = _open(item.tile.file.path)
    if array.shape[-2:] != (item.tile.rows, item.tile.columns):
        raise RasterError(f"The tile {item.tile.file.path} changed while it was imported. Import again.")
    own = (
        slice(rows.start - item.row, rows.stop - item.row),
        slice(columns.start - item.column, columns.stop - item.column),
    )
    with np.errstate(over="ignore"):
        part = np.array(array.reshape(array.shape[-2:])[own], dtype)
    part[~np.isfinite(part)] = np.nan
    return part


def _open(path: Path) -> np.ndarray:
    """Map a NumPy file into memory; nothing in it is ever executed."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise RasterError(
            f"Cannot be read as a NumPy array of numbers: {str(error).splitlines()[0]} Files that hold Python objects "
            "(pickles) are never opened."
        ) from error
    if not isinstance(array, np.ndarray):
        raise RasterError("Is an archive of arrays (.npz); expected one array.")
    return array


def _common_dtype(tiles: list[Tile]) -> np.dtype:
    """float32 where it holds every value of the tiles' dtypes exactly (up to 16-bit integers), else float64."""
    common = np.result_type(np.float32, *(tile.dtype for tile in tiles))
    return np.dtype(np.float32 if common == np.float32 else np.float64)
