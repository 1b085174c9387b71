"""Which share of each pixel a polygon covers, exactly: no samples are drawn, no pixel counts by its middle alone.

Every edge is cut where it crosses a line of the grid. A piece within a pixel covers, between itself and the pixel's
right border, dy times the mean distance to that border, and dy of every pixel further right; pieces of a closed ring
add up to the area inside it, with the sign of its direction (the accumulation of font rasterisers such as FreeType's).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from rasterio.transform import Affine

_ROUNDING = 1e-9  # share of a pixel that is taken for none


@dataclass(frozen=True)
class Pieces:
    """Pieces of edges, each within one pixel of a grid.

    Attributes:
        row: [k] pixel.
        column: [k] pixel; pieces left of the grid are those of its first column.
        height: [k] change of the row along the piece, with the sign that makes the inside positive.
        covered: [k] the share of `height` that the pixel itself has.
        window: first row and column, and the rows and columns behind the last, that can be covered; None where the
            polygons lie beside the grid.
    """

    row: np.ndarray
    column: np.ndarray
    height: np.ndarray
    covered: np.ndarray
    window: tuple[int, int, int, int] | None

    @classmethod
    def of(cls, polygons: np.ndarray, transform: Affine, height: int, width: int) -> "Pieces":
        """The pieces of valid polygons that do not overlap each other, on a grid of height x width pixels."""
        edges = _edges(polygons, transform)
        start, end = _cut(edges[:, :4], height, width)
        middle, sign = (start[:, 1:3] + end[:, 1:3]) / 2, edges[start[:, 0].astype(int), 4]
        row, column = np.floor(middle[:, 1]).astype(int), np.floor(middle[:, 0]).astype(int)
        rise = (end[:, 2] - start[:, 2]) * sign
        kept = (row >= 0) & (row < height) & (column < width) & (rise != 0)
        row, column, rise, x = row[kept], column[kept], rise[kept], middle[kept, 0]
        covered = np.where(column < 0, 1.0, 1 - (x - column))
        return cls(row, np.maximum(column, 0), rise, covered, _window(edges, height, width))

    def coverage(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Shares [height, width] from 0 to 1 of the pixels of a window."""
        own = (self.row >= top) & (self.row < top + height) & (self.column < left + width)
        row, column = self.row[own] - top, np.maximum(self.column[own] - left, 0)
        rise = self.height[own]
        within = np.where(self.column[own] < left, 1.0, self.covered[own])
        at = row * (width + 1) + column
        size = height * (width + 1)
        found = np.bincount(at, rise * within, size) + np.bincount(at + 1, rise * (1 - within), size + 1)[:size]
        shares = np.cumsum(found.reshape(height, width + 1), axis=1)[:, :width]
        return np.where(shares < _ROUNDING, 0.0, np.minimum(shares, 1.0))


def _window(edges: np.ndarray, height: int, width: int) -> tuple[int, int, int, int] | None:
    if not len(edges):
        return None
    columns, rows = edges[:, [0, 2]], edges[:, [1, 3]]
    top, left = max(math.floor(rows.min()), 0), max(math.floor(columns.min()), 0)
    bottom, right = min(math.ceil(rows.max()), height), min(math.ceil(columns.max()), width)
    return (top, left, bottom, right) if bottom > top and right > left else None


def _edges(polygons: np.ndarray, transform: Affine) -> np.ndarray:
    """Edges [k, 5] in pixels: column and row of the start and of the end, and the sign of the ring."""
    inverse, found = ~transform, [np.empty((0, 5))]
    for ring, is_hole in _rings(polygons):
        x, y = shapely.get_coordinates(ring).T
        column, row = inverse.a * x + inverse.b * y + inverse.c, inverse.d * x + inverse.e * y + inverse.f
        area = np.sum((column[:-1] - column[0]) * np.diff(row) - (row[:-1] - row[0]) * np.diff(column))
        sign = np.where((area > 0) != is_hole, -1.0, 1.0)
        found.append(np.column_stack([column[:-1], row[:-1], column[1:], row[1:], np.full(len(row) - 1, sign)]))
    return np.concatenate(found)


def _rings(polygons: np.ndarray) -> Iterator[tuple[shapely.Geometry, bool]]:
    for polygon in polygons:
        yield shapely.get_exterior_ring(polygon), False
        for hole in shapely.get_rings(polygon)[1:]:
            yield hole, True


def _cut(edges: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Edges [k, 4] cut at the lines of the grid: number of the edge, column and row [m, 3] of each start and end."""
    number = np.arange(len(edges))
    cuts = [(number, np.zeros(len(edges))), (number, np.ones(len(edges)))]
    for axis, most in ((0, width), (1, height)):
        cuts.append(_crossings(edges[:, axis], edges[:, axis + 2], most))
    edge, along = (np.concatenate(each) for each in zip(*cuts, strict=True))
    order = np.lexsort((along, edge))
    edge, along = edge[order], np.clip(along[order], 0, 1)
    at = edges[edge, :2] + along[:, None] * (edges[edge, 2:] - edges[edge, :2])
    at = np.where(along[:, None] == 1, edges[edge, 2:], at)
    points = np.column_stack([edge, at])
    together = edge[:-1] == edge[1:]
    return points[:-1][together], points[1:][together]


def _crossings(start: np.ndarray, end: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Where edges [k] cross whole numbers from 0 to `most`: number of the edge, and share of the way [m]."""
    low, high = np.minimum(start, end), np.maximum(start, end)
    first = np.maximum(np.floor(low).astype(int) + 1, 0)
    last = np.minimum(np.ceil(high).astype(int) - 1, most)
    count = np.maximum(last - first + 1, 0)
    edge = np.repeat(np.arange(len(start)), count)
    line = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    return edge, (line - start[edge]) / (end[edge] - start[edge])
