"""Neighbours of places, looked up by the cell of a lattice: a prediction costs the same however many samples there are.

All places of a cell are predicted from the samples nearest to its centre. Cells are small compared with the circle
that holds their neighbours (about four samples a cell, 64 neighbours), so this differs little from the places' own.
"""

from dataclasses import dataclass

import numpy as np

NEIGHBOURS = 64
_SAMPLES_PER_CELL = 4
_MOST_CELLS = 2**17  # 67 MB of neighbours


@dataclass(frozen=True)
class Lattice:
    """Cells over the samples; a place beyond them belongs to the cell at the border that is closest.

    Attributes:
        origin: [2] lower corner.
        step: [2] size of a cell.
        shape: [2] cells along each axis.
        neighbours: [cells, m] samples nearest to the centre of each cell, the second axis of the lattice fastest.
    """

    origin: np.ndarray
    step: np.ndarray
    shape: np.ndarray
    neighbours: np.ndarray


def make_lattice(places: np.ndarray, neighbours: int = NEIGHBOURS) -> Lattice:
    """The lattice of samples at places [n, 2]."""
    from scipy.spatial import KDTree

    low, extent = places.min(axis=0), np.maximum(np.ptp(places, axis=0), 1e-9)
    cells = np.clip(len(places) // _SAMPLES_PER_CELL, 1, _MOST_CELLS)
    edge = max(np.sqrt(extent.prod() / cells), extent.max() / cells)
    shape = np.maximum(np.floor(extent / edge), 1).astype(int)
    step = extent / shape
    centres = [low[axis] + (np.arange(shape[axis]) + 0.5) * step[axis] for axis in (0, 1)]
    grid = np.stack(np.meshgrid(*centres, indexing="ij"), axis=-1).reshape(-1, 2)
    count = min(neighbours, len(places))
    _, found = KDTree(places).query(grid, k=count)
    return Lattice(low, step, shape, found.reshape(len(grid), count))
