"""The semivariogram of values at places: how unlike two samples are on average, by the distance between them.

Estimators: half the mean squared difference (Matheron, Economic Geology 1963), or the robust one of Cressie and Hawkins
(Mathematical Geology 1980). The model is a nugget and an exponential, fitted by least squares weighted with the number
of pairs over the squared distance, as gstat does by default (Pebesma, Computers & Geosciences 2004): the nugget is read
off the shortest distances, whose few pairs would otherwise count for nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

Estimator = Literal["matheron", "cressie-hawkins"]
MOST = 4000  # samples whose pairs are formed: 8 million
_CLASSES = 15
_SPAN = (0.01, 0.99)  # of the places along each axis: one far place does not decide the distance classes
_FEWEST = 30  # pairs of a distance class (Journel and Huijbregts, Mining Geostatistics, 1978)
_ROWS = 256  # samples whose pairs are in memory together
_PRACTICAL = 3.0  # an exponential reaches 95 % of its sill at three times its parameter


@dataclass(frozen=True)
class Semivariogram:
    """Distance classes [k]: mean distance (metres), semivariance (squared unit of the values), number of pairs."""

    distance: np.ndarray
    semivariance: np.ndarray
    pairs: np.ndarray


@dataclass(frozen=True)
class Exponential:
    """nugget + partial_sill * (1 - exp(-3 h / range)).

    Attributes:
        nugget: semivariance at distances that tend to 0; at 0 itself it is 0.
        partial_sill: what distance adds to it.
        range: metres at which 95 % of that is reached; NaN where there is no partial sill.
    """

    nugget: float
    partial_sill: float
    range: float

    @property
    def sill(self) -> float:
        """Nugget and partial sill together: the semivariance of samples that are far apart."""
        return self.nugget + self.partial_sill

    def __call__(self, distance: np.ndarray) -> np.ndarray:
        """Semivariance [k] at distances [k] above 0, metres."""
        if not self.partial_sill:
            return np.full(np.shape(distance), self.nugget)
        return self.nugget + self.partial_sill * _growth(np.asarray(distance, float), self.range)


@dataclass(frozen=True)
class PairSums:
    """Sums over the pairs of each distance class, in all and by group: what every estimate is made of.

    A group's sums [groups, k] are of the pairs that at least one of its samples is in, so that all without them are the
    pairs of a data set without the group.
    """

    pairs: np.ndarray
    distance: np.ndarray
    squares: np.ndarray
    roots: np.ndarray
    by_group: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

    def estimate(self, estimator: Estimator = "matheron", without: int | None = None) -> Semivariogram:
        """The semivariogram, of all samples or without those of a group; classes of fewer than 30 pairs are joined."""
        every = (self.pairs, self.distance, self.squares, self.roots)
        if without is not None:
            every = [total - group[without] for total, group in zip(every, self.by_group, strict=True)]
        pairs, distance, squares, roots = _joined(np.stack(every))
        with np.errstate(invalid="ignore", divide="ignore"):
            found = squares / pairs / 2
            if estimator == "cressie-hawkins":
                found = (roots / pairs) ** 4 / 2 / (0.457 + 0.494 / pairs)
            return Semivariogram(distance / pairs, found, pairs.astype(np.int64))


def semivariogram(
    places: np.ndarray,
    values: np.ndarray,
    *,
    farthest: float | None = None,
    estimator: Estimator = "matheron",
    most: int = MOST,
    seed: int = 0,
) -> Semivariogram:
    """The empirical semivariogram; see `pair_sums` for the arguments, of which `groups` is left out."""
    return pair_sums(places, values, farthest=farthest, most=most, seed=seed).estimate(estimator)


def pair_sums(
    places: np.ndarray,
    values: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    farthest: float | None = None,
    most: int = MOST,
    seed: int = 0,
) -> PairSums:
    """Sums over all pairs of samples at different places, by distance class.

    The classes grow with distance (their ends with its square), as short distances decide the nugget. Pairs at one and
    the same place are in none of them: visits of a place differ for other reasons than distance. Time grows with the
    square of the samples up to `most`, memory with their number.

    Args:
        places: [n, 2] metres.
        values: [n].
        groups: [n] numbers from 0, for sums without a group; None puts all into one.
        farthest: distance up to which there are pairs; None takes a third of the diagonal of all places
            but the outermost hundredth on each side.
        most: of more samples, so many are drawn at random.
        seed: of that draw.
    """
    places, values = np.asarray(places, float), np.asarray(values, float)
    group = np.zeros(len(values), np.int64) if groups is None else np.asarray(groups, np.int64)
    n_groups = int(group.max(initial=0)) + 1
    if farthest is None:
        farthest = float(np.linalg.norm(np.ptp(np.quantile(places, _SPAN, axis=0), axis=0))) / 3 if len(places) else 0.0
    if len(values) > most:
        kept = np.sort(np.random.default_rng(seed).choice(len(values), most, replace=False))
        places, values, group = places[kept], values[kept], group[kept]
    total, by_group = np.zeros((4, _CLASSES)), np.zeros((4, n_groups * _CLASSES))
    for first, second, distance in _pairs(places, farthest):
        number = np.minimum((np.sqrt(distance / farthest) * _CLASSES).astype(np.int64), _CLASSES - 1)
        apart = np.abs(values[first] - values[second])
        one, other = group[first], group[second]
        both = one != other
        for row, weight in enumerate((None, distance, apart**2, np.sqrt(apart))):
            total[row] += np.bincount(number, weight, _CLASSES)
            by_group[row] += np.bincount(one * _CLASSES + number, weight, n_groups * _CLASSES)
            weight = None if weight is None else weight[both]
            by_group[row] += np.bincount((other * _CLASSES + number)[both], weight, n_groups * _CLASSES)
    pairs, lengths, squares, roots = total
    of_pairs, of_lengths, of_squares, of_roots = by_group.reshape(4, n_groups, _CLASSES)
    return PairSums(pairs, lengths, squares, roots, (of_pairs, of_lengths, of_squares, of_roots))


def fit_exponential(found: Semivariogram) -> Exponential | None:
    """The model by weighted least squares; None with fewer than three distance classes.

    Nugget and partial sill are not negative and enter linearly, so that only the range is searched for: between the
    distance of the third class, as variation over shorter distances cannot be told from a nugget, and three times the
    farthest.
    """
    from scipy.optimize import minimize_scalar, nnls

    known = np.isfinite(found.semivariance) & (found.distance > 0)
    if known.sum() < 3:
        return None
    h, gamma, weight = (
        found.distance[known],
        found.semivariance[known],
        np.sqrt(found.pairs[known]) / found.distance[known],
    )

    def solved(log_range: float) -> tuple[np.ndarray, float]:
        columns = np.column_stack([np.ones(len(h)), _growth(h, np.exp(log_range))])
        return nnls(columns * weight[:, None], gamma * weight)

    grid = np.linspace(np.log(h[2]), np.log(3 * h[-1]), 40)
    best = int(np.argmin([solved(value)[1] for value in grid]))
    ends = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    at = minimize_scalar(lambda value: solved(value)[1], bounds=ends, method="bounded").x
    (nugget, partial), _ = solved(at)
    return Exponential(float(nugget), float(partial), float(np.exp(at)) if partial > 0 else float("nan"))


def _growth(distance: np.ndarray, range_: float) -> np.ndarray:
    return 1 - np.exp(-_PRACTICAL * distance / range_)


def _pairs(places: np.ndarray, farthest: float) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Indices [m] of the first and second sample of pairs above 0 and up to `farthest` apart, and their distance."""
    for start in range(0, len(places), _ROWS):
        rows = places[start : start + _ROWS]
        later = places[start:]
        distance = np.hypot(*(rows[:, None, axis] - later[None, :, axis] for axis in (0, 1)))
        first, second = np.nonzero((distance > 0) & (distance <= farthest))
        once = second > first
        first, second = first[once], second[once]
        yield first + start, second + start, distance[first, second]


def _joined(sums: np.ndarray) -> np.ndarray:
    """Sums [4, k], each class of fewer than 30 pairs (row 0) joined to those after it, the last to the one before."""
    joined: list[np.ndarray] = []
    open_ = np.zeros(len(sums))
    for column in sums.T:
        open_ = open_ + column
        if open_[0] >= _FEWEST:
            joined.append(open_)
            open_ = np.zeros(len(sums))
    if open_[0] > 0.5:
        joined = [*joined[:-1], joined[-1] + open_] if joined else [open_]
    return np.array(joined).T if joined else np.zeros((len(sums), 0))
