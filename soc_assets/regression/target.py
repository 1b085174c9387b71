"""The target and back: transforms fitted on training samples, and predictions in g/kg that are unbiased.

The inverse of a mean of logarithms is a median, too low for a skewed target. Duan's smearing (JASA 1983) averages the
inverse over the residuals instead: sum over i of inverse(prediction + residual i) / n. Residuals of held-out samples
are better than those of fitted ones, which are too small. Box-Cox (JRSS B 1964) is taken of organic carbon + 1.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["none", "log1p", "box-cox"]
_SMEARED = 200  # quantiles that stand for all residuals
_LAMBDA = (-1.0, 2.0)
MOST = 600.0  # g/kg: nothing holds more organic carbon; a straight line in the logarithm would say anything


@dataclass(frozen=True)
class Target:
    """A transform of organic carbon (g/kg); `power` is the lambda of Box-Cox, 0 for log1p."""

    kind: Kind
    power: float = 0.0

    @classmethod
    def fit(cls, kind: Kind, organic_carbon: np.ndarray) -> "Target":
        """Fit on training samples [n], g/kg, all at least 0."""
        if kind != "box-cox":
            return cls(kind, 0.0 if kind == "log1p" else 1.0)
        from scipy.stats import boxcox_normmax

        values = np.asarray(organic_carbon, float) + 1
        power = float(boxcox_normmax(values, method="mle")) if np.ptp(values) > 0 else 0.0
        return cls(kind, float(np.clip(power, *_LAMBDA)))

    def forward(self, organic_carbon: np.ndarray) -> np.ndarray:
        """Organic carbon in g/kg to the transformed scale."""
        values = np.asarray(organic_carbon, float)
        if self.kind == "none":
            return values
        return np.log1p(values) if abs(self.power) < 1e-6 else ((values + 1) ** self.power - 1) / self.power

    def inverse(self, transformed: np.ndarray) -> np.ndarray:
        """The transformed scale to g/kg, from 0 to 600; `none` as it is."""
        values = np.asarray(transformed, float)
        if self.kind == "none":
            return values
        values = np.clip(values, *self.forward(np.array([0.0, MOST])))
        if abs(self.power) < 1e-6:
            return np.expm1(values)
        return np.maximum(np.maximum(self.power * values + 1, 1e-9) ** (1 / self.power) - 1, 0)

    def mean(self, transformed: np.ndarray, residuals: np.ndarray | None) -> np.ndarray:
        """Expected organic carbon [n], g/kg, by smearing over residuals [m] (observed - predicted) if there are."""
        if residuals is None or self.kind == "none" or not len(residuals):
            return self.inverse(transformed)
        values = np.asarray(transformed, float)
        return self.inverse(values[..., None] + smeared(residuals)).mean(axis=-1)


def smeared(residuals: np.ndarray) -> np.ndarray:
    """At most 200 numbers that stand for all residuals: the means of equally many after sorting."""
    if len(residuals) <= _SMEARED:
        return np.asarray(residuals, float)
    parts = np.array_split(np.sort(np.asarray(residuals, float)), _SMEARED)
    return np.array([part.mean() for part in parts])
