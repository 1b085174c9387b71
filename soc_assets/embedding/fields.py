"""The mean patch of every window of a raster at once: a box filter with dilation 8, by running sums.

The patch embedding is linear, so the mean of a window's tokens is the token of its mean patch: pixel (p, q) of the mean
patch of the window that begins at (r, c) is the mean over i, j of the raster at (r + 8i + p, c + 8j + q). One filtered
raster holds it for all windows, at a cost that does not depend on their size or number.
"""

from dataclasses import dataclass

import numpy as np

from soc_assets.embedding.architecture import PATCH
from soc_assets.embedding.cache import Cache
from soc_assets.embedding.tiles import TILE, Source, grouped_by_tile, read_part
from soc_assets.ingest.grid import Grid
from soc_assets.ingest.raster_io import open_raster


@dataclass(frozen=True)
class Field:
    """The filtered part of a raster for windows that begin in one tile.

    Attributes:
        mean: [h + 7, w + 7] mean over every eighth pixel, gaps counted as zero after subtracting `offset`.
        share: [h, w] share of valid pixels of the window that begins here; a number where it is the same for all.
    """

    mean: np.ndarray
    share: np.ndarray | float

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.mean.nbytes + (self.share.nbytes if isinstance(self.share, np.ndarray) else 0)


class Fields:
    """Mean patches of windows, from fields kept in memory up to a limit."""

    def __init__(self, grid: Grid, image_size: int, cache_mb: int, origin: int = 0) -> None:
        self._grid = grid
        self._image_size = image_size
        self._origin = origin  # fields begin at multiples of TILE from here: at -48 one covers all windows of a tile
        self._fields: Cache[Field] = Cache(cache_mb * 2**20)

    def mean_patches(
        self, source: Source, rows: np.ndarray, columns: np.ndarray, gap: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean patches of the windows that begin at (rows, columns) [n].

        Args:
            source: the raster.
            rows: [n] first rows on the grid.
            columns: [n] first columns on the grid.
            gap: subtracted from every value, so that pixels without one count as this (the band's mean).

        Returns:
            Patches [n, 64] float32, relative to `gap`, in the raster's unit, and shares of valid pixels [n] float32.
        """
        patches = np.empty((len(rows), PATCH * PATCH), np.float32)
        shares = np.empty(len(rows), np.float32)
        for (i, j), members in grouped_by_tile(rows - self._origin, columns - self._origin):
            field = self._field(source, i, j, gap)
            r, c = (pixels[members] - self._origin - k * TILE for pixels, k in ((rows, i), (columns, j)))
            within = np.arange(PATCH)
            block = field.mean[(r[:, None] + within)[:, :, None], (c[:, None] + within)[:, None, :]]
            patches[members] = block.reshape(len(members), -1)
            shares[members] = field.share[r, c] if isinstance(field.share, np.ndarray) else field.share
        return patches, shares

    def _field(self, source: Source, i: int, j: int, gap: float) -> Field:
        return self._fields.get((source, gap, i, j), lambda: self._compute(source, i, j, gap))

    def _compute(self, source: Source, i: int, j: int, gap: float) -> Field:
        top, left = i * TILE + self._origin, j * TILE + self._origin
        height, width = self._extent(i, self._grid.height), self._extent(j, self._grid.width)
        with open_raster(source.path) as dataset:
            values = read_part(dataset, source, self._grid, top, left, height, width)
        values -= np.float32(gap)
        gaps = np.isnan(values)
        share: np.ndarray | float = 1.0
        if gaps.any():
            values[gaps] = 0
            share = 0.0 if gaps.all() else self._shares(~gaps)
        n = self._image_size // PATCH
        mean = running_sum(running_sum(values, n, PATCH, 0), n, PATCH, 1)
        mean /= np.float32(n * n)
        return Field(mean, share)

    def _extent(self, index: int, grid_size: int) -> int:
        """Pixels that the windows of a tile cover; those of samples on the grid, where it ends within the tile."""
        beginning = min(TILE, grid_size - index * TILE) if index * TILE < grid_size else TILE
        return beginning + self._image_size - 1

    def _shares(self, valid: np.ndarray) -> np.ndarray:
        counts = running_sum(running_sum(valid.astype(np.float32), self._image_size, 1, 0), self._image_size, 1, 1)
        return counts / np.float32(self._image_size**2)


def running_sum(values: np.ndarray, count: int, step: int, axis: int) -> np.ndarray:
    """Sums of `count` elements `step` apart along an axis, by doubling: additions only, so no digits are lost."""
    values = np.moveaxis(values, axis, 0)
    length = len(values) - (count - 1) * step
    total, offset, power, width = None, 0, values, 1
    while True:
        if count & width:
            part = power[offset * step : offset * step + length]
            total = part.copy() if total is None else np.add(total, part, out=total)
            offset += width
        if width * 2 > count:
            break
        power = power[: len(power) - width * step] + power[width * step :]
        width *= 2
    assert total is not None
    return np.moveaxis(total, 0, axis)
