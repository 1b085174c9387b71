"""The mass-preserving spline of a soil profile: from the means of horizons to the mean of any depth.

Quadratic inside horizons, linear between them, continuous with its slope (Bishop, McBratney and Laslett 1999, Modelling
soil attribute depth functions with equal-area quadratic smoothing splines, Geoderma 91).
"""

import numpy as np


def spline_mean(
    tops: np.ndarray, bottoms: np.ndarray, means: np.ndarray, wanted: tuple[float, float], smoothing: float
) -> float:
    """The mean of the spline over the wanted depth, as far as the horizons reach.

    Args:
        tops: upper limits [k], cm, ascending; no horizon begins above the end of the one before.
        bottoms: lower limits [k], cm.
        means: what each horizon has as its mean [k].
        wanted: upper and lower limit, cm; they overlap the horizons.
        smoothing: lambda; 0 keeps the mean of every horizon, more gives a smoother curve.
    """
    first, last = max(wanted[0], tops[0]), min(wanted[1], bottoms[-1])
    if len(tops) == 1:
        return float(means[0])
    kept, slopes = _fitted(tops, bottoms, means, smoothing)
    thick = bottoms - tops
    start, end = np.append(0.0, slopes), np.append(slopes, 0.0)  # of each horizon's slope, above and below
    bend = (end - start) / (2 * thick)
    level = kept - start * thick / 2 - bend * thick**2 / 3
    total = sum(
        _integral(level[i], start[i], bend[i], *(np.clip((first, last), tops[i], bottoms[i]) - tops[i]))
        for i in range(len(tops))
    )
    for i in range(len(tops) - 1):  # the gaps: a line to the next horizon
        limits = np.clip((first, last), bottoms[i], tops[i + 1]) - tops[i + 1]
        total += _integral(level[i + 1], slopes[i], 0.0, *limits)
    return float(total / (last - first))


def _fitted(
    tops: np.ndarray, bottoms: np.ndarray, means: np.ndarray, smoothing: float
) -> tuple[np.ndarray, np.ndarray]:
    """Means of the spline in each horizon [k], and its slopes between them [k - 1]."""
    n = len(means)
    thick, gaps = bottoms - tops, tops[1:] - bottoms[:-1]
    stiff = np.diag(2 * (thick[:-1] + thick[1:]) + 6 * gaps)
    inner = np.arange(n - 2)
    stiff[inner, inner + 1] = stiff[inner + 1, inner] = thick[1:-1]
    steps = np.diff(np.eye(n), axis=0)
    by_means = np.linalg.solve(stiff, steps)
    kept = np.linalg.solve(np.eye(n) + 6 * n * smoothing * steps.T @ by_means, means)
    return kept, 6 * by_means @ kept


def _integral(level: float, slope: float, bend: float, begin: float, end: float) -> float:
    return level * (end - begin) + slope * (end**2 - begin**2) / 2 + bend * (end**3 - begin**3) / 3
