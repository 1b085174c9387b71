"""Affine forms of raw features: what a model's graph computes before its first step that is not affine.

A form holds numbers in double precision. `Diagonal` picks columns and scales each, `Dense` is a product with a matrix;
how they follow from a graph is in `graph`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Diagonal:
    """Columns of the raw features, each scaled: x * scale + offset, or `fill` where the feature is NaN.

    Attributes:
        columns: [k] positions in the raw features.
        scale: [k].
        offset: [k].
        fill: [k], or None where NaN stays NaN.
    """

    columns: np.ndarray
    scale: np.ndarray
    offset: np.ndarray
    fill: np.ndarray | None = None

    @classmethod
    def identity(cls, width: int) -> "Diagonal":
        """The raw features as they are."""
        return cls(np.arange(width), np.ones(width), np.zeros(width))

    @property
    def width(self) -> int:
        """Columns that come out, k."""
        return len(self.columns)

    def take(self, part: slice | np.ndarray) -> "Diagonal":
        """Some of the columns."""
        fill = None if self.fill is None else self.fill[part]
        return Diagonal(self.columns[part], self.scale[part], self.offset[part], fill)

    def times(self, factor: np.ndarray) -> "Diagonal":
        """Multiplied by a number or by [k]."""
        fill = None if self.fill is None else self.fill * factor
        return Diagonal(self.columns, self.scale * factor, self.offset * factor, fill)

    def plus(self, summand: np.ndarray) -> "Diagonal":
        """Plus a number or [k]."""
        fill = None if self.fill is None else self.fill + summand
        return replace(self, offset=self.offset + summand, fill=fill)

    def filled(self, value: float) -> "Diagonal":
        """With a number where the feature is NaN."""
        return replace(self, fill=np.full(self.width, value)) if self.fill is None else self

    def dense(self, matrix: np.ndarray | None = None, constant: np.ndarray | float = 0.0) -> "Dense":
        """Times a matrix [k, m] (None: each column stays one), plus a constant [m]."""
        matrix = np.eye(self.width) if matrix is None else np.asarray(matrix, np.float64)
        return Dense(self, matrix, np.zeros(matrix.shape[1]) + constant)


@dataclass(frozen=True)
class Dense:
    """A diagonal form times a matrix [k, m], plus a constant [m]."""

    diagonal: Diagonal
    matrix: np.ndarray
    constant: np.ndarray

    @property
    def width(self) -> int:
        """Columns that come out, m."""
        return self.matrix.shape[1]

    def times(self, factor: np.ndarray) -> "Dense":
        """Multiplied by a number or by [m]."""
        return replace(self, matrix=self.matrix * factor, constant=self.constant * factor)


def concatenated(parts: list[Diagonal | Dense]) -> Dense:
    """Forms side by side."""
    dense = [part.dense() if isinstance(part, Diagonal) else part for part in parts]
    rows, columns = (np.cumsum([0, *(part.matrix.shape[axis] for part in dense)]) for axis in (0, 1))
    matrix = np.zeros((rows[-1], columns[-1]))
    for number, part in enumerate(dense):
        matrix[rows[number] : rows[number + 1], columns[number] : columns[number + 1]] = part.matrix
    fills = [part.diagonal.fill for part in dense]
    whole = Diagonal(
        np.concatenate([part.diagonal.columns for part in dense]),
        np.concatenate([part.diagonal.scale for part in dense]),
        np.concatenate([part.diagonal.offset for part in dense]),
        None if any(fill is None for fill in fills) else np.concatenate([fill for fill in fills if fill is not None]),
    )
    return Dense(whole, matrix, np.concatenate([part.constant for part in dense]))


def summed(parts: Sequence[Diagonal | Dense]) -> Dense | None:
    """The sum of forms of one width, each of columns of its own; None where one has no matrix or keeps NaN."""
    dense = [part for part in parts if isinstance(part, Dense) and part.diagonal.fill is not None]
    if len(dense) < len(parts) or len({part.width for part in dense}) != 1:
        return None
    names = ("columns", "scale", "offset", "fill")
    whole = Diagonal(*(np.concatenate([getattr(part.diagonal, name) for part in dense]) for name in names))
    return Dense(whole, np.concatenate([part.matrix for part in dense]), np.sum([p.constant for p in dense], axis=0))
