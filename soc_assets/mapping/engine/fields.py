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
from soc_assets.embedding.window_range import WindowRange
from soc_assets.mapping.lattice import Cells, Lattice, Place
from soc_assets.rasters.mosaic import StepMosaic
from soc_assets.rasters.tiles import TILE


@dataclass(frozen=True)
class Field:
    """One raster around the cells [h, w] of a tile.

    Attributes:
        patches: per part of the pooling an array in which the mean patch of the cell at pixel (r, c) of the tile is
            [r : r + 8, c : c + 8], relative to the band's mean.
        gaps: as patches, the share of gaps in them; empty where there are none, or `ranges` is None.
        ranges: of the cells' windows [h, w]; None where images are not scaled by them.
        usable: [h, w] whether enough of the window is valid; None where it is everywhere.
        points: [h, w, 4] normalised means over squares, NaN where there is none; None where they are not asked for.
    """

    patches: tuple[np.ndarray, ...]
    gaps: tuple[np.ndarray, ...]
    ranges: WindowRange | None
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
        mean = self._spec.statistics[band].mean
        tile = self._embedder.cache.tile(mosaic, self._place.row, self._place.column, mean)
        points = self._point_values(band, tile) if self._points else None
        if not self._patches:
            return Field((), (), None, self._usable(tile), points)
        ranged, parts = self._spec.by_image, self._spec.parts
        gaps = () if not ranged or tile.gaps is None else tuple(self._gaps(tile, tokens) for tokens in parts)
        ranges = self._ranges(tile, mean) if ranged else None
        return Field(tuple(self._part(tile, tokens) for tokens in parts), gaps, ranges, self._usable(tile), points)

    def _part(self, tile: CachedTile, tokens: np.ndarray) -> np.ndarray:
        """The filtered raster that holds the mean patches over a square of tokens."""
        if self._embedder.pixels.is_whole(tokens) and tile.mean is not None:
            return tile.mean
        return self._filtered(tile.values.astype(np.float64) if self._spec.by_image else tile.values, tokens)

    def _gaps(self, tile: CachedTile, tokens: np.ndarray) -> np.ndarray:
        """The filtered raster that holds the shares of gaps over a square of tokens."""
        if self._embedder.pixels.is_whole(tokens) and tile.windows is not None and tile.windows.gaps is not None:
            return tile.windows.gaps
        assert tile.gaps is not None
        return self._filtered(tile.gaps.astype(np.float64), tokens)

    def _filtered(self, values: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        before = self._embedder.cache.before
        row, column, size = self._embedder.pixels.square(tokens)
        count = size // PATCH
        filtered = running_sum(values[before + row :, before + column :], count, PATCH, 0)
        return running_sum(filtered, count, PATCH, 1) * values.dtype.type(1 / count**2)

    def _windows(self, tile: CachedTile) -> WindowIndex:
        """The windows of all cells, row by row."""
        before = self._embedder.cache.before
        rows, columns = np.meshgrid(self.rows + before, self.columns + before, indexing="ij")
        return WindowIndex(tile, np.arange(rows.size), rows.ravel(), columns.ravel())

    def _ranges(self, tile: CachedTile, mean: float) -> WindowRange:
        shape = len(self.rows), len(self.columns)
        return self._embedder.cache.ranges(self._windows(tile), mean).shaped(shape)

    def _usable(self, tile: CachedTile) -> np.ndarray | None:
        if tile.gaps is None:
            return None
        usable = self._embedder.pixels.usable(self._windows(tile)).reshape(len(self.rows), len(self.columns))
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
        return self._embedder.pixels.standardised(band, result)

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


def write_patches(
    field: Field, pixels: tuple[slice, slice], cells: tuple[slice, slice], part: int, out: np.ndarray
) -> None:
    """Put the mean patches of cells into [h, w, 64]: relative to the band's mean, or scaled by their windows' ranges.

    Args:
        field: of a raster.
        pixels: of the cells, counted from the tile's corner.
        cells: the same among the cells of the tile.
        part: of the pooling.
        out: is written to.
    """
    view, own = _at(field.patches[part], pixels), out.reshape(*out.shape[:2], PATCH, PATCH)
    if field.ranges is None:
        np.copyto(own, view)
    else:
        gaps = _at(field.gaps[part], pixels) if field.gaps else None
        np.copyto(own, field.ranges.part(cells).apply(view, gaps), casting="same_kind")


def _at(filtered: np.ndarray, pixels: tuple[slice, slice]) -> np.ndarray:
    """Patches [h, w, 8, 8] of cells in a filtered raster."""
    return np.lib.stride_tricks.sliding_window_view(filtered, (PATCH, PATCH))[pixels]
