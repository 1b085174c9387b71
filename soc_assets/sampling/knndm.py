"""Folds by nearest-neighbour-distance matching: test samples as far from training as the map is from the samples.

kNNDM of Linnenbrink, Mila, Ludwig and Meyer (Geoscientific Model Development 17, 2024): locations are clustered at many
degrees of fineness, the clusters merged into k folds, and that partition kept whose distribution of distances from test
to training is nearest (Wasserstein distance) to that from the prediction area to the locations. Where locations are as
regular as the area asks for, random folds of locations are the answer. Follows `knndm` of the R package CAST.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

GRID_POINTS = 2000  # of the prediction area that distances are taken from
_MOST_HIERARCHICAL = 8000  # locations; above, k-means, whose memory does not grow with their square
_FINENESS = 100
_LARGEST_FOLD = 0.5  # share of the locations
_REGULAR = 0.05  # p of the Kolmogorov-Smirnov test above which locations count as regular


@dataclass(frozen=True)
class Matched:
    """Folds [n] of locations, how many clusters they were merged from (0: random), and the Wasserstein distance, m."""

    fold: np.ndarray
    clusters: int
    distance: float


def match_distances(points: np.ndarray, area: np.ndarray, n_folds: int, seed: int) -> Matched:
    """Fold locations so that cross-validation is as hard as predicting the area.

    Args:
        points: [n, 2] distinct locations, metres.
        area: [m, 2] places to predict, metres.
        n_folds: k.
        seed: of random folds and of k-means.
    """
    from scipy.stats import ks_2samp, wasserstein_distance

    wanted = nearest(area, points)
    shuffled = np.random.default_rng(seed).permutation(len(points)) % n_folds
    alone = nearest_other(points)
    best = Matched(shuffled, 0, float(wasserstein_distance(held_out_distances(points, shuffled), wanted)))
    test: Any = ks_2samp(alone, wanted, alternative="greater", method="asymp")
    if test.pvalue >= _REGULAR:
        return best
    cut, along = _clusterings(points, seed), _first_axis(points)
    for number in _finenesses(len(points), n_folds):
        fold = _merge(cut(number), along, n_folds)
        if np.bincount(fold, minlength=n_folds).max() > _LARGEST_FOLD * len(points) or len(np.unique(fold)) < n_folds:
            continue
        distance = float(wasserstein_distance(held_out_distances(points, fold), wanted))
        if distance < best.distance:
            best = Matched(fold, number, distance)
    return best


def nearest(places: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Distance [m] from each place to the nearest of the points."""
    from scipy.spatial import KDTree

    return KDTree(points).query(places)[0]


def nearest_other(points: np.ndarray) -> np.ndarray:
    """Distance [n] from each point to the nearest other one."""
    from scipy.spatial import KDTree

    return KDTree(points).query(points, k=2)[0][:, 1]


def held_out_distances(points: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Distance [n] from each point to the nearest one of another fold."""
    result = np.empty(len(points))
    for number in np.unique(fold):
        held_out = fold == number
        result[held_out] = nearest(points[held_out], points[~held_out])
    return result


def _finenesses(n: int, n_folds: int) -> list[int]:
    """Numbers of clusters to try, denser where they are few."""
    return sorted({round(v) for v in np.exp(np.linspace(np.log(n_folds), np.log(max(n - 2, n_folds)), _FINENESS))})


def _clusterings(points: np.ndarray, seed: int) -> Callable[[int], np.ndarray]:
    """A function from a number of clusters to labels [n]: Ward's hierarchy cut, or k-means where n is large."""
    if len(points) <= _MOST_HIERARCHICAL:
        from scipy.cluster.hierarchy import fcluster, linkage

        tree = linkage(points, "ward")
        return lambda number: fcluster(tree, number, "maxclust")
    from sklearn.cluster import MiniBatchKMeans

    return lambda number: MiniBatchKMeans(number, random_state=seed).fit_predict(points)


def _first_axis(points: np.ndarray) -> np.ndarray:
    """Position [n] of each point along the first principal axis."""
    centred = points - points.mean(axis=0)
    axis = np.linalg.svd(centred, full_matrices=False)[2][0]
    return centred @ (axis * np.sign(axis[np.abs(axis).argmax()]))


def _merge(labels: np.ndarray, along: np.ndarray, n_folds: int) -> np.ndarray:
    """Merge clusters into folds: each big one begins a fold, the rest are dealt out along the first axis."""
    unique, index = np.unique(labels, return_inverse=True)
    size = np.bincount(index)
    position = np.bincount(index, weights=along) / size
    fold = np.full(len(unique), -1)
    big = np.flatnonzero(size >= len(labels) / n_folds)
    fold[big] = np.arange(len(big)) % n_folds
    small = np.flatnonzero(fold < 0)
    fold[small[np.argsort(position[small], kind="stable")]] = np.arange(len(small)) % n_folds
    return fold[index]
