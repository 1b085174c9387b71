"""Fitted Gaussian processes as parts of a torch graph: from reduced features to the value and its standard deviation.

The last two columns of the features are the place. Up to `DENSE` samples the prediction is exact (ordinary kriging,
with the uncertainty of the mean). Above, places are predicted from their nearest neighbours, and what features explain
from inducing samples. The deviation is that of an observation: it contains the nugget.
"""

import numpy as np
import torch
from torch import Tensor, nn

from soc_assets.regression.models.kriging.covariance import SQRT3, Covariance, distances
from soc_assets.regression.models.kriging.neighbours import Lattice, make_lattice

DENSE = 4096
"""Samples up to which predictions are exact."""
INDUCING = 1024
_SPACE = "donot_use_mm_for_euclid_dist"  # exact at short distances
_FEATURES = "use_mm_for_euclid_dist"  # quick, and their correlation is flat at short distances


def split_places(x: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """Features [n, k - 2], or None where there are none, and places [n, 2], of rows [n, k]; double precision."""
    rows = np.asarray(x, float)
    return (rows[:, :-2] if rows.shape[1] > 2 else None), rows[:, -2:]


def make_field(covariance: Covariance, x: np.ndarray, y: np.ndarray, seed: int) -> nn.Module:
    """The process given observations y [n] at rows x [n, k]; `seed` chooses inducing samples where there are many."""
    if len(y) <= DENSE:
        return DenseField(covariance, x, y)
    if not any(term.of == "features" for term in covariance.terms):
        return NeighbourField(covariance, x, y)
    some = np.sort(np.random.default_rng(seed).permutation(len(y))[:INDUCING])
    projected = ProjectedField(covariance, x, y, some)
    with torch.inference_mode():
        parts = torch.from_numpy(np.asarray(x, np.float32)).split(INDUCING)
        explained = torch.cat([projected(part)[0] for part in parts]).double().numpy()
    return SumOfFields(projected, NeighbourField(covariance.of("space"), x, y - explained))


class _Correlated(nn.Module):
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
        self.correlated = _Correlated(covariance)
        self.register_buffer("rows", torch.from_numpy(np.asarray(x, np.float32)))
        self.register_buffer("alpha", torch.from_numpy(cho_solve((lower, True), y - mean)))
        self.register_buffer("whiten", torch.from_numpy(inverse_of_root.T.astype(np.float32)))
        self.register_buffer("ones", torch.from_numpy(ones.astype(np.float32)))
        facts = [mean, covariance.nugget, covariance.sill / covariance.nugget, 1 / (ones @ ones)]
        self.register_buffer("facts", torch.tensor(facts, dtype=torch.float64))

    def forward(self, reduced: Tensor) -> tuple[Tensor, Tensor]:
        """Value and standard deviation [m] of rows [m, k]."""
        between = self.correlated(*_distances(reduced, self.rows))
        value = self.facts[0] + between @ self.alpha
        white = between.float() @ self.whiten
        unexplained = self.facts[2] - white.square().sum(dim=1) + (1 - white @ self.ones).square() * self.facts[3]
        return value.float(), (self.facts[1] * unexplained.clamp(min=1.0)).sqrt().float()


class NeighbourField(nn.Module):
    """Kriging in space from the samples nearest to a place's cell of a lattice, with the mean of all samples."""

    places: Tensor
    residuals: Tensor
    facts: Tensor

    def __init__(self, covariance: Covariance, x: np.ndarray, y: np.ndarray):
        """Take observations y [n] at rows x [n, k], whose features do not count."""
        super().__init__()
        _, places = split_places(x)
        self.correlated = _Correlated(covariance)
        self.lattice = _LatticeBuffers(make_lattice(places))
        self.register_buffer("places", torch.from_numpy(places.astype(np.float32)))
        self.register_buffer("residuals", torch.from_numpy((y - covariance.mean).astype(np.float32)))
        facts = [covariance.mean, covariance.nugget, covariance.sill / covariance.nugget]
        self.register_buffer("facts", torch.tensor(facts, dtype=torch.float64))

    def forward(self, reduced: Tensor) -> tuple[Tensor, Tensor]:
        """Value and standard deviation [m] of rows [m, k]."""
        place = reduced[:, -2:]
        near = self.lattice(place)
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


class _LatticeBuffers(nn.Module):
    """The neighbours [m, neighbours] of places [m, 2]."""

    origin: Tensor
    step: Tensor
    shape: Tensor
    neighbours: Tensor

    def __init__(self, lattice: Lattice):
        super().__init__()
        self.register_buffer("origin", torch.from_numpy(lattice.origin.astype(np.float32)))
        self.register_buffer("step", torch.from_numpy(lattice.step.astype(np.float32)))
        self.register_buffer("shape", torch.from_numpy(lattice.shape.astype(np.int64)))
        self.register_buffer("neighbours", torch.from_numpy(lattice.neighbours.astype(np.int64)))

    def forward(self, place: Tensor) -> Tensor:
        """Positions of the neighbours among the samples."""
        cell = ((place - self.origin) / self.step).floor()
        inside = torch.minimum(cell.clamp(min=0).long(), self.shape - 1)
        return self.neighbours[inside[:, 0] * self.shape[1] + inside[:, 1]]


class ProjectedField(nn.Module):
    """What features explain, from inducing samples (projected process; Rasmussen and Williams 2006, section 8.3.4).

    Whatever the features do not explain counts as noise; the deviation contains none of it.
    """

    rows: Tensor
    weight: Tensor
    prior: Tensor
    posterior: Tensor
    facts: Tensor

    def __init__(self, covariance: Covariance, x: np.ndarray, y: np.ndarray, some: np.ndarray):
        """Fit to observations y [n] at rows x [n, k] by the rows `some` of them."""
        from scipy.linalg import cholesky, solve_triangular
        from scipy.spatial.distance import cdist

        super().__init__()
        own, (features, _) = covariance.of("features"), split_places(x)
        assert features is not None
        noise = (covariance.sill / covariance.nugget) - float(own.variance.sum())
        self.correlated = _Correlated(own)
        self.register_buffer("rows", torch.from_numpy(np.asarray(x, np.float32)[some]))
        tiny = 1e-6 * float(own.variance.sum()) * np.eye(len(some))
        among = own.between({"features": cdist(features[some], features[some])}) + tiny
        crossed, observed = np.zeros((len(some), len(some))), np.zeros(len(some))
        for start in range(0, len(y), DENSE):
            part = slice(start, start + DENSE)
            between = own.between({"features": cdist(features[some], features[part])})
            crossed += between @ between.T
            observed += between @ (y[part] - covariance.mean)
        roots = [cholesky(matrix, lower=True) for matrix in (among, among * noise + crossed)]
        prior, posterior = (solve_triangular(root, np.eye(len(some)), lower=True) for root in roots)
        self.register_buffer("weight", torch.from_numpy(posterior.T @ (posterior @ observed)))
        self.register_buffer("prior", torch.from_numpy(prior.T.astype(np.float32)))
        self.register_buffer("posterior", torch.from_numpy((np.sqrt(noise) * posterior).T.astype(np.float32)))
        self.register_buffer("facts", torch.tensor([covariance.nugget, float(own.variance.sum())], dtype=torch.float64))

    def forward(self, reduced: Tensor) -> tuple[Tensor, Tensor]:
        """What is added to the mean, and its standard deviation [m], of rows [m, k]."""
        between = self.correlated(*_distances(reduced, self.rows))
        single = between.float()
        known, left = ((single @ matrix).square().sum(dim=1) for matrix in (self.prior, self.posterior))
        unexplained = (self.facts[1] - known + left).clamp(min=0.0)
        return (between @ self.weight).float(), (self.facts[0] * unexplained).sqrt().float()


class SumOfFields(nn.Module):
    """The sum of two independent processes."""

    def __init__(self, first: nn.Module, second: nn.Module):
        super().__init__()
        self.first, self.second = first, second

    def forward(self, reduced: Tensor) -> tuple[Tensor, Tensor]:
        """Value and standard deviation [m] of rows [m, k]."""
        (one, spread), (other, spread_of_other) = self.first(reduced), self.second(reduced)
        return one + other, torch.hypot(spread, spread_of_other)


def _distances(reduced: Tensor, rows: Tensor) -> tuple[Tensor, Tensor | None]:
    """Distances [m, n] in space and between features, double precision."""
    space = torch.cdist(reduced[:, -2:], rows[:, -2:], compute_mode=_SPACE).double()
    if rows.shape[1] == 2:
        return space, None
    return space, torch.cdist(reduced[:, :-2], rows[:, :-2], compute_mode=_FEATURES).double()
