"""How the distribution of organic carbon moved since the samples were last built.

Only the numbers and the verdict; where the former samples come from is decided by the asset.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from soc_assets.settings.soil import TAIL_THRESHOLD

_LARGEST_STEP = 0.05  # Kolmogorov-Smirnov distance that is worth a warning
_CRITICAL = 1.63  # times sqrt((n + m) / (n m)): the distance that chance exceeds in 1 of 100 cases


@dataclass(frozen=True)
class Drift:
    """Organic carbon before and now."""

    table: pd.DataFrame
    """measure, before, now: samples, median, quartiles' distance (g/kg), share above `TAIL_THRESHOLD`."""
    distance: float
    """Largest difference between the two cumulated distributions (Kolmogorov-Smirnov), 0 to 1."""
    drifted: bool
    """Whether the difference is both noticeable and beyond chance."""

    def in_words(self) -> str:
        """Before and after, in one line."""
        parts = [f"{name} {before:g} -> {now:g}" for name, before, now in self.table.itertuples(index=False)]
        return f"{'; '.join(parts)}; Kolmogorov-Smirnov distance {self.distance:.3f}"


def carbon_drift(before: pd.Series, now: pd.Series) -> Drift:
    """Compare organic carbon (g/kg) of the former samples [n] and of the new ones [m], neither empty."""
    from scipy.stats import ks_2samp

    old, new = before.to_numpy(float), now.to_numpy(float)
    test: Any = ks_2samp(old, new, method="asymp")
    distance = float(test.statistic)
    chance = _CRITICAL * float(np.sqrt((len(old) + len(new)) / (len(old) * len(new))))
    names = ("samples", "median g/kg", "IQR g/kg", f"share above {TAIL_THRESHOLD:g} g/kg")
    table = pd.DataFrame({"measure": names, "before": _measures(old), "now": _measures(new)})
    return Drift(table, distance, distance > max(_LARGEST_STEP, chance))


def _measures(carbon: np.ndarray) -> list[float]:
    low, middle, high = np.percentile(carbon, (25, 50, 75))
    return [
        float(len(carbon)),
        *(round(float(value), 3) for value in (middle, high - low, (carbon > TAIL_THRESHOLD).mean())),
    ]
