"""What the scores of a single split are worth: their intervals, and what coordinates alone score on the test split.

The evaluation by folds is what to rely on. This is for the first look, which would else be a bare number: the R2 of a
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

LOW, HIGH = "{split}_r2_low", "{split}_r2_high"
BY_PLACE = "test_r2_of_coordinates"
"""The metrics of an MLflow run that hold it."""


@dataclass(frozen=True)
class Worth:
    """Of the R2 of the splits that were held out.

    Attributes:
        intervals: lower and upper end of the 95 % interval by split, by a bootstrap over locations. That of the
            validation split, by which training was stopped, is a little too high.
        by_place: R2 on the test split of a random forest of 100 trees on coordinates alone, fitted on all others.
    """

    intervals: dict[str, tuple[float, float]]
    by_place: float

    def metrics(self) -> dict[str, float]:
        """As an MLflow run keeps them."""
        found = {BY_PLACE: self.by_place}
        for split, (low, high) in self.intervals.items():
            found |= {LOW.format(split=split): low, HIGH.format(split=split): high}
        return found


def judge_splits(predictions: pd.DataFrame, samples: pd.DataFrame, seed: int) -> Worth | None:
    """Judge the R2 of the splits; None where there are fewer than two test samples or nothing else to fit on.

    Args:
        predictions: sample_id, split, observed and predicted (g/kg), of every sample.
        samples: sample_id, location_id, x and y (metres).
        seed: of the bootstrap and the forest.
    """
    table = predictions.merge(samples, on="sample_id", how="left", validate="one_to_one")
    test = (table["split"] == "test").to_numpy()
    if test.sum() < 2 or test.all():
        return None
    held_out = {split: table[table["split"] == split] for split in ("test", "validation")}
    intervals = {split: _interval(part, seed) for split, part in held_out.items() if len(part) > 1}
    return Worth(intervals, _r2_of_place(table, test, seed))


def _interval(part: pd.DataFrame, seed: int) -> tuple[float, float]:
    observed, predicted = (part[name].to_numpy(float) for name in ("observed", "predicted"))
    units, _ = units_of("location", part)
    low, high = percentile(resampled(observed, predicted, Draws.of(units, seed))["r2"], LEVEL)
    return float(low), float(high)


def _r2_of_place(table: pd.DataFrame, test: np.ndarray, seed: int) -> float:
    design = make_design(table.rename(columns={"observed": "organic_carbon"}), {}, {})
    fitted, held_out = np.flatnonzero(~test), np.flatnonzero(test)
    forest = COORDINATES.model_copy(update={"trees": 100})  # more change nothing that can be seen, and take seconds
    model = fit_recipe(forest, design, fitted, np.zeros(len(fitted), np.int64), Options(seed))
    predicted = model.predict(model.reduce(design, held_out)).mean
    return r_squared(table["observed"].to_numpy(float)[held_out], predicted)
