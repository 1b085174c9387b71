"""Processes of more samples than can be solved at once: neighbours in space, inducing samples between features.

Both are fitted in turns, each to what the other leaves (backfitting; Hastie and Tibshirani, "Generalized Additive
Models", 1990, section 4.4), which tends to the prediction of both at once.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from soc_assets.regression.models.kriging.covariance import Covariance
from soc_assets.regression.models.kriging.fields import (
    DENSE,
    Correlated,
    DenseField,
    NeighbourField,
    distances_to,
    split_places,
)

INDUCING = 1024
_PASSES = 5


def make_field(covariance: Covariance, x: np.ndarray, y: np.ndarray, seed: int) -> nn.Module:
    """The process given observations y [n] at rows x [n, k]; `seed` chooses inducing samples where there are many."""
    if len(y) <= DENSE:
        return DenseField(covariance, x, y)
    if not any(term.of == "features" for term in covariance.terms):
        return NeighbourField(covariance, x, y)
    some = np.sort(np.random.default_rng(seed).permutation(len(y))[:INDUCING])
    inducing, space = _Inducing(covariance, x, some), covariance.of("space")
    explained = ProjectedField(inducing)
    explained.fit(inducing.weights(y - covariance.mean, inducing.noise))
    for _ in range(_PASSES):
        beside = NeighbourField(space, x, y - _values(explained, x))
        explained.fit(inducing.weights(y - _values(beside, x), 1.0))
    return SumOfFields(explained, NeighbourField(space, x, y - _values(explained, x)))


def _values(field: nn.Module, x: np.ndarray) -> np.ndarray:
    """What a field predicts [n] at rows [n, k]."""
    with torch.inference_mode():
        parts = [field(part)[0] for part in torch.from_numpy(np.asarray(x, np.float32)).split(INDUCING)]
    return torch.cat(parts).double().numpy()


class _Inducing:
    """The system of the inducing samples (projected process; Rasmussen and Williams 2006, section 8.3.4).

    Attributes:
        covariance: of the features.
        rows: [m, k] inducing rows.
        nugget: as of a `Covariance`.
        noise: variance of whatever features do not explain, relative to the nugget.
        among: [m, m] covariance of the inducing rows.
        crossed: [m, m] sum over all rows of the products of their covariances with two inducing rows.
    """

    def __init__(self, covariance: Covariance, x: np.ndarray, some: np.ndarray):
        """Of rows x [n, k] and the numbers of the inducing ones among them."""
        from scipy.spatial.distance import cdist

        features, _ = split_places(x)
        assert features is not None
        self.covariance, self.rows, self._features = (
            covariance.of("features"),
            np.asarray(x, np.float32)[some],
            features,
        )
        self._chosen = features[some]
        self.nugget, self.variance = covariance.nugget, float(self.covariance.variance.sum())
        self.noise = covariance.sill / covariance.nugget - self.variance
        self.among = self.covariance.between({"features": cdist(self._chosen, self._chosen)})
        self.among += 1e-6 * self.variance * np.eye(len(some))
        self.crossed = np.sum([between @ between.T for _, between in self._parts()], axis=0)

    def weights(self, y: np.ndarray, noise: float) -> np.ndarray:
        """The weight [m] of each inducing row, given observations less the mean [n] with so much noise."""
        from scipy.linalg import solve

        observed = np.sum([between @ y[part] for part, between in self._parts()], axis=0)
        return solve(self.among * noise + self.crossed, observed, assume_a="pos")

    def _parts(self) -> Iterator[tuple[slice, np.ndarray]]:
        """The covariance of the inducing rows with some rows at once: a matrix for all would be too large."""
        from scipy.spatial.distance import cdist

        for start in range(0, len(self._features), DENSE):
            part = slice(start, start + DENSE)
            yield part, self.covariance.between({"features": cdist(self._chosen, self._features[part])})


class ProjectedField(nn.Module):
    """What features explain, from inducing samples.

    The deviation is that of a first fit, to which all that features do not explain is noise; it contains none of it.
    """

    rows: Tensor
    weight: Tensor
    prior: Tensor
    posterior: Tensor
    facts: Tensor

    def __init__(self, inducing: _Inducing):
        from scipy.linalg import cholesky, solve_triangular

        super().__init__()
        self.correlated = Correlated(inducing.covariance)
        self.register_buffer("rows", torch.from_numpy(inducing.rows))
        whole = inducing.among * inducing.noise + inducing.crossed
        roots = [cholesky(matrix, lower=True) for matrix in (inducing.among, whole)]
        prior, posterior = (solve_triangular(root, np.eye(len(root)), lower=True) for root in roots)
        self.register_buffer("weight", torch.zeros(len(whole), dtype=torch.float64))
        self.register_buffer("prior", torch.from_numpy(prior.T.astype(np.float32)))
        self.register_buffer("posterior", torch.from_numpy((np.sqrt(inducing.noise) * posterior).T.astype(np.float32)))
        self.register_buffer("facts", torch.tensor([inducing.nugget, inducing.variance], dtype=torch.float64))

    def fit(self, weight: np.ndarray) -> None:
        """Take the weight [m] of each inducing row."""
        self.weight.copy_(torch.from_numpy(weight))

    def forward(self, reduced: Tensor) -> tuple[Tensor, Tensor]:
        """What is added to the mean, and its standard deviation [m], of rows [m, k]."""
        between = self.correlated(*distances_to(reduced, self.rows))
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
