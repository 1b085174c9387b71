"""What the score of a single test split is worth: its interval, and what coordinates alone score on the same samples.

The evaluation by folds is what to rely on. This is for the first look, which would else be a bare number: a score of a
few hundred samples has an interval, and a model that place alone equals has learnt nothing from its covariates.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from soc_assets.regression.bootstrap_units import units_of
from soc_assets.regression.design.design import make_design
from soc_assets.regression.evaluation.bootstrap import LEVEL, Draws, percentile, resampled
from soc_assets.regression.metrics import r_squared
from soc_assets.regression.models.fitted import Options, fit_recipe
from soc_assets.regression.models.recipes import COORDINATES

LOW, HIGH, BY_PLACE = "test_r2_low", "test_r2_high", "test_r2_of_coordinates"
"""The metrics of an MLflow run that hold it."""


@dataclass(frozen=True)
class Worth:
    """Of the test split's R2.

    Attributes:
        low: lower end of its 95 % interval, by a bootstrap over locations.
        high: upper end.
        by_place: R2 of a random forest on coordinates alone, fitted on all samples but the test split's.
    """

    low: float
    high: float
    by_place: float

    def metrics(self) -> dict[str, float]:
        """As an MLflow run keeps them."""
        return {LOW: self.low, HIGH: self.high, BY_PLACE: self.by_place}


def judge_test_split(predictions: pd.DataFrame, samples: pd.DataFrame, seed: int) -> Worth | None:
    """Judge the test split's R2; None where it has fewer than two samples or nothing else to fit on.

    Args:
        predictions: sample_id, split, observed and predicted (g/kg), of every sample.
        samples: sample_id, location_id, x and y (metres).
        seed: of the bootstrap and the forest.
    """
    table = predictions.merge(samples, on="sample_id", how="left", validate="one_to_one")
    test = (table["split"] == "test").to_numpy()
    if test.sum() < 2 or test.all():
        return None
    observed, predicted = (table.loc[test, name].to_numpy(float) for name in ("observed", "predicted"))
    units, _ = units_of("location", table.loc[test])
    low, high = percentile(resampled(observed, predicted, Draws.of(units, seed))["r2"], LEVEL)
    design = make_design(table.rename(columns={"observed": "organic_carbon"}), {}, {})
    fitted, held_out = np.flatnonzero(~test), np.flatnonzero(test)
    model = fit_recipe(COORDINATES, design, fitted, np.zeros(len(fitted), np.int64), Options(seed))
    by_place = model.predict(model.reduce(design, held_out)).mean
    return Worth(float(low), float(high), r_squared(observed, by_place))
