"""Scores of predictions, and a summary of the target.

R2 is the coefficient of determination (1 - residual over total sum of squares), never a squared correlation, which
would ignore a bias; that one is reported next to it under its own name. RPIQ is the interquartile range of the
observations over the RMSE (Bellon-Maurel et al. 2010), CCC the concordance correlation coefficient (Lin, Biometrics
1989). A few percent of peat decide R2 and RMSE in g/kg; the median absolute error and R2 in the log scale do not depend
on them. Confidence intervals are in `soc_assets.regression.evaluation.bootstrap`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from soc_assets.integrity.schemas import SPLITS
from soc_assets.settings.soil import TAIL_THRESHOLD


@dataclass(frozen=True)
class Scores:
    """How well predictions match observations; errors, bias (mean of predicted - observed) and iqr in their unit.

    `medae` is the median absolute error. `r2_log` is R2 of log1p of both, for observations and predictions in g/kg:
    predictions below 0 count as 0. Without samples all are NaN; r2 and r2_log are NaN as well for fewer than two
    samples or when all observations are equal, and squared_pearson when all predictions are.
    """

    n: int
    r2: float
    rmse: float
    mae: float
    bias: float
    rpiq: float
    iqr: float
    ccc: float
    squared_pearson: float
    medae: float
    r2_log: float


def r_squared(observed: np.ndarray, predicted: np.ndarray) -> float:
    """The coefficient of determination; NaN where it is undefined (fewer than two different observations).

    >>> observed = np.array([10.0, 20.0, 30.0])
    >>> r_squared(observed, observed)
    1.0
    >>> r_squared(observed, observed + 10)  # a perfect correlation, but a large bias
    -0.5
    """
    from sklearn.metrics import r2_score

    if len(observed) < 2 or np.ptp(observed) == 0:
        return float("nan")
    return float(r2_score(observed, predicted))


def scores(observed: np.ndarray, predicted: np.ndarray) -> Scores:
    """Score predictions [n] against observations [n], both in one unit (g/kg, or the transformed target's).

    >>> found = scores(np.array([10.0, 20.0, 30.0]), np.array([12.0, 18.0, 33.0]))
    >>> round(found.rmse, 3), round(found.mae, 3), found.bias, found.medae
    (2.38, 2.333, 1.0, 2.0)
    """
    if len(observed) == 0:
        return Scores(0, *[float("nan")] * 10)
    error = np.asarray(predicted, dtype=np.float64) - observed
    rmse = float(np.sqrt(np.mean(error**2)))
    lower, upper = np.quantile(observed, [0.25, 0.75])
    return Scores(
        n=len(observed),
        r2=r_squared(observed, predicted),
        rmse=rmse,
        mae=float(np.abs(error).mean()),
        bias=float(error.mean()),
        rpiq=float((upper - lower) / rmse) if rmse > 0 else float("nan"),
        iqr=float(upper - lower),
        ccc=_concordance(observed, predicted),
        squared_pearson=_squared_pearson(observed, predicted),
        medae=float(np.median(np.abs(error))),
        r2_log=_determination(in_logs(observed), in_logs(predicted)),
    )


def in_logs(organic_carbon: np.ndarray) -> np.ndarray:
    """log1p of organic carbon [n], g/kg; what is below 0 counts as 0."""
    return np.log1p(np.maximum(np.asarray(organic_carbon, float), 0))


def _determination(observed: np.ndarray, predicted: np.ndarray) -> float:
    """`r_squared` without scikit-learn's checks, which take longer than the arithmetic."""
    spread = ((observed - observed.mean()) ** 2).sum()
    if len(observed) < 2 or np.ptp(observed) == 0:
        return float("nan")
    return float(1 - ((predicted - observed) ** 2).sum() / spread)


def _concordance(observed: np.ndarray, predicted: np.ndarray) -> float:
    """Lin's coefficient, with population moments; NaN where both are one and the same constant."""
    apart = (observed.mean() - predicted.mean()) ** 2
    spread = observed.var() + predicted.var() + apart
    covariance = ((observed - observed.mean()) * (predicted - predicted.mean())).mean()
    return float(2 * covariance / spread) if spread > 0 else float("nan")


def _squared_pearson(observed: np.ndarray, predicted: np.ndarray) -> float:
    if len(observed) < 2 or np.ptp(observed) == 0 or np.ptp(predicted) == 0:
        return float("nan")
    return float(np.corrcoef(observed, predicted)[0, 1] ** 2)


def target_summary(organic_carbon: np.ndarray, split: np.ndarray) -> pd.DataFrame:
    """Organic carbon by split: n, mean, sd, median (g/kg) and share_above_50, one row per split that has samples."""
    summary = summarise_carbon(pd.Series(organic_carbon), pd.Series(split))
    present = [name for name in SPLITS if name in summary.index]
    return summary.loc[present].rename_axis("split").reset_index()


def summarise_carbon(organic_carbon: pd.Series, part: pd.Series) -> pd.DataFrame:
    """Organic carbon [n] by the part that each sample is in: n, mean, sd, median (g/kg) and share_above_50."""
    summary = organic_carbon.groupby(part).agg(
        n="size", mean="mean", sd="std", median="median", share_above_50=lambda oc: (oc > TAIL_THRESHOLD).mean()
    )
    return pd.DataFrame(summary)
