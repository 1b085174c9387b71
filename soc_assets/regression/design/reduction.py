"""From raw columns to what a model is fitted on: standardised, gaps set to the mean, wide groups as components.

Everything is fitted on the training rows it is given. Components come from a randomised decomposition (Halko,
Martinsson and Tropp, SIAM Review 2011) of the standardised columns; all of a group then share one scale, so that the
many minor ones do not count as much as the first.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from soc_assets.regression.design.design import Design
from soc_assets.regression.design.standardisation import column_statistics
from soc_assets.runtime.cache import Cache

_MOST = 256  # components computed where a share of variance is asked for
_CHUNK = 512
_ITERATIONS: Any = 3  # of the power method; scikit-learn's stub takes its default for the type
_RECENT_BYTES = 256 * 2**20  # of reductions kept by each process: the models of a fold share theirs


class ReducedGroup(Protocol):
    """What a group of raw columns becomes: standardised, in components, or as an encoder summarises it."""

    @property
    def group(self) -> str:
        """Its name."""
        ...

    @property
    def columns(self) -> np.ndarray:
        """Which columns of the group's matrix [d]."""
        ...

    @property
    def mean(self) -> np.ndarray:
        """Of these columns [d] in training."""
        ...

    @property
    def scale(self) -> np.ndarray:
        """Standard deviation of these columns [d] in training."""
        ...

    @property
    def width(self) -> int:
        """Columns that come out, k."""
        ...

    def apply(self, matrix: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Reduced features float32 [m, k] of some rows [m] of the group's matrix."""
        ...

    def contribution(self, matrix: np.ndarray, rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Reduced features [m, k] of chosen columns [c], counted among `columns`, alone; the others at their mean."""
        ...


@dataclass(frozen=True)
class GroupReduction:
    """One group: which columns, their mean and scale, and the components [d, k] with their common scale, or None."""

    group: str
    columns: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    components: np.ndarray | None
    component_scale: float = 1.0
    explained: float = 1.0

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.mean.nbytes + self.scale.nbytes + (0 if self.components is None else self.components.nbytes)

    @property
    def width(self) -> int:
        """Columns that come out."""
        return len(self.columns) if self.components is None else self.components.shape[1]

    def apply(self, matrix: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Reduced features float32 [m, width] of some rows [m] of the group's matrix."""
        parts = [self.transform(self._take(matrix, rows[i : i + _CHUNK])) for i in range(0, len(rows), _CHUNK)]
        return np.concatenate(parts) if parts else np.empty((0, self.width), np.float32)

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Reduced features of the group's chosen raw columns [m, d].

        Products are summed in double precision, as in the served graph: their sums in float32 would differ in the last
        digit, and a tree may branch at exactly the value of a training sample.
        """
        z = np.nan_to_num((values - self.mean) / self.scale, nan=0.0).astype(np.float32)
        if self.components is None:
            return z
        return (z.astype(np.float64) @ self.components / self.component_scale).astype(np.float32)

    def contribution(self, matrix: np.ndarray, rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Reduced features [m, k] of chosen columns [c] alone: they are linear in the columns, components included."""
        z = (matrix[np.ix_(rows, self.columns[chosen])] - self.mean[chosen]) / self.scale[chosen]
        z = np.nan_to_num(z, nan=0.0).astype(np.float32)
        if self.components is not None:
            return ((z @ self.components[chosen]) / np.float32(self.component_scale)).astype(np.float32)
        whole = np.zeros((len(rows), self.width), np.float32)
        whole[:, chosen] = z
        return whole

    def _take(self, matrix: np.ndarray, rows: np.ndarray) -> np.ndarray:
        taken = matrix[rows]
        return taken if len(self.columns) == matrix.shape[1] else taken[:, self.columns]


@dataclass(frozen=True)
class Reduction:
    """All groups of a feature set; `apply` stands for the features of any rows of a design."""

    groups: tuple[ReducedGroup, ...]

    def apply(self, design: Design, rows: np.ndarray) -> np.ndarray:
        """Reduced features float32 [m, k]."""
        return np.concatenate([part.apply(design.matrices[part.group], rows) for part in self.groups], axis=1)

    @property
    def width(self) -> int:
        """Columns that come out, k."""
        return sum(part.width for part in self.groups)

    def with_places_on_one_scale(self) -> "Reduction":
        """The same with the larger scale of both coordinates, so that distances are those on the ground."""
        groups = [
            replace(part, scale=np.full_like(part.scale, part.scale.max()))
            if isinstance(part, GroupReduction) and part.group == "coordinates"
            else part
            for part in self.groups
        ]
        return Reduction(tuple(groups))


def fit_reduction(design: Design, features: str, rows: np.ndarray, pca: float, seed: int) -> Reduction:
    """Fit on training rows.

    Args:
        design: samples and features.
        features: the feature set.
        rows: of the training part, and of nothing else.
        pca: components of the embedding, or (below 1) the share of variance they keep; 0 keeps every column.
        seed: of the randomised decomposition.
    """
    of_rows = hashlib.sha256(np.ascontiguousarray(rows).data).hexdigest()
    parts = []
    for group, columns in design.positions(features).items():
        key = (design.digests[group], columns.tobytes(), of_rows, pca, seed)
        parts.append(_RECENT.get(key, lambda g=group, c=columns: _fit_group(design, g, c, rows, pca, seed)))
    return Reduction(tuple(parts))


_RECENT: Cache[GroupReduction] = Cache(_RECENT_BYTES)


def _fit_group(
    design: Design, group: str, columns: np.ndarray, rows: np.ndarray, pca: float, seed: int
) -> GroupReduction:
    matrix = design.matrices[group]
    values = matrix[rows] if len(columns) == matrix.shape[1] else matrix[rows][:, columns]
    mean, scale = (v.astype(np.float32) for v in column_statistics(values, np.arange(len(values))))
    wanted = _MOST if 0 < pca < 1 else int(pca)
    if group != "embedding" or not pca or min(values.shape) <= wanted:
        return GroupReduction(group, columns, mean, scale, None)
    values -= mean
    values /= scale
    np.nan_to_num(values, copy=False, nan=0.0)
    components, scale_of_all, explained = fit_components(values, pca, seed)
    return GroupReduction(group, columns, mean, scale, components, scale_of_all, explained)


def fit_components(z: np.ndarray, pca: float, seed: int) -> tuple[np.ndarray, float, float]:
    """Principal components [d, k], the scale that all share, and the share of variance that they hold.

    Args:
        z: [n, d] standardised columns without NaN.
        pca: how many, or (below 1) the share of variance they keep.
        seed: of the randomised decomposition.
    """
    wanted = _MOST if pca < 1 else int(pca)
    components, variance, total = _decompose(z, wanted, seed)
    share = np.cumsum(variance) / total
    kept = int(np.searchsorted(share, pca) + 1) if pca < 1 else wanted
    kept = min(kept, len(variance), max(1, int((variance > 1e-10 * total).sum())))
    return components[:kept].T.copy(), float(np.sqrt(variance[:kept].mean())) or 1.0, float(share[kept - 1])


def _decompose(values: np.ndarray, wanted: int, seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Components [k, d], their variances [k] and the variance of all columns, of centred values [n, d]."""
    from sklearn.utils.extmath import randomized_svd

    _, singular, components = randomized_svd(values, wanted, n_iter=_ITERATIONS, random_state=seed)
    total = float(np.einsum("ij,ij->", values, values, dtype=np.float64)) / len(values)
    return components.astype(np.float32), singular.astype(float) ** 2 / len(values), max(total, 1e-30)
