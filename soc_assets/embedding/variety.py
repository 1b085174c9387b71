"""How much the embeddings of a batch vary: which columns are constant, and how many directions a band's vectors span.

Whether embeddings ought to vary is inferred from the point values stored with them: where the rasters are the same
around every sample, equal embeddings are right.

The effective rank is exp(H(p)) with p the singular values of the centred vectors over their sum (Roy and Vetterli,
"The effective rank: a measure of effective dimensionality", EUSIPCO 2007). docs/check.md says what is legitimately low
and how that was measured: pooled by the mean, the stage `patch_embed` is linear and has rank 64 at most, smooth rasters
come near 1.5 and a plane to 1 exactly, since its windows differ by one number; the stage `encoder` exceeds 4 even for
windows of one value each. n vectors have rank n - 1 at most.
"""

from dataclasses import dataclass, field

import numpy as np

LINE = 1.05  # an effective rank below is that of points on a line
SCATTERED = 1.2  # ... and above this the point values are not on one
ENCODER_LEAST = 2.0  # effective rank that vectors of the stage `encoder` exceed even for windows of one value each
ENOUGH = 8  # distinct vectors before the effective rank is judged
MOST_VECTORS = 32  # of a band that the effective rank looks at; products of so few stay on one thread
_MOST_BYTES = 16 * 2**20  # ... and their memory
_ROUNDING = 1e-6  # relative; columns that vary less are constant


@dataclass
class Slot:
    """The vectors of one band and lag, seen chunk by chunk.

    Attributes:
        low: [d] smallest value of each column so far.
        high: [d] largest.
        count: vectors seen.
        point_low: smallest mean over 25 x 25 pixels around the samples, of the band that varies most.
        point_high: largest.
    """

    low: np.ndarray
    high: np.ndarray
    count: int = 0
    point_low: np.ndarray = field(default_factory=lambda: np.array([np.inf]))
    point_high: np.ndarray = field(default_factory=lambda: np.array([-np.inf]))

    @classmethod
    def empty(cls, width: int) -> "Slot":
        """Nothing seen yet of vectors of this length."""
        return cls(np.full(width, np.inf, np.float32), np.full(width, -np.inf, np.float32))

    def see(self, vectors: np.ndarray, points: np.ndarray) -> None:
        """Take in vectors [m, d] and the 25 x 25 means [m, bands] around their samples, NaN where there is none."""
        if len(vectors) == 0:
            return
        self.low, self.high = np.minimum(self.low, vectors.min(axis=0)), np.maximum(self.high, vectors.max(axis=0))
        self.point_low = np.fmin(self.point_low, np.fmin.reduce(points, axis=0))
        self.point_high = np.fmax(self.point_high, np.fmax.reduce(points, axis=0))
        self.count += len(vectors)

    @property
    def finite(self) -> bool:
        """Whether every number seen is finite."""
        return self.count == 0 or bool(np.isfinite(self.low).all() and np.isfinite(self.high).all())

    def constant(self) -> np.ndarray:
        """Which columns [d] are the same in every vector, to rounding."""
        return self.high - self.low <= _ROUNDING * np.maximum(np.abs(self.low), np.abs(self.high))

    def inputs_differ(self, least: np.ndarray) -> bool:
        """Whether the rasters around the samples differ by more than `least` [bands]."""
        return self.count > 1 and bool((self.point_high - self.point_low > least).any())


def stride(samples: int, lags: int, width: int) -> int:
    """Which samples' vectors the effective rank looks at, so that a band has at most `MOST_VECTORS`: every how many."""
    most = max(2, min(MOST_VECTORS, _MOST_BYTES // (4 * width)))
    return max(1, -(-samples * lags // most))


def effective_rank(vectors: np.ndarray) -> float:
    """The effective rank of vectors [m, d] about their mean; 0 where they are all the same, to rounding."""
    wide = vectors.astype(np.float64)
    centred = wide - wide.mean(axis=0)
    gram = centred @ centred.T if len(centred) <= centred.shape[1] else centred.T @ centred
    values = np.linalg.eigvalsh(gram)
    if values[-1] <= _ROUNDING**2 * np.square(wide).sum():
        return 0.0
    singular = np.sqrt(values[values > values[-1] * 1e-10])
    share = singular / singular.sum()
    return float(np.exp(-(share * np.log(share)).sum()))
