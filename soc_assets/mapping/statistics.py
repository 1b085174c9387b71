"""Statistics of a layer, tile by tile, in memory that does not grow with the map."""

from dataclasses import dataclass, field

import numpy as np

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_BINS = 200_000


@dataclass
class Running:
    """Count, mean, standard deviation, ends and quantiles of values that come in parts.

    Attributes:
        width: of a bin, in the values' unit: quantiles are exact to half of it, up to 200,000 bins.
        least: where the first bin begins.
    """

    width: float
    least: float = 0.0
    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    low: float = float("inf")
    high: float = float("-inf")
    _bins: np.ndarray = field(default_factory=lambda: np.zeros(_BINS, np.int64))

    def add(self, values: np.ndarray) -> None:
        """Take in the values that are numbers."""
        known = values[np.isfinite(values)].astype(np.float64)
        if not len(known):
            return
        self.count += len(known)
        self.total += float(known.sum())
        self.squares += float(known @ known)
        self.low, self.high = min(self.low, float(known.min())), max(self.high, float(known.max()))
        np.add.at(self._bins, np.clip((known - self.least) / self.width, 0, _BINS - 1).astype(np.int64), 1)

    def facts(self) -> dict[str, object]:
        """As plain values; no number where nothing was taken in."""
        if not self.count:
            return {"count": 0}
        mean = self.total / self.count
        deviation = max(self.squares / self.count - mean**2, 0.0) ** 0.5
        facts = {"count": self.count, "mean": mean, "std": deviation, "min": self.low, "max": self.high}
        return {**facts, "quantiles": {f"{share:g}": self.quantile(share) for share in QUANTILES}}

    def quantile(self, share: float) -> float:
        """The value below which a share of all lie."""
        position = int(np.searchsorted(np.cumsum(self._bins), share * self.count))
        return float(np.clip(self.least + (position + 0.5) * self.width, self.low, self.high))
