"""The places that are compared: one cell of each square of the region, so that no site stands for a few pixels alone.

Where there is a map of the period, it is the cell of the square that the map knows least about; else the middle one.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from soc_assets.errors import MapError
from soc_assets.mapping import masks
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import Cells
from soc_assets.mapping.layer_files import Facts, MapFile
from soc_assets.mapping.layers import QUALITY
from soc_assets.mapping.quality_classes import INSIDE, OUTSIDE, UNKNOWN
from soc_assets.mapping.read_layer import open_layer
from soc_assets.mapping.write_raster import window_of

Scored = Iterator[tuple[Cells, np.ndarray]]  # cells of a tile, and a number [h, w] for each; -inf where none is wanted


def candidate_cells(inputs: MapInputs, found: MapFile | None, most: int, by_width: bool) -> tuple[np.ndarray, ...]:
    """Rows and columns [n] of a cell of each square, in reading order; about `most` of them.

    Args:
        inputs: of the maps; its cells that are wanted and not masked count.
        found: the map of the period, on the same cells, or None.
        most: squares, roughly.
        by_width: whether the width of the interval counts beside dissimilarity.

    Raises:
        MapError: every cell is masked or without a prediction.
    """
    edge = max(1, int(np.ceil((inputs.cells / most) ** 0.5)))
    across = -(-inputs.lattice.shape[1] // edge)
    down = -(-inputs.lattice.shape[0] // edge)
    best = np.full(down * across, -np.inf)
    cell = np.full((2, down * across), -1)
    for cells, scores in _of_map(inputs, found, by_width) if found else _of_middles(inputs, edge):
        rows, columns = np.nonzero(np.isfinite(scores))
        values, r, c = scores[rows, columns], rows + cells.top, columns + cells.left
        square = (r // edge) * across + c // edge
        order = np.lexsort((c, r, -values, square))  # of each square the best first, of equal ones the first in order
        first = order[np.unique(square[order], return_index=True)[1]]
        better = first[values[first] > best[square[first]]]
        best[square[better]], cell[0, square[better]], cell[1, square[better]] = values[better], r[better], c[better]
    rows, columns = cell[:, np.isfinite(best)]
    if not len(rows):
        raise MapError(
            "No cell of the region has a prediction: all are masked ([[map.masks]]) or lack images. `soc map` says "
            "which."
        )
    return rows, columns


def _of_middles(inputs: MapInputs, edge: int) -> Scored:
    """How near each cell is to the middle of its square."""
    for place, wanted in inputs.places.items():
        cells = inputs.lattice.cells(place)
        covered = masks.masked(inputs.project, inputs.project.settings.map.masks, inputs.lattice, cells)
        off = [
            (np.arange(first, last) % edge - (edge - 1) / 2) ** 2
            for first, last in ((cells.top, cells.bottom), (cells.left, cells.right))
        ]
        near = -(off[0][:, None] + off[1][None, :])
        yield cells, np.where(wanted & ~covered, near, -np.inf)


def _of_map(inputs: MapInputs, found: MapFile, by_width: bool) -> Scored:
    """How little the map knows of each cell: its dissimilarity, times the width of its interval."""
    layers = found.facts["files"]
    for place, wanted in inputs.places.items():
        cells = inputs.lattice.cells(place)
        quality = _read(found.folder / layers[QUALITY.name], cells)
        score = np.ones(cells.shape)
        if "dissimilarity" in layers:
            score = score * _read(found.folder / layers["dissimilarity"], cells)
        if by_width and {"lower", "upper"} <= set(layers):
            score = score * (
                _read(found.folder / layers["upper"], cells) - _read(found.folder / layers["lower"], cells)
            )
        there = wanted & np.isin(quality, (INSIDE, OUTSIDE, UNKNOWN)) & np.isfinite(score)
        yield cells, np.where(there, score, -np.inf)


def _read(path: Path, cells: Cells) -> np.ndarray:
    """Cells [h, w] of a layer; NaN where there is none."""
    with open_layer(path) as dataset:
        values = dataset.read(1, window=window_of(cells), masked=True)
        return np.ma.filled(values.astype(float) * dataset.scales[0], np.nan)


def same_cells(facts: Facts, inputs: MapInputs) -> bool:
    """Whether a map has the cells of the lattice."""
    grid = inputs.lattice.grid
    named = {name: facts["grid"][name] for name in ("width", "height", "step")}
    return named == {"width": grid.width, "height": grid.height, "step": inputs.lattice.step} and np.allclose(
        facts["grid"]["transform"], grid.transform[:6]
    )
