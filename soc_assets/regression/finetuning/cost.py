"""How long fits on windows will take, said before they begin."""

import warnings
from collections.abc import Iterable

import numpy as np

from soc_assets.errors import SocWarning
from soc_assets.regression.design.design import Design
from soc_assets.regression.finetuning.start import Start
from soc_assets.settings.evaluation import ON_WINDOWS, Recipe

Part = tuple[Recipe, np.ndarray, np.ndarray]
"""A recipe, the rows [n] of a training part, and their inner folds [n]."""
_PASSES = 3  # through the finished encoder: its statistics, predictions, the area of applicability
_FORWARD = 1 / 3  # of a training step


def estimate(parts: Iterable[Part], design: Design, start: Start | None, device: str) -> tuple[float, str]:
    """Seconds that the fits which learn from windows will take at most, and this in words: 0 and "" without one.

    A few rows are timed, with all processors. Early stopping may end a fit sooner.

    Args:
        parts: the fits, also those of other kinds; `intervals` of a recipe says whether inner folds are fitted, too.
        design: samples and features.
        start: the encoder that is fine-tuned.
        device: that trains.

    Raises:
        TrainingError: there is no encoder, or it is too large for a CPU.
    """
    due = [part for part in parts if part[0].model in ON_WINDOWS]
    if not due:
        return 0.0, ""
    from soc_assets.regression.finetuning.fit import seconds_of_a_row

    timed: dict[str, tuple[float, float]] = {}
    total = 0.0
    for recipe, rows, inner in due:
        key = repr(recipe.model_copy(update={"name": "", "features": recipe.features.split("+")[0]}))
        if key not in timed:
            timed[key] = seconds_of_a_row(recipe, design, rows, start, device)
        once, each = timed[key]
        passes = once + each * recipe.epochs + _PASSES * (once + each * _FORWARD)
        total += passes * visited(recipe, inner)
    _warn_of_random_weights(due, start)
    words = f"{total / 60:,.0f} min" if total < 7200 else f"{total / 3600:,.1f} h"
    many = f"{len(due)} fits learn" if len(due) > 1 else "1 fit learns"
    return total, f"{many} from windows: at most about {words} on {device}"


def visited(recipe: Recipe, inner: np.ndarray) -> int:
    """Rows of a fit, and of those to the inner folds that a choice or an interval needs."""
    folds = len(np.unique(inner)) if recipe.intervals else 0
    return len(inner) * (1 + max(0, folds - 1))


def _warn_of_random_weights(due: Iterable[Part], start: Start | None) -> None:
    if start is not None and "seed" in start.spec.choices["weights"] and any(p[0].model == "finetune" for p in due):
        warnings.warn(
            f"`finetune` starts from weights that are {start.spec.weights}: nothing was learned before. Set checkpoint "
            "in [embedding] of soc.toml; `soc pretrain` makes one.",
            SocWarning,
            stacklevel=4,
        )
