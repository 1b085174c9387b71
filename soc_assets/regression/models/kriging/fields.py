"""Fitted Gaussian processes as parts of a torch graph: from reduced features to the value and its standard deviation.

The last two columns of the features are the place. Up to `DENSE` samples the prediction is exact (ordinary kriging,
with the uncertainty of the mean). Above, places are predicted from their nearest neighbours, and what features explain
from inducing samples (`projected`). The deviation is that of an observation: it contains the nugget.
"""

import numpy as np
import torch
from torch import Tensor, nn

from soc_assets.regression.models.kriging.covariance import SQRT3, Covariance, distances
from soc_assets.regression.models.kriging.neighbours import Cells, make_cells

DENSE = 4096
"""Samples up to which predictions are exact."""
_SPACE = "donot_use_mm_for_euclid_dist"  # exact at short distances
_FEATURES = "use_mm_for_euclid_dist"  # quick, and their correlation is flat at short distances


def split_places(x: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """Features [n, k - 2], or None where there are none, and places [n, 2], of rows [n, k]; double precision."""
    rows = np.asarray(x, float)
    return (rows[:, :-2] if rows.shape[1] > 2 else None), rows[:, -2:]


class Correlated(nn.Module):
    """Covariance of rows with others, relative to the nugget."""

    variance: Tensor
    ranges: Tensor

    def __init__(self, covariance: Covariance):
        super().__init__()
        self.of = [term.of for term in covariance.terms]
        self.register_buffer("variance", torch.from_numpy(covariance.variance))
        self.register_buffer("ranges", torch.from_numpy(covariance.ranges))

    def forward(self, space: Tensor, features: Tensor | None) -> Tensor:
        """From distances of the same shape in space and between features."""
        total = torch.zeros_like(space)
        for number, of in enumerate(self.of):
            variance, length = (values[number].to(space.dtype) for values in (self.variance, self.ranges))
            if of == "space":
                total = total + variance * torch.exp(-space / length)
            else:
                assert features is not None
                z = SQRT3 * features / length
                total = total + variance * (1 + z) * torch.exp(-z)
        return total


class DenseField(nn.Module):
    """Ordinary kriging from all samples."""

    rows: Tensor
    alpha: Tensor
    whiten: Tensor
    ones: Tensor
    facts: Tensor

    def __init__(self, covariance: Covariance, x: np.ndarray, y: np.ndarray):
        """Solve the system of observations y [n] at rows x [n, k] once."""
        from scipy.linalg import cho_solve, cholesky, solve_triangular

        super().__init__()
        features, places = split_places(x)
        matrix = covariance.between(distances(places, features, covariance.terms)) + np.eye(len(y))
        lower = cholesky(matrix, lower=True)
        inverse_of_root = solve_triangular(lower, np.eye(len(y)), lower=True)
        ones = inverse_of_root.sum(axis=1)
        mean = float(ones @ (inverse_of_root @ y) / (ones @ ones))
        self.correlated = Correlated(covariance)
        self.register_buffer("rows", torch.from_numpy(np.asarray(x, np.float32)))
        self.register_buffer("alpha", torch.from_numpy(cho_solve((lower, True), y - mean)))
        self.register_buffer("whiten", torch.from_numpy(inverse_of_root.T.astype(np.float32)))
        self.register_buffer("ones", torch.from_numpy(ones.astype(np.float32)))
        facts = [mean, covariance.nugget, covariance.sill / covariance.nugget, 1 / (ones @ ones)]
        self.register_buffer("facts", torch.tensor(facts, dtype=torch.float64))

    def forward(self, reduced: Tensor) -> tuple[Tensor, Tensor]:
        """Value and standard deviation [m] of rows [m, k]."""
        between = self.correlated(*distances_to(reduced, self.rows))
        value = self.facts[0] + between @ self.alpha
        white = between.float() @ self.whiten
        unexplained = self.facts[2] - white.square().sum(dim=1) + (1 - white @ self.ones).square() * self.facts[3]
        return value.float(), (self.facts[1] * unexplained.clamp(min=1.0)).sqrt().float()


class NeighbourField(nn.Module):
    """Kriging in space from the samples nearest to a place's cell, with the mean of all samples."""

    places: Tensor
    residuals: Tensor
    facts: Tensor

    def __init__(self, covariance: Covariance, x: np.ndarray, y: np.ndarray):
        """Take observations y [n] at rows x [n, k], whose features do not count."""
        super().__init__()
        _, places = split_places(x)
        self.correlated = Correlated(covariance)
        self.neighbours = _Neighbours(make_cells(places))
        self.register_buffer("places", torch.from_numpy(places.astype(np.float32)))
        self.register_buffer("residuals", torch.from_numpy((y - covariance.mean).astype(np.float32)))
        facts = [covariance.mean, covariance.nugget, covariance.sill / covariance.nugget]
        self.register_buffer("facts", torch.tensor(facts, dtype=torch.float64))

    def forward(self, reduced: Tensor) -> tuple[Tensor, Tensor]:
        """Value and standard deviation [m] of rows [m, k]."""
        place = reduced[:, -2:]
        near = self.neighbours(place)
        around = self.places[near]  # [m, neighbours, 2]
        among = torch.cdist(
            around, around, compute_mode=_SPACE
        )  # in single precision: exponentials are most of the work
        matrix = self.correlated(among, None).double() + torch.eye(near.shape[1], dtype=torch.float64)
        between = self.correlated((around - place[:, None]).square().sum(dim=2).sqrt(), None).double()
        weight = torch.cholesky_solve(between[:, :, None], torch.linalg.cholesky(matrix))[:, :, 0]
        value = self.facts[0] + (weight * self.residuals[near]).sum(dim=1)
        unexplained = self.facts[2] - (weight * between).sum(dim=1)
        return value.float(), (self.facts[1] * unexplained.clamp(min=1.0)).sqrt().float()


class _Neighbours(nn.Module):
    """The neighbours [m, neighbours] of places [m, 2], found from the root of the tree to a leaf."""

    axis: Tensor
    cut: Tensor
    child: Tensor
    cell: Tensor
    neighbours: Tensor

    def __init__(self, cells: Cells):
        super().__init__()
        self.depth = cells.depth
        self.register_buffer("cut", torch.from_numpy(cells.cut.astype(np.float32)))
        for name in ("axis", "child", "cell", "neighbours"):
            self.register_buffer(name, torch.from_numpy(getattr(cells, name).astype(np.int64)))

    def forward(self, place: Tensor) -> Tensor:
        """Positions of the neighbours among the samples."""
        node = torch.zeros_like(place[:, 0], dtype=torch.int64)
        for _ in range(self.depth):
            along = place.gather(1, self.axis[node][:, None])[:, 0]
            node = self.child[node, (along > self.cut[node]).long()]
        return self.neighbours[self.cell[node]]


def distances_to(reduced: Tensor, rows: Tensor) -> tuple[Tensor, Tensor | None]:
    """Distances [m, n] in space and between features, double precision."""
    space = torch.cdist(reduced[:, -2:], rows[:, -2:], compute_mode=_SPACE).double()
    if rows.shape[1] == 2:
        return space, None
    return space, torch.cdist(reduced[:, :-2], rows[:, :-2], compute_mode=_FEATURES).double()
