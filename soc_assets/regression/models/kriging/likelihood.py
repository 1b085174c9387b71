"""Hyperparameters by maximum marginal likelihood, with its exact gradient.

The mean and the nugget have closed forms (generalised least squares, profiled variance); variances and ranges are
found by L-BFGS. A likelihood of n samples costs n cubed: above `MOST` samples it is the sum over contiguous blocks,
each exact in itself (block composite likelihood; Eidsvik et al., Journal of Computational and Graphical Statistics 23,
2014), over at most `BLOCKS` of them. Blocks are contiguous in space, because short distances say what ranges are.
"""

from dataclasses import dataclass

import numpy as np

from soc_assets.regression.models.kriging.covariance import Covariance, Distances, Term, correlation, distances, slope
from soc_assets.runtime import interrupts

MOST = 1024  # samples of a block
BLOCKS = 8
_ITERATIONS, _ENOUGH = 60, 1e-6  # steps of the optimiser; relative gain of the deviance at which it stops
_LOG_VARIANCE = (-9.0, 9.0)  # of a term relative to the nugget, and so the least share of the nugget: 0.0001


@dataclass(frozen=True)
class _Block:
    """Target [n] and distances [n, n] of samples whose likelihood is computed exactly."""

    y: np.ndarray
    distances: Distances


def fit_covariance(
    places: np.ndarray, features: np.ndarray | None, y: np.ndarray, terms: tuple[Term, ...], seed: int
) -> Covariance:
    """Fit to observations.

    Args:
        places: [n, 2].
        features: [n, k], standardised; None where no term is of them.
        y: [n] the target.
        terms: of the covariance.
        seed: chooses the blocks where there are more than `BLOCKS`.
    """
    from scipy.optimize import minimize

    if np.ptp(y) == 0:
        return Covariance(terms, np.zeros(len(terms)), np.array([term.start for term in terms]), 1e-12, float(y[0]))
    chosen = [
        _Block(y[rows], distances(places[rows], None if features is None else features[rows], terms))
        for rows in _some(contiguous_blocks(places), seed)
    ]
    start = np.array([-0.5] * len(terms) + [np.log(term.start) for term in terms])
    bounds = [_LOG_VARIANCE] * len(terms) + [(np.log(term.low), np.log(term.high)) for term in terms]
    options = {"maxiter": _ITERATIONS, "ftol": _ENOUGH}
    found = minimize(
        lambda theta: deviance(theta, chosen, terms)[:2],
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options=options,
    ).x
    _, _, mean, nugget = deviance(found, chosen, terms)
    return Covariance(terms, np.exp(found[: len(terms)]), np.exp(found[len(terms) :]), nugget, mean)


def deviance(
    theta: np.ndarray, blocks: list[_Block], terms: tuple[Term, ...]
) -> tuple[float, np.ndarray, float, float]:
    """Minus twice the logarithm of the profiled marginal likelihood per sample (but for a constant), and its gradient.

    Args:
        theta: [2 t] logarithms of the terms' variances relative to the nugget, then of their ranges.
        blocks: independent of each other.
        terms: of the covariance.

    Returns:
        The value, its gradient [2 t], the mean and the nugget.
    """
    interrupts.check()
    t, n = len(terms), sum(len(block.y) for block in blocks)
    variance, ranges = np.exp(theta[:t]), np.exp(theta[t:])
    solved = [_solve(block, variance, ranges, terms) for block in blocks]
    weight = [inverse.sum(axis=0) for inverse, *_ in solved]
    mean = sum(w @ block.y for w, block in zip(weight, blocks, strict=True)) / sum(w.sum() for w in weight)
    residuals = [block.y - mean for block in blocks]
    alpha = [inverse @ r for (inverse, *_), r in zip(solved, residuals, strict=True)]
    nugget = max(sum(r @ a for r, a in zip(residuals, alpha, strict=True)) / n, 1e-300)
    gradient = np.zeros(2 * t)
    for (inverse, _, correlated), own, block in zip(solved, alpha, blocks, strict=True):
        inside = inverse - np.outer(own, own / nugget)
        for j, term in enumerate(terms):
            relative = block.distances[term.of] / ranges[j]
            gradient[j] += variance[j] * np.vdot(inside, correlated[j])
            gradient[t + j] += variance[j] * np.vdot(inside, slope(term, relative, correlated[j]))
    value = n * np.log(nugget) + sum(logarithm for _, logarithm, _ in solved)
    return float(value) / n, gradient / n, float(mean), float(nugget)


def _solve(
    block: _Block, variance: np.ndarray, ranges: np.ndarray, terms: tuple[Term, ...]
) -> tuple[np.ndarray, float, list[np.ndarray]]:
    """Inverse [n, n] of a block's covariance relative to the nugget, its log determinant, each term's correlation."""
    from scipy.linalg import get_lapack_funcs

    correlated = [
        correlation(term, block.distances[term.of] / length) for term, length in zip(terms, ranges, strict=True)
    ]
    matrix = np.eye(len(block.y))
    for scale, part in zip(variance, correlated, strict=True):
        matrix += scale * part
    factor, invert = get_lapack_funcs(("potrf", "potri"), (matrix,))
    lower, failed = factor(matrix, lower=1, overwrite_a=1)
    inverse, failed_too = invert(lower, lower=1)
    assert not failed and not failed_too, "a covariance with a nugget is positive definite"
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    return inverse, 2 * float(np.log(np.diag(lower)).sum()), correlated


def contiguous_blocks(places: np.ndarray, most: int = MOST) -> list[np.ndarray]:
    """Rows [m] of each block: places [n, 2] halved at the median of their wider axis until no part exceeds `most`."""

    def split(rows: np.ndarray) -> list[np.ndarray]:
        if len(rows) <= most:
            return [rows]
        own = places[rows]
        order = rows[np.argsort(own[:, np.ptp(own, axis=0).argmax()], kind="stable")]
        return [*split(order[: len(rows) // 2]), *split(order[len(rows) // 2 :])]

    return split(np.arange(len(places)))


def _some(blocks: list[np.ndarray], seed: int) -> list[np.ndarray]:
    chosen = np.random.default_rng(seed).permutation(len(blocks))[:BLOCKS]
    return [blocks[number] for number in np.sort(chosen)]
