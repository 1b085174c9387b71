"""Selecting a recipe inside a training part, by its inner folds: the outer test part never has an influence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soc_assets.regression.design.design import Design
from soc_assets.regression.design.target import Target
from soc_assets.regression.metrics import r_squared
from soc_assets.regression.models.fitted import FittedModel, Options, fit_recipe, predict_held_out
from soc_assets.regression.models.prediction import HeldOut
from soc_assets.runtime import progress
from soc_assets.settings.evaluation import Recipe


@dataclass(frozen=True)
class Choice:
    """The recipe chosen, refitted on the whole training part, and the pooled R2 (g/kg) of every candidate."""

    model: FittedModel
    scores: dict[str, float]


def choose(
    candidates: Sequence[Recipe],
    design: Design,
    rows: np.ndarray,
    inner: np.ndarray,
    options: Options,
) -> Choice:
    """Predict the inner folds with every candidate, take the best, and fit it on all rows.

    Args:
        candidates: recipes of different names.
        design: samples and features.
        rows: [n] of the training part.
        inner: [n] inner fold of each row.
        options: seed, level, device.
    """
    scores: dict[str, float] = {}
    best: tuple[Recipe, HeldOut] | None = None
    for done, recipe in enumerate(candidates, start=1):
        held_out = predict_held_out(recipe, design, rows, inner, options)
        scores[recipe.name] = held_out_r2(recipe, design, rows, held_out)
        words = f"{recipe.name}: R2 {scores[recipe.name]:.3f} in the inner folds"
        progress.report(done, len(candidates) + 1, words, unit="step")  # the last is fitting it
        if best is None or scores[recipe.name] > scores[best[0].name]:
            best = recipe, held_out
    assert best is not None
    return Choice(fit_recipe(best[0], design, rows, inner, options, held_out=best[1]), scores)


def held_out_r2(recipe: Recipe, design: Design, rows: np.ndarray, held_out: HeldOut) -> float:
    """R2 in g/kg of the inner folds' predictions, pooled."""
    oc = design.samples["organic_carbon"].to_numpy(float)[rows]
    residuals = held_out.residuals if recipe.back == "smearing" else None
    return r_squared(oc, Target.fit(recipe.target, oc).mean(held_out.predicted.value, residuals))
