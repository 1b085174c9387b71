"""How long fits on windows will take, said before they begin."""

import logging
from collections.abc import Iterable, Sequence

import numpy as np

from soc_assets.regression.design.design import Design
from soc_assets.regression.finetuning.start import Start
from soc_assets.settings.evaluation import ON_WINDOWS, Recipe

_log = logging.getLogger(__name__)
Part = tuple[Recipe, np.ndarray, np.ndarray]
"""A recipe, the rows [n] of a training part, and their inner folds [n]."""


def announce(parts: Iterable[Part], design: Design, start: Start | None, device: str) -> float:
    """Log how long the fits that learn from windows will take at most; the seconds, 0 where there are none.

    A few rows are timed. Early stopping may end a fit sooner.

    Args:
        parts: the fits, also those of other kinds.
        design: samples and features.
        start: the encoder that is fine-tuned.
        device: that trains.

    Raises:
        TrainingError: there is no encoder, or it is too large for a CPU.
    """
    due = [part for part in parts if part[0].model in ON_WINDOWS]
    if not due:
        return 0.0
    from soc_assets.regression.finetuning.fit import seconds_of_a_row

    timed: dict[str, tuple[float, float]] = {}
    total = 0.0
    for recipe, rows, inner in due:
        key = repr(recipe.model_copy(update={"name": "", "features": recipe.features.split("+")[0]}))
        if key not in timed:
            timed[key] = seconds_of_a_row(recipe, design, rows, start, device)
        once, each = timed[key]
        total += (once + each * recipe.epochs) * visited(recipe, inner)
    words = f"{total / 60:,.0f} min" if total < 7200 else f"{total / 3600:,.1f} h"
    _log.info("%d fits learn from windows: at most about %s on %s", len(due), words, device)
    return total


def visited(recipe: Recipe, inner: Sequence[int] | np.ndarray) -> int:
    """Rows of a fit, and of those to the inner folds that an interval needs."""
    folds = len(np.unique(inner)) if recipe.intervals else 0
    return len(inner) * (1 + max(0, folds - 1))
