"""The transform of the target, fitted on training samples, and its unbiased back-transform to g/kg.

Back-transforming a mean of logarithms gives a median, too low for a skewed target. Duan's smearing (JASA 1983) averages
the inverse over the residuals instead: sum over i of inverse(prediction + residual i) / n. Residuals of held-out
samples are better than those of fitted ones, which are too small. Box-Cox (JRSS B 1964) is taken of organic carbon + 1.
Back-transformed values lie between 0 and the maximum of the training samples (docs/decisions/back-transform.md).
Registered graphs repeat the back-transform in torch (`regression.models.served`).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["none", "log1p", "box-cox"]
_SMEARED = 200  # numbers that stand for all residuals
_LAMBDA = (-1.0, 2.0)
MOST = 600.0  # g/kg: nothing holds more organic carbon; a linear model in the logarithm can predict anything


@dataclass(frozen=True)
class Smeared:
    """Residuals as at most 200 numbers [k] with the share of all residuals that each stands for [k], 1 in all."""

    numbers: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        """How many numbers there are, k."""
        return len(self.numbers)

    def mean(self) -> float:
        """Their weighted mean: that of all residuals."""
        return float(self.numbers @ self.weights)


@dataclass(frozen=True)
class Target:
    """A transform of organic carbon (g/kg); `power` is the lambda of Box-Cox, 0 for log1p.

    `most` is the largest organic carbon of the training samples: nothing above it is predicted.
    """

    kind: Kind
    power: float = 0.0
    most: float = MOST

    @classmethod
    def fit(cls, kind: Kind, organic_carbon: np.ndarray) -> "Target":
        """Fit on training samples [n], g/kg, all at least 0."""
        values = np.asarray(organic_carbon, float)
        most = float(values.max())
        if kind != "box-cox":
            return cls(kind, 0.0 if kind == "log1p" else 1.0, most)
        from scipy.stats import boxcox_normmax

        power = float(boxcox_normmax(values + 1, method="mle")) if np.ptp(values) > 0 else 0.0
        return cls(kind, float(np.clip(power, *_LAMBDA)), most)

    def forward(self, organic_carbon: np.ndarray) -> np.ndarray:
        """Organic carbon in g/kg to the transformed scale."""
        values = np.asarray(organic_carbon, float)
        if self.kind == "none":
            return values
        return np.log1p(values) if abs(self.power) < 1e-6 else ((values + 1) ** self.power - 1) / self.power

    def inverse(self, transformed: np.ndarray) -> np.ndarray:
        """The transformed scale to g/kg, from 0 to `most`."""
        return np.clip(self._untransformed(transformed), 0, self.most)

    def mean(self, transformed: np.ndarray, residuals: np.ndarray | None) -> np.ndarray:
        """Expected organic carbon [n], g/kg from 0 to `most`: smeared over residuals [m] (observed - predicted)."""
        if residuals is None or self.kind == "none" or not len(residuals):
            return self.inverse(transformed)
        stand_in, values = smeared(residuals), np.asarray(transformed, float)
        expected = self._untransformed(values[..., None] + stand_in.numbers) @ stand_in.weights
        return np.clip(expected, 0, self.most)

    def _untransformed(self, transformed: np.ndarray) -> np.ndarray:
        """The plain inverse: from 0 to 600 g/kg, `none` as it is."""
        values = np.asarray(transformed, float)
        if self.kind == "none":
            return values
        values = np.clip(values, *self.forward(np.array([0.0, MOST])))
        if abs(self.power) < 1e-6:
            return np.expm1(values)
        return np.maximum(np.maximum(self.power * values + 1, 1e-9) ** (1 / self.power) - 1, 0)


def smeared(residuals: np.ndarray) -> Smeared:
    """At most 200 numbers that stand for all residuals [n]: means of groups of neighbours, weighted by their size.

    A group spans at most a hundredth of the residuals' range and holds about a hundredth of them at most, so that a
    long tail, which decides a mean of exponentials, keeps its shape.

    >>> residuals = np.random.default_rng(0).normal(0, 0.7, 300)
    >>> short = smeared(residuals)
    >>> len(short) <= 200, bool(np.isclose(np.exp(residuals).mean(), np.exp(short.numbers) @ short.weights, rtol=0.002))
    (True, True)
    """
    values = np.sort(np.asarray(residuals, float))
    n = len(values)
    if n <= _SMEARED or values[0] == values[-1]:
        return Smeared(values, np.full(n, 1 / n)) if n <= _SMEARED else Smeared(values[:1], np.ones(1))
    rank, place = (np.arange(n) + 0.5) / n, (values - values[0]) / (values[-1] - values[0])
    group = np.minimum((_SMEARED * (rank + place) / 2).astype(int), _SMEARED - 1)
    _, group, size = np.unique(group, return_inverse=True, return_counts=True)
    return Smeared(np.bincount(group, values) / size, size / n)
