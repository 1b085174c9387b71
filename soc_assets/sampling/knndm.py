"""Folds by nearest-neighbour-distance matching: test samples as far from training as the map is from the samples.

kNNDM of Linnenbrink, Mila, Ludwig and Meyer (Geoscientific Model Development 17, 2024): locations are clustered at many
degrees of fineness, the clusters merged into k folds, and that partition kept whose distribution of distances from test
to training is nearest (Wasserstein distance) to that from the prediction area to the locations. Where locations are as
regular as the area requires, random folds of locations are used. Follows `knndm` of the R package CAST.

Ward's hierarchy takes memory and time with the square of what it joins. Above 8,000 locations it therefore joins 4,096
groups of neighbours (halves of halves, by a k-d tree) instead of single locations, finer clusterings are the tree's
own, and distances from test to training are taken at 4,000 drawn locations: a group is a few neighbours then, a fold
thousands of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from soc_assets.runtime import progress

GRID_POINTS = 2000  # of the prediction area that distances are taken from
_MOST_HIERARCHICAL = 8000  # locations that Ward's hierarchy joins one by one
_GROUPS = 4096  # of neighbours, that it joins where there are more
_FINENESS, _FINENESS_OF_MANY = 100, 40  # numbers of clusters that are tried, and where there are more locations
_LOOKED_AT = 4000  # locations from which distances are taken where there are more
_LARGEST_FOLD = 0.5  # share of the locations
_REGULAR = 0.05  # p of the Kolmogorov-Smirnov test above which locations count as regular


@dataclass(frozen=True)
class Matched:
    """Folds [n] of locations, how many clusters they were merged from (0: random), and the Wasserstein distance, m."""

    fold: np.ndarray
    clusters: int
    distance: float


def match_distances(
    points: np.ndarray,
    area: np.ndarray,
    n_folds: int,
    seed: int,
) -> Matched:
    """Fold locations so that cross-validation is as hard as predicting the area.

    Args:
        points: [n, 2] distinct locations, metres.
        area: [m, 2] places to predict, metres.
        n_folds: k.
        seed: of random folds, and of the locations that are sampled where there are many.
    """
    from scipy.stats import ks_2samp, wasserstein_distance

    wanted, rng = nearest(area, points), np.random.default_rng(seed)
    shuffled = rng.permutation(len(points)) % n_folds
    seen = None if len(points) <= _MOST_HIERARCHICAL else np.sort(rng.permutation(len(points))[:_LOOKED_AT])
    best = Matched(shuffled, 0, float(wasserstein_distance(held_out_distances(points, shuffled, seen), wanted)))
    test: Any = ks_2samp(nearest_other(points), wanted, alternative="greater", method="asymp")
    if test.pvalue >= _REGULAR:
        return best
    cut, along, last = _clusterings(points), _first_axis(points), shuffled
    numbers = _finenesses(len(points), n_folds)
    for done, number in enumerate(numbers):
        progress.report(done, len(numbers), "clusterings")
        fold = _merge(cut(number), along, n_folds)
        if np.array_equal(fold, last):
            continue
        last = fold
        if np.bincount(fold, minlength=n_folds).max() > _LARGEST_FOLD * len(points) or len(np.unique(fold)) < n_folds:
            continue
        distance = float(wasserstein_distance(held_out_distances(points, fold, seen), wanted))
        if distance < best.distance:
            best = Matched(fold, number, distance)
    return best


def nearest(places: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Distance [m] from each place to the nearest of the points."""
    from scipy.spatial import KDTree

    return KDTree(points, compact_nodes=False, balanced_tree=False).query(places)[0]


def nearest_other(points: np.ndarray) -> np.ndarray:
    """Distance [n] from each point to the nearest other one."""
    from scipy.spatial import KDTree

    return KDTree(points).query(points, k=2)[0][:, 1]


def held_out_distances(points: np.ndarray, fold: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
    """Distance [n] from each point to the nearest one of another fold; of the points `seen` alone [k] where given."""
    at = np.arange(len(points)) if seen is None else seen
    result, number = np.empty(len(at)), fold[at]
    for held_out in np.unique(number):
        result[number == held_out] = nearest(points[at[number == held_out]], points[fold != held_out])
    return result


def _finenesses(n: int, n_folds: int) -> list[int]:
    """Numbers of clusters to try, denser where they are few."""
    count = _FINENESS if n <= _MOST_HIERARCHICAL else _FINENESS_OF_MANY
    return sorted({round(v) for v in np.exp(np.linspace(np.log(n_folds), np.log(max(n - 2, n_folds)), count))})


def _clusterings(points: np.ndarray) -> Callable[[int], np.ndarray]:
    """A function from a number of clusters to labels [n]: Ward's hierarchy cut, of groups where n is large."""
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(points) <= _MOST_HIERARCHICAL:
        tree = linkage(points, "ward")
        return lambda number: fcluster(tree, number, "maxclust")
    levels = halves(points)
    group = next(level for level in levels if level.max() + 1 >= _GROUPS)
    size = np.bincount(group)
    of_groups = linkage(np.column_stack([np.bincount(group, axis) / size for axis in points.T]), "ward")
    return lambda number: (
        fcluster(of_groups, number, "maxclust")[group]
        if number <= len(size)
        else next((level for level in levels if level.max() + 1 >= number), levels[-1])
    )


def halves(points: np.ndarray) -> list[np.ndarray]:
    """Groups [n] of neighbours, from 0: all points, halves of them along their longer side, halves of these, and so on.

    The last has one point in each group, or two.
    """
    axes = [axis[np.argsort(axis, kind="stable")] for axis in points.T]
    place = [
        np.searchsorted(ordered, axis) for ordered, axis in zip(axes, points.T, strict=True)
    ]  # ranks: ints sort fast
    levels = [np.zeros(len(points), np.int64)]
    while (groups := int(levels[-1].max()) + 1) < len(points) // 2:
        group = levels[-1]
        side = [_spread(axis, group, groups) for axis in points.T]
        order = np.lexsort((np.where(side[0][group] >= side[1][group], *place), group))
        size = np.bincount(group)
        rank = np.empty(len(points), np.int64)
        rank[order] = np.arange(len(points)) - np.repeat(np.cumsum(size) - size, size)
        levels.append(np.unique(2 * group + (2 * rank >= size[group]), return_inverse=True)[1])
    return levels


def _spread(axis: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Largest minus smallest value in each group."""
    low, high = np.full(groups, np.inf), np.full(groups, -np.inf)
    np.minimum.at(low, group, axis)
    np.maximum.at(high, group, axis)
    return high - low


def _first_axis(points: np.ndarray) -> np.ndarray:
    """Position [n] of each point along the first principal axis."""
    centred = points - points.mean(axis=0)
    axis = np.linalg.svd(centred, full_matrices=False)[2][0]
    return centred @ (axis * np.sign(axis[np.abs(axis).argmax()]))


def _merge(labels: np.ndarray, along: np.ndarray, n_folds: int) -> np.ndarray:
    """Merge clusters into folds: each large one starts a fold, the rest are assigned along the first axis."""
    unique, index = np.unique(labels, return_inverse=True)
    size = np.bincount(index)
    position = np.bincount(index, weights=along) / size
    fold = np.full(len(unique), -1)
    big = np.flatnonzero(size >= len(labels) / n_folds)
    fold[big] = np.arange(len(big)) % n_folds
    small = np.flatnonzero(fold < 0)
    fold[small[np.argsort(position[small], kind="stable")]] = np.arange(len(small)) % n_folds
    return fold[index]
