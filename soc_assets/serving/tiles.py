"""Values of any raster in the squares of a web map (EPSG:3857), read from overviews.

A tile shows the pixels that are there, none is made up between them: each of its pixels takes the value of the raster's
pixel that its middle lies in.
"""

import math
from dataclasses import dataclass

import numpy as np
from rasterio.crs import CRS
from rasterio.io import DatasetReader
from rasterio.windows import Window

from soc_assets.geo.grid import move
from soc_assets.rasters.coding import Coding
from soc_assets.rasters.reading import read_stored

MERCATOR = CRS.from_epsg(3857)
EDGE = 256
DEEPEST = 19
_HALF = math.pi * 6_378_137  # metres from the middle of the web map to its edge
_KNOTS = 17  # places along a tile's edge that are projected exactly; between them it is interpolated


@dataclass(frozen=True)
class Tile:
    """A part of the web map, as pixels: left and top in metres of EPSG:3857, metres of a pixel, rows and columns."""

    left: float
    top: float
    pixel: float
    height: int = EDGE
    width: int = EDGE

    @classmethod
    def of(cls, zoom: int, column: int, row: int) -> "Tile | None":
        """A tile by the numbers of its address; None where there is none."""
        count = 2**zoom if 0 <= zoom <= DEEPEST else 0
        if not (0 <= column < count and 0 <= row < count):
            return None
        metres = 2 * _HALF / count
        return cls(-_HALF + column * metres, _HALF - row * metres, metres / EDGE)


def read_tile(
    dataset: DatasetReader,
    tile: Tile,
    fill_values: tuple[float, ...] = (),
    band: int = 1,
    valid_range: tuple[float, float] | None = None,
    scaling: tuple[float, float] | None = None,
) -> np.ndarray | None:
    """Values of a raster in a tile.

    Args:
        dataset: an open raster in any CRS.
        tile: where.
        fill_values: further stored numbers that mean "no data".
        band: of the file, from 1.
        valid_range: lowest and highest stored number that is a value.
        scaling: scale and offset in place of the file's, or None.

    Returns:
        float32 [height, width], NaN where there is no value; None where the raster does not reach.
    """
    rows, columns = _places(dataset, tile)
    inside = (rows >= 0) & (rows < dataset.height) & (columns >= 0) & (columns < dataset.width)
    if not inside.any():
        return None
    top, bottom = int(rows[inside].min()), int(rows[inside].max()) + 1
    left, right = int(columns[inside].min()), int(columns[inside].max()) + 1
    shape = min(bottom - top, 2 * tile.height), min(right - left, 2 * tile.width)
    window = Window.from_slices((top, bottom), (left, right))
    raw, mask = read_stored(dataset, window, band, shape)
    coding = Coding.of_band(dataset, fill_values, band, valid_range, scaling)
    values = coding.scaled(raw, np.float32)
    invalid = coding.invalid(raw, values, mask)
    values = values if invalid is None else np.where(invalid, np.float32(np.nan), values)
    row = ((rows[inside] - top) * (shape[0] / (bottom - top))).astype(int)
    column = ((columns[inside] - left) * (shape[1] / (right - left))).astype(int)
    found = np.full(rows.shape, np.nan, np.float32)
    found[inside] = values[row, column]
    return found


def _places(dataset: DatasetReader, tile: Tile) -> tuple[np.ndarray, np.ndarray]:
    """Fractional row and column in the raster of the middle of each of a tile's pixels [height, width]."""
    down, along = (np.linspace(0, size, _KNOTS) for size in (tile.height, tile.width))
    x, y = np.meshgrid(tile.left + along * tile.pixel, tile.top - down * tile.pixel)
    xs, ys = move(MERCATOR, dataset.crs, x.ravel(), y.ravel())
    inverse = ~dataset.transform
    with np.errstate(invalid="ignore"):
        rows, columns = inverse.d * xs + inverse.e * ys + inverse.f, inverse.a * xs + inverse.b * ys + inverse.c
        return _between(rows.reshape(_KNOTS, _KNOTS), tile), _between(columns.reshape(_KNOTS, _KNOTS), tile)


def _between(knots: np.ndarray, tile: Tile) -> np.ndarray:
    """Values [height, width] at the middles of a tile's pixels, bilinear between knots; as finite as those."""
    row, down = _steps(tile.height)
    column, along = _steps(tile.width)
    lines = knots[row] * (1 - down)[:, None] + knots[row + 1] * down[:, None]
    return lines[:, column] * (1 - along) + lines[:, column + 1] * along


def _steps(size: int) -> tuple[np.ndarray, np.ndarray]:
    """The knot before the middle of each of `size` pixels, and the share of the way to the next."""
    at = (np.arange(size) + 0.5) / size * (_KNOTS - 1)
    return at.astype(int), at % 1
