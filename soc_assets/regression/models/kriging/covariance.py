"""Covariance functions of places and of features, with a nugget.

A covariance is the sum of terms, each with a variance and a range: exponential in the distance between places, or
Matern 3/2 in the distance between standardised features (Rasmussen and Williams, "Gaussian Processes for Machine
Learning", 2006, section 4.2; Chiles and Delfiner, "Geostatistics", 2012, section 2.5). Two exponential terms in space
are a nested variogram. Variances are relative to the nugget, whose own variance multiplies all of them.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

SQRT3 = float(np.sqrt(3.0))
Distances = dict[str, np.ndarray]  # by what they are measured in: "space" or "features"


@dataclass(frozen=True)
class Term:
    """One term: what distance is measured in, and the first guess and the limits of its range, in that unit."""

    of: Literal["space", "features"]
    start: float
    low: float
    high: float


@dataclass(frozen=True)
class Covariance:
    """A fitted covariance.

    Attributes:
        terms: what each term is of.
        variance: [t] of each term, relative to the nugget.
        ranges: [t] of each term.
        nugget: variance of an observation that its neighbours say nothing about, in the target's unit squared.
        mean: of the process, by generalised least squares.
    """

    terms: tuple[Term, ...]
    variance: np.ndarray
    ranges: np.ndarray
    nugget: float
    mean: float

    @property
    def sill(self) -> float:
        """Variance of an observation, in the target's unit squared."""
        return self.nugget * (1 + float(self.variance.sum()))

    def of(self, kind: str) -> "Covariance":
        """The terms of space, or of features, alone."""
        kept = [number for number, term in enumerate(self.terms) if term.of == kind]
        terms = tuple(self.terms[number] for number in kept)
        return Covariance(terms, self.variance[kept], self.ranges[kept], self.nugget, self.mean)

    def between(self, distances: Distances) -> np.ndarray:
        """Covariance of different observations at these distances, relative to the nugget."""
        parts = [
            variance * correlation(term, distances[term.of] / length)
            for term, variance, length in zip(self.terms, self.variance, self.ranges, strict=True)
        ]
        return np.sum(parts, axis=0)


def correlation(term: Term, relative: np.ndarray) -> np.ndarray:
    """Correlation at distances relative to the range.

    >>> space = Term("space", 1.0, 0.1, 10.0)
    >>> correlation(space, np.array([0.0, 1.0])).round(3).tolist()
    [1.0, 0.368]
    """
    if term.of == "space":
        return np.exp(-relative)
    z = SQRT3 * relative
    return (1 + z) * np.exp(-z)


def slope(term: Term, relative: np.ndarray, correlated: np.ndarray) -> np.ndarray:
    """Derivative of the correlation by the logarithm of the range."""
    if term.of == "space":
        return relative * correlated
    z = SQRT3 * relative
    return z * z * np.exp(-z)


def distances(places: np.ndarray, features: np.ndarray | None, terms: tuple[Term, ...]) -> Distances:
    """Distances [n, n] between all rows of places [n, 2] and of features [n, k], as far as the terms need them."""
    from scipy.spatial.distance import cdist

    rows = {"space": places, "features": features}
    needed = dict.fromkeys(term.of for term in terms)
    return {of: cdist(own, own) for of in needed if (own := rows[of]) is not None}
