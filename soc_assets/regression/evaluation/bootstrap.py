"""Confidence intervals of scores: a bootstrap that draws whole units, and paired differences between models.

Visits of one place are not independent, and neither are places of one block: units are drawn with replacement, not
samples (cluster bootstrap; Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8). Units
are defined in `soc_assets.regression.bootstrap_units`. Moments of a draw come from sums per unit, so a draw costs one
row of a matrix product; quantiles from the order of all samples, each counted as often as it is drawn. The scores
themselves are in `soc_assets.regression.metrics`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from soc_assets.regression.metrics import Scores, in_logs

DRAWS = 1000
LEVEL = 0.95
_MOST_KEPT = 128 * 2**20  # bytes of draws that are kept; beyond that they are redrawn each time
_AT_ONCE = 4 * 2**20  # numbers that are processed together
_SORTED_AT_ONCE = 2**18  # ... where they are ordered: more than a processor's cache holds takes longer


@dataclass(frozen=True)
class Draws:
    """Draws of units with replacement: how many, of how many units by which seed, and the unit [n] of each sample.

    A draw says how often it has each unit. That is one byte each, and never more than 128 MB: above, draws are made
    again whenever they are asked for, the same ones.
    """

    draws: int
    units: int
    seed: int
    unit: np.ndarray
    kept: tuple[np.ndarray, ...] = ()

    @classmethod
    def of(cls, units: np.ndarray, seed: int, draws: int = DRAWS) -> "Draws":
        """Draw for the samples of these units [n] (locations, blocks); the order of samples does not matter."""
        unique, index = np.unique(np.asarray(units).astype(str), return_inverse=True)
        made = cls(draws, len(unique), seed, index)
        return replace(made, kept=tuple(made.times())) if draws * len(unique) <= _MOST_KEPT else made

    def part(self, rows: np.ndarray) -> "Draws":
        """The same draws restricted to some of the samples (indices or a mask)."""
        return replace(self, unit=self.unit[rows])

    def times(self) -> Iterator[np.ndarray]:
        """How often each unit is drawn, some draws at once: [b, units], together [draws, units]."""
        if self.kept:
            yield from self.kept
            return
        rng, even = np.random.default_rng(self.seed), np.full(self.units, 1 / max(self.units, 1))
        step = max(1, _AT_ONCE // max(self.units, 1))
        for first in range(0, self.draws, step):
            times = rng.multinomial(self.units, even, size=min(step, self.draws - first))
            yield times.astype(np.min_scalar_type(int(times.max(initial=0))))

    def totals(self, values: np.ndarray) -> np.ndarray:
        """Sums of values [n, k] over the samples of each draw, [draws, k]."""
        sums = np.column_stack([np.bincount(self.unit, column, self.units) for column in values.T])
        return np.concatenate([times.astype(float) @ sums for times in self.times()])


def resampled(observed: np.ndarray, predicted: np.ndarray, draws: Draws) -> dict[str, np.ndarray]:
    """Every score but n of every draw, [B] each; NaN in draws where a score is undefined."""
    y, p = np.asarray(observed, float), np.asarray(predicted, float)
    logs = in_logs(y)
    moments = [y, y**2, p, p**2, y * p, np.abs(p - y), (p - y) ** 2, logs, logs**2, (in_logs(p) - logs) ** 2]
    values = np.column_stack([np.ones(len(y)), *moments])
    with np.errstate(divide="ignore", invalid="ignore"):
        totals = draws.totals(values)  # [B, 11]
        my, my2, mp, mp2, myp, mae, mse, ml, ml2, msel = (totals[:, 1:] / totals[:, :1]).T
        vy, vp, covariance = my2 - my**2, mp2 - mp**2, myp - my * mp
        vy, vp, vl = (np.where(v > 1e-12 * scale, v, 0) for v, scale in ((vy, my2), (vp, mp2), (ml2 - ml**2, ml2)))
        lower, upper = drawn_quantiles(y, draws, (0.25, 0.75)).T
        rmse, iqr = np.sqrt(mse), upper - lower
        return {
            "r2": np.where(vy > 0, 1 - mse / vy, np.nan),
            "rmse": rmse,
            "mae": mae,
            "bias": mp - my,
            "rpiq": iqr / rmse,
            "iqr": iqr,
            "ccc": 2 * covariance / (vy + vp + (my - mp) ** 2),
            "squared_pearson": np.where((vy > 0) & (vp > 0), covariance**2 / (vy * vp), np.nan),
            "medae": drawn_quantiles(np.abs(p - y), draws, (0.5,))[:, 0],
            "r2_log": np.where(vl > 0, 1 - msel / vl, np.nan),
        }


def intervals(observed: np.ndarray, predicted: np.ndarray, draws: Draws, level: float = LEVEL) -> dict[str, np.ndarray]:
    """Percentile interval (low, high) of every score but n."""
    return {name: percentile(values, level) for name, values in resampled(observed, predicted, draws).items()}


def percentile(values: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """Low and high [2] of the middle share `level` of the draws; NaN where none is defined."""
    known = values[np.isfinite(values)]
    return np.quantile(known, [(1 - level) / 2, (1 + level) / 2]) if len(known) else np.full(2, np.nan)


@dataclass(frozen=True)
class Difference:
    """Score of a first model minus that of a second on the same samples, and the interval of the paired difference."""

    value: float
    low: float
    high: float

    @property
    def better(self) -> bool:
        """Whether the first is better beyond the interval (for scores where more is better)."""
        return self.low > 0

    @property
    def worse(self) -> bool:
        """Whether the first is worse beyond the interval."""
        return self.high < 0


def paired_difference(
    observed: np.ndarray, first: np.ndarray, second: np.ndarray, draws: Draws, score: str = "r2"
) -> Difference:
    """The difference of a score between two models' predictions [n] of the same samples, drawn together.

    Args:
        observed: [n] g/kg.
        first: [n] predictions of the model that should be better.
        second: [n] predictions of the other.
        draws: of the samples' units.
        score: a field of `Scores`.
    """
    from soc_assets.regression.metrics import scores

    assert score in {field.name for field in fields(Scores)}
    value = getattr(scores(observed, first), score) - getattr(scores(observed, second), score)
    drawn = resampled(observed, first, draws)[score] - resampled(observed, second, draws)[score]
    low, high = percentile(drawn)
    return Difference(float(value), float(low), float(high))


def drawn_quantiles(values: np.ndarray, draws: Draws, shares: Sequence[float]) -> np.ndarray:
    """Quantiles [B, k] of the values [n] of each draw, exactly those of the repeated samples; NaN for an empty draw.

    Args:
        values: one per sample.
        draws: of the samples' units.
        shares: [k] between 0 and 1; as numpy does, by linear interpolation between order statistics.
    """
    order = np.argsort(values, kind="stable")
    ordered, unit = values[order], draws.unit[order]
    if not len(values):
        return np.full((draws.draws, len(shares)), np.nan)
    step = max(1, _SORTED_AT_ONCE // len(values))
    parts = (block[first : first + step] for block in draws.times() for first in range(0, len(block), step))
    return np.concatenate([_quantiles_of(ordered, part[:, unit], np.asarray(shares, float)) for part in parts])


def _quantiles_of(ordered: np.ndarray, times: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Quantiles [b, k] of ordered values [n], each counted as often as `times` [b, n] says.

    The ranks of all draws are laid behind each other, so that one search in one increasing array finds all of them.
    """
    ends = np.cumsum(times, axis=1, dtype=np.int64)  # 1-based rank of the last copy of each value
    start = np.concatenate([[0], np.cumsum(ends[:-1, -1] + 1)])[:, None]
    position = np.maximum(shares * (ends[:, -1:] - 1), 0)
    ranks, first = (ends + start).ravel(), np.arange(len(ends))[:, None] * ends.shape[1]
    at = [np.searchsorted(ranks, start + f(position), side="right") - first for f in (np.floor, np.ceil)]
    below, above = (ordered[np.minimum(index, len(ordered) - 1)] for index in at)
    found = below + (position - np.floor(position)) * (above - below)
    return np.where(ends[:, -1:] > 0, found, np.nan)
