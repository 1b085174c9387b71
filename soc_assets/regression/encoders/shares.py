"""Label fractions: the parts of each fold that recipes are fitted on."""

from collections.abc import Iterator

import numpy as np

from soc_assets.regression.design.design import Design
from soc_assets.regression.evaluation.learning_curve import some_locations
from soc_assets.regression.evaluation.plan import merged, part_of
from soc_assets.settings.evaluation import Evaluation

SHARES = (0.1, 0.25, 0.5, 1.0)
"""Of the locations of each training part."""


def parts_by_share(
    design: Design, fold: np.ndarray, settings: Evaluation
) -> Iterator[tuple[int, float, tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """Of every fold and share of the locations the training rows, their inner folds, and the test rows."""
    location = design.samples["location_id"].to_numpy()
    for number in np.unique(fold[fold >= 0]).tolist():
        train, inner, test = part_of(design, settings.primary, fold, number, settings)
        for share in SHARES:
            rows, parts = train, inner
            if share < 1:
                rows = train[some_locations(location[train], share, settings.seed)]
                parts = merged(fold[rows], settings.inner_folds)
            yield number, share, (rows, parts, test)


def mean_locations(design: Design, fold: np.ndarray, share: float, settings: Evaluation) -> float:
    """Mean number of locations of a training part."""
    location, sizes = design.samples["location_id"].to_numpy(), []
    for number in np.unique(fold[fold >= 0]).tolist():
        train, _, _ = part_of(design, settings.primary, fold, number, settings)
        rows = train[some_locations(location[train], share, settings.seed)] if share < 1 else train
        sizes.append(len(np.unique(location[rows])))
    return float(np.mean(sizes))
