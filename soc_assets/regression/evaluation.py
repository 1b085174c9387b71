"""Predictions of a fitted network and their scores, computed once, after training.

The scores themselves are in `soc_assets.regression.metrics`; pictures of them in `soc_assets.regression.plots`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from soc_assets.regression.data import SPLITS, FeatureTable
from soc_assets.regression.metrics import Scores, scores
from soc_assets.regression.training import Fit


@dataclass(frozen=True)
class Evaluation:
    """What a fit predicts, and how well.

    `predictions` has the rows of the feature table (sample_id, split, longitude, latitude, observed, predicted;
    organic carbon in g/kg). `scores` and `baseline` are keyed by split; the baseline predicts the mean of the training
    split for everything, so its R2 is near zero by construction and a model below it has learnt nothing.
    """

    predictions: pd.DataFrame
    scores: dict[str, Scores]
    baseline: dict[str, Scores]

    def of(self, split: str) -> pd.DataFrame:
        """The predictions of one split."""
        return self.predictions.loc[self.predictions["split"] == split, :]


def evaluate_fit(fit: Fit, table: FeatureTable) -> Evaluation:
    """Predict every sample once with the fitted network and score each split.

    Args:
        fit: a finished fit; nothing of it is changed.
        table: the features it was fitted on.
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
    return Evaluation(
        predictions=predictions,
        scores={split: scores(oc, predicted[split]) for split, oc in observed.items()},
        baseline={split: scores(oc, np.full(len(oc), train_mean)) for split, oc in observed.items()},
    )
