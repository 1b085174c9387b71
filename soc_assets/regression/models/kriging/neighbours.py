"""Neighbours of places, by the cell of a k-d tree: a prediction costs the same however many samples there are.

All places of a cell are predicted from the samples nearest to the middle of the cell's own. A cell holds about four
samples, so that cells are small where samples are dense, and 64 neighbours reach far beyond it: this differs little
from the places' own neighbours (docs/decisions/kriging.md).
"""

from dataclasses import dataclass

import numpy as np

NEIGHBOURS = 64
_SAMPLES_PER_CELL = 4
_MOST_CELLS = 2**17  # 67 MB of neighbours


@dataclass(frozen=True)
class Cells:
    """A k-d tree over the samples, whose leaves are the cells.

    Attributes:
        axis: [nodes] what a node divides: 0 or 1.
        cut: [nodes] where, half-way between two samples; what lies beyond it belongs to the second child.
        child: [nodes, 2] the next nodes; a leaf is its own child.
        depth: steps from the root to the deepest leaf.
        cell: [nodes] number of the cell of each leaf.
        neighbours: [cells, m] samples nearest to the middle of each cell's samples.
    """

    axis: np.ndarray
    cut: np.ndarray
    child: np.ndarray
    depth: int
    cell: np.ndarray
    neighbours: np.ndarray


def make_cells(places: np.ndarray, neighbours: int = NEIGHBOURS) -> Cells:
    """The cells of samples at places [n, 2]."""
    from scipy.spatial import KDTree

    places = np.asarray(places, float)
    largest = max(_SAMPLES_PER_CELL, -(-len(places) // _MOST_CELLS))
    axis, cut, child, cell, middles = [0], [0.0], [(0, 0)], [0], []
    waiting, depth = [(0, np.arange(len(places)), 0)], 0
    while waiting:
        node, members, level = waiting.pop()
        depth = max(depth, level)
        divided = _divide(places[members]) if len(members) > largest else None
        if divided is None:
            child[node], cell[node] = (node, node), len(middles)
            middles.append(np.median(places[members], axis=0))  # one far sample does not move it
            continue
        axis[node], cut[node], beyond = divided
        child[node] = len(axis), len(axis) + 1
        for number, part in zip(child[node], (members[~beyond], members[beyond]), strict=True):
            axis.append(0)
            cut.append(0.0)
            child.append((number, number))
            cell.append(0)
            waiting.append((number, part, level + 1))
    count = min(neighbours, len(places))
    _, found = KDTree(places).query(np.array(middles), k=count)
    return Cells(
        np.array(axis), np.array(cut), np.array(child), depth, np.array(cell), found.reshape(len(middles), count)
    )


def _divide(places: np.ndarray) -> tuple[int, float, np.ndarray] | None:
    """Axis, cut, and which places lie beyond it; None where all are at one place.

    The wider axis is cut at the widest gap of the middle half of the samples, so that clusters are kept apart.
    """
    axis = int(np.argmax(np.ptp(places, axis=0)))
    along = np.sort(places[:, axis])
    gaps, quarter = np.diff(along), len(along) // 4
    inner = slice(quarter, max(quarter + 1, len(gaps) - quarter))
    first, within = (inner.start, gaps[inner]) if gaps[inner].max() > 0 else (0, gaps)
    at = first + int(np.argmax(within))
    cut = float(along[at] + along[at + 1]) / 2
    beyond = places[:, axis] > cut
    return (axis, cut, beyond) if beyond.any() and not beyond.all() else None
