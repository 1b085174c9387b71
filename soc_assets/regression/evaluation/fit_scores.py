"""Predictions of a fitted network and their scores, computed once, after training.

The scores themselves are in `soc_assets.regression.metrics`, plots of them in `soc_assets.regression.report.fit_plots`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from soc_assets.integrity.schemas import SPLITS
from soc_assets.regression.design.data import FeatureTable
from soc_assets.regression.metrics import Scores, scores
from soc_assets.regression.models.conformal import Calibration
from soc_assets.regression.models.documented import calibrate_documented, documented_interval
from soc_assets.regression.models.training import Fit

if TYPE_CHECKING:
    from soc_assets.regression.evaluation.single_split import Worth


@dataclass(frozen=True)
class Evaluation:
    """What a fit predicts, and how well.

    `predictions` has a row per sample (sample_id, split, longitude, latitude, observed, predicted, lower, upper;
    organic carbon in g/kg). `scores` and `baseline` are keyed by split; the baseline predicts the mean of the training
    split for everything, so its R2 is near zero by construction and a model below it has learnt nothing. `calibration`
    is that of the interval, in the logarithm of organic carbon: made on the validation split, which has also chosen the
    epoch, so it is slightly too narrow. Without one nothing is known, and the interval is all that can be predicted,
    from 0 to the most of the training split. `worth` is of the test split's R2.
    """

    predictions: pd.DataFrame
    scores: dict[str, Scores]
    baseline: dict[str, Scores]
    calibration: Calibration | None = None
    worth: "Worth | None" = None

    def of(self, split: str) -> pd.DataFrame:
        """The predictions of one split."""
        return self.predictions.loc[self.predictions["split"] == split, :]


def evaluate_fit(fit: Fit, table: FeatureTable, level: float = 0.9) -> Evaluation:
    """Predict every sample once with the fitted network and score each split.

    Args:
        fit: a finished fit; nothing of it is changed.
        table: the features it was fitted on.
        level: share of samples that the interval should cover.
    """
    predictions = pd.DataFrame(
        {
            "sample_id": table.sample_id,
            "split": table.split,
            "longitude": table.longitude,
            "latitude": table.latitude,
            "observed": table.organic_carbon,
            "predicted": fit.network.predict(table.matrix),
        }
    )
    train_mean = table.organic_carbon[table.rows("train")].mean()
    observed = {split: table.organic_carbon[table.rows(split)] for split in SPLITS}
    predicted = {split: predictions["predicted"].to_numpy()[table.rows(split)] for split in SPLITS}
    validated = len(observed["validation"]) > 0
    calibration = calibrate_documented(observed["validation"], predicted["validation"], level) if validated else None
    lower, upper = documented_interval(
        calibration, predictions["predicted"].to_numpy(float), float(fit.network.target_most)
    )
    return Evaluation(
        predictions=predictions.assign(lower=lower, upper=upper),
        scores={split: scores(oc, predicted[split]) for split, oc in observed.items()},
        baseline={split: scores(oc, np.full(len(oc), train_mean)) for split, oc in observed.items()},
        calibration=calibration,
    )
