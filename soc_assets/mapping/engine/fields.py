"""What the rasters of a period are around every cell of a tile: pooled patches, whether enough is valid, point values.

Each is a filter of the raster as it is read for single points, tile by tile (`embedding.tile_cache`), computed for all
cells at once. Sums are made by doubling, so that a value depends on its own pixels and on nothing else.
"""

from dataclasses import dataclass

import numpy as np

from soc_assets.embedding.embed import Embedder
from soc_assets.embedding.encoder.architecture import PATCH, anchor_index
from soc_assets.embedding.spec import Spec
from soc_assets.embedding.tile_cache import HALF, POINT_WINDOWS, CachedTile, WindowIndex, running_sum
from soc_assets.mapping.lattice import Cells, Lattice, Place
from soc_assets.rasters.mosaic import StepMosaic
from soc_assets.rasters.tiles import TILE


@dataclass(frozen=True)
class Field:
    """One raster around the cells [h, w] of a tile.

    Attributes:
        patches: per part of the pooling an array in which the mean patch of the cell at pixel (r, c) of the tile is
            [r : r + 8, c : c + 8], relative to the band's mean.
        usable: [h, w] whether enough of the window is valid; None where it is everywhere.
        points: [h, w, 4] normalised means over squares, NaN where there is none; None where they are not asked for.
    """

    patches: tuple[np.ndarray, ...]
    usable: np.ndarray | None
    points: np.ndarray | None


class Fields:
    """Makes the fields of a tile's rasters.

    Args:
        spec: the embedding spec.
        embedder: which reads the rasters.
        lattice: the cells.
        place: of the tile.
        patches: whether patches are asked for.
        points: whether point values are.
    """

    def __init__(
        self, spec: Spec, embedder: Embedder, lattice: Lattice, place: Place, *, patches: bool, points: bool
    ) -> None:
        self._spec, self._embedder, self._place = spec, embedder, place
        self._patches, self._points = patches, points
        rows, columns = lattice.pixels(lattice.cells(place))
        self.rows, self.columns = rows - place.row * TILE, columns - place.column * TILE
        self._index = anchor_index(spec.choices["image_size"], spec.choices["anchor"])

    def pixels(self, cells: Cells, whole: Cells) -> tuple[slice, slice]:
        """The pixels of some cells of the tile, counted from its corner."""
        rows, columns = cells.inside(whole)
        r, c = self.rows[rows], self.columns[columns]
        step = int(r[1] - r[0]) if len(r) > 1 else int(c[1] - c[0]) if len(c) > 1 else 1
        return slice(int(r[0]), int(r[-1]) + 1, step), slice(int(c[0]), int(c[-1]) + 1, step)

    def of(self, band: str, mosaic: StepMosaic) -> Field:
        """The field of one step of a band."""
        cache = self._embedder.cache
        tile = cache.tile(mosaic, self._place.row, self._place.column, self._spec.statistics[band].mean)
        parts = tuple(self._part(tile, tokens) for tokens in self._spec.parts) if self._patches else ()
        return Field(parts, self._usable(tile), self._point_values(band, tile) if self._points else None)

    def _part(self, tile: CachedTile, tokens: np.ndarray) -> np.ndarray:
        """The filtered raster that holds the mean patches over a square of tokens."""
        before, edge = self._embedder.cache.before, self._spec.choices["image_size"] // PATCH
        if len(tokens) == edge * edge and tile.mean is not None:
            return tile.mean
        row, column, size = self._embedder.square(tokens)
        count = size // PATCH
        filtered = running_sum(tile.values[before + row :, before + column :], count, PATCH, 0)
        return running_sum(filtered, count, PATCH, 1) * np.float32(1 / count**2)

    def _usable(self, tile: CachedTile) -> np.ndarray | None:
        if tile.gaps is None:
            return None
        before = self._embedder.cache.before
        rows, columns = np.meshgrid(self.rows + before, self.columns + before, indexing="ij")
        windows = WindowIndex(tile, np.arange(rows.size), rows.ravel(), columns.ravel())
        usable = self._embedder.usable(windows).reshape(rows.shape)
        return None if usable.all() else usable

    def _point_values(self, band: str, tile: CachedTile) -> np.ndarray:
        """Means over the valid pixels of squares around each cell, as `TileCache.points` computes them for one."""
        first = self._embedder.cache.before + self._index - HALF
        values = tile.values[first:, first:].astype(np.float64)
        result = np.full((len(self.rows), len(self.columns), len(POINT_WINDOWS)), np.nan, np.float32)
        for number, edge in enumerate(POINT_WINDOWS):
            inset = HALF - edge // 2
            sums = running_sum(running_sum(values[inset:, inset:], edge, 1, 0), edge, 1, 1)
            total = sums[np.ix_(self.rows, self.columns)]
            count = self._valid(tile, first + inset, edge)
            np.divide(total, count, out=result[..., number], where=count > 0, casting="unsafe")
        return self._embedder.normalised(band, result)

    def _valid(self, tile: CachedTile, first: int, edge: int) -> np.ndarray:
        """Valid pixels [h, w] in squares that begin `first` pixels from each cell."""
        counts = tile.counts
        if counts is None:
            return np.full((len(self.rows), len(self.columns)), edge * edge)
        top, left = self.rows + first, self.columns + first

        def at(columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
            return counts[np.ix_(columns, rows)].T

        bottom, right = top + edge, left + edge
        return at(right, bottom) - at(right, top) - at(left, bottom) + at(left, top)


def write_patches(field: Field, pixels: tuple[slice, slice], part: int, out: np.ndarray) -> None:
    """Put the mean patches of cells into [h, w, 64]."""
    view = np.lib.stride_tricks.sliding_window_view(field.patches[part], (PATCH, PATCH))
    np.copyto(out.reshape(*out.shape[:2], PATCH, PATCH), view[pixels])
