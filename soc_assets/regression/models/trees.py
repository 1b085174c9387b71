"""Forests and boosted trees as arrays, and walking down all trees at once as a part of a torch graph.

The graph needs neither scikit-learn nor pickle and takes the same branch at every node. scikit-learn compares float32
features with float64 thresholds; a float32 number is below a threshold exactly if it is below the largest float32
number that does not exceed the threshold, so thresholds are rounded down and not to the nearest.

All pairs of row and tree go down one level at a time. Where a good share of them has reached a leaf, only the others
go on: the deepest leaf of a forest lies at more than twice the mean depth. Transient memory is about 25 bytes per tree
and row.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_WORTH = 0.6  # pairs that have arrived are set aside where at most this share of the present ones goes on,
_FEW = 0.03  # unless the present ones are at most this share of all


@dataclass(frozen=True)
class TreeArrays:
    """The nodes of all trees, one tree after the other; the two children of a node are neighbours.

    Attributes:
        feature: [N] the column that a node looks at; 0 at a leaf.
        threshold: [N] float32; rows go left up to it, also at a leaf (infinity), which is its own left child.
        child: [N] number of the left child; that of the right one is one more.
        value: [N] of a leaf.
        roots: [T] number of each tree's first node.
        walking: [depth] share of the training rows that are not at a leaf yet after so many steps, from 0.
        share: that each tree's leaf counts with.
        start: what every prediction begins with.
    """

    feature: np.ndarray
    threshold: np.ndarray
    child: np.ndarray
    value: np.ndarray
    roots: np.ndarray
    walking: np.ndarray
    share: float
    start: float


@dataclass(frozen=True)
class _Tree:
    """The nodes of one tree in any order: the root first, and -1 for the children of a leaf."""

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    value: np.ndarray
    count: np.ndarray


def tree_arrays(estimator: Any) -> TreeArrays:
    """The trees of a forest, or of histogram gradient boosting, of scikit-learn."""
    if hasattr(estimator, "estimators_"):
        trees = [_of_forest(member.tree_) for member in estimator.estimators_]
        return _joined(trees, 1 / len(trees), 0.0)
    trees = [_of_boosting(tree.nodes) for [tree] in estimator._predictors]
    return _joined(trees, 1.0, float(np.ravel(estimator._baseline_prediction)[0]))


def round_down(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 numbers that do not exceed float64 thresholds.

    >>> round_down(np.array([0.5, 0.1, 1.0 - 2**-40])).tolist()
    [0.5, 0.09999999403953552, 0.9999999403953552]
    """
    nearest = np.asarray(thresholds, np.float64).astype(np.float32)
    return np.where(nearest > thresholds, np.nextafter(nearest, np.float32(-np.inf)), nearest)


def _of_forest(tree: Any) -> _Tree:
    columns = (tree.children_left, tree.children_right, tree.feature, tree.threshold, tree.value[:, 0, 0])
    return _Tree(*columns, tree.n_node_samples)


def _of_boosting(nodes: np.ndarray) -> _Tree:
    leaf = nodes["is_leaf"].astype(bool)
    left, right = (np.where(leaf, -1, nodes[side].astype(np.int64)) for side in ("left", "right"))
    return _Tree(left, right, nodes["feature_idx"], nodes["num_threshold"], nodes["value"], nodes["count"])


def _joined(trees: list[_Tree], share: float, start: float) -> TreeArrays:
    parts, roots, first, depths = [], [], 0, [np.zeros(0)]
    for tree in trees:
        order, level = _breadth_first(tree)
        inner = tree.left[order] >= 0
        own = np.arange(len(order))
        child = first + np.where(inner, 2 * np.cumsum(inner) - 1, own)  # the j-th inner node's are 2 j + 1 and 2 j + 2
        threshold = np.where(inner, round_down(tree.threshold[order]), np.float32(np.inf))
        parts.append((np.where(inner, tree.feature[order], 0), threshold, child, tree.value[order]))
        depths.append(np.bincount(level[inner], tree.count[order][inner]) / tree.count[0])
        roots.append(first)
        first += len(order)
    walking = np.zeros(max(map(len, depths)))
    for found in depths:
        walking[: len(found)] += found / len(trees)
    feature, threshold, child, value = (np.concatenate(column) for column in zip(*parts, strict=True))
    return TreeArrays(feature, threshold, child, value, np.array(roots), walking, share, start)


def _breadth_first(tree: _Tree) -> tuple[np.ndarray, np.ndarray]:
    """The nodes by level, and the level of each."""
    levels = [np.zeros(1, np.int64)]
    while len(inner := levels[-1][tree.left[levels[-1]] >= 0]):
        levels.append(np.column_stack([tree.left[inner], tree.right[inner]]).ravel())
    return np.concatenate(levels), np.repeat(np.arange(len(levels)), [len(level) for level in levels])


class Trees(nn.Module):
    """A tree ensemble: the transformed target [n] from reduced features [n, k]."""

    feature: Tensor
    threshold: Tensor
    child: Tensor
    value: Tensor
    roots: Tensor
    share: Tensor
    start: Tensor

    def __init__(self, arrays: TreeArrays):
        super().__init__()
        for name, kind in (("feature", torch.int32), ("child", torch.int32), ("roots", torch.int32)):
            self.register_buffer(name, torch.as_tensor(getattr(arrays, name)).to(kind))
        for name in ("threshold", "value"):
            self.register_buffer(name, torch.as_tensor(getattr(arrays, name)).float())
        for name in ("share", "start"):
            self.register_buffer(name, torch.tensor(getattr(arrays, name), dtype=torch.float64))
        self.depth, self.stops = len(arrays.walking), _stops(arrays.walking)

    def forward(self, reduced: Tensor) -> Tensor:
        """Walk down every tree with every row."""
        n, width = reduced.shape
        values, trees = reduced.reshape(-1), len(self.roots)
        row = torch.arange(0, n * width, width, dtype=torch.int32, device=reduced.device).repeat(trees)
        node = self.roots[:, None].expand(-1, n).reshape(-1)  # by tree, then row: near rows read near nodes
        place, reached = None, node
        for step in range(1, self.depth + 1):
            number = values.index_select(0, row + self.feature.index_select(0, node))
            node = self.child.index_select(0, node) + (number > self.threshold.index_select(0, node))
            if step in self.stops:
                reached = node if place is None else reached.index_copy(0, place, node)
                going_on = torch.nonzero(self.threshold.index_select(0, node) < torch.inf).reshape(-1)
                place = going_on if place is None else place.index_select(0, going_on)
                row, node = row.index_select(0, going_on), node.index_select(0, going_on)
        reached = node if place is None else reached.index_copy(0, place, node)
        leaves = self.value.index_select(0, reached).reshape(trees, n)
        return (self.start + self.share * leaves.sum(dim=0, dtype=torch.float64)).float()


def _stops(walking: np.ndarray) -> frozenset[int]:
    """After which steps those that have arrived are set aside."""
    found, before = [], 1.0
    for step, share in enumerate(walking):
        if step and share <= _WORTH * before and before > _FEW:
            found.append(step)
            before = share
    return frozenset(found)
