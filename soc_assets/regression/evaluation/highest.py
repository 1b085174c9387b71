"""How much of each score hangs on the highest one per cent of the observations, usually peat and its neighbours.

Squared errors grow with the value, so a few samples can decide R2 and RMSE of a skewed target. The same predictions are
scored with and without them; nothing is fitted.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from soc_assets.integrity.schemas.results import HIGHEST_VALUES
from soc_assets.regression.evaluation.scoring import OutOfFold
from soc_assets.regression.metrics import scores

SHARE = 0.01
_METRICS = ("r2", "rmse", "bias", "medae")


def highest(observed: np.ndarray, share: float = SHARE) -> np.ndarray:
    """Which observations [n] are the highest share, rounded up; all that equal the lowest of them are among them.

    >>> highest(np.array([3.0, 9.0, 5.0, 9.0]), share=0.25).tolist()
    [False, True, False, True]
    """
    values = np.asarray(observed, float)
    if not len(values):
        return np.zeros(0, bool)
    count = int(np.ceil(share * len(values) - 1e-9))
    return values >= np.partition(values, len(values) - count)[len(values) - count]


def highest_values(models: Sequence[OutOfFold]) -> pd.DataFrame:
    """Scores of every model without a failed fold, with and without the highest one per cent.

    Returns:
        The columns of `HIGHEST_VALUES`, best R2 first within each scheme; medae is the median absolute error.
    """
    lines = []
    for found in models:
        if found.failed or found.rows.empty:
            continue
        y, p = (found.rows[name].to_numpy(float) for name in ("observed", "predicted"))
        high, squared = highest(y), (p - y) ** 2
        line = {"scheme": found.scheme, "model": found.model, "features": found.features, "baseline": found.baseline}
        line |= {"n": len(y), "highest": int(high.sum()), "from_value": float(y[high].min())}
        every, without = _scores(y, p), _scores(y[~high], p[~high])
        line |= every | {f"{name}_without": value for name, value in without.items()}
        total = float(squared.sum())
        lines.append(line | {"error_share": float(squared[high].sum()) / total if total > 0 else float("nan")})
    table = pd.DataFrame(lines, columns=list(HIGHEST_VALUES.names))
    order = {scheme: place for place, scheme in enumerate(dict.fromkeys(table["scheme"]))}
    ranked = table.assign(place=table["scheme"].map(order)).sort_values(["place", "r2"], ascending=[True, False])
    return ranked.drop(columns="place").reset_index(drop=True)


def _scores(observed: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    found = vars(scores(observed, predicted))
    middle = float(np.median(np.abs(predicted - observed))) if len(observed) else float("nan")
    return {name: middle if name == "medae" else float(found[name]) for name in _METRICS}
