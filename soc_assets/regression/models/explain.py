"""Explaining a fitted model: importance by group of features, occlusion of bands, partial dependence.

A group's part of the reduced features is linear in its columns, components included, so that permuting or removing a
band needs no new reduction; of windows that an encoder summarises, the summaries of a band's images are permuted.
Permutation importance after Breiman (Machine Learning 2001), by group; partial dependence after Friedman (Annals of
Statistics 2001).
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from soc_assets.regression.design.design import Design
from soc_assets.regression.models.fitted import FittedModel
from soc_assets.regression.models.learners import SklearnLearner
from soc_assets.runtime import interrupts

_REPEATS = 3
_BACKGROUND = 200  # rows that partial dependence averages over
_STEPS = 15
_PREDICTED_AT_ONCE = 20_000  # rows


def group_importance(model: FittedModel, design: Design, rows: np.ndarray, seed: int) -> pd.DataFrame:
    """How much worse the predictions of some rows become without the information of each group of features.

    Args:
        model: a fitted model.
        design: samples and features.
        rows: [m], best of a test part.
        seed: of the permutations.

    Returns:
        kind (what, band, lag, dynamics, window), group, permuted and occluded: the increase of the squared error
        (g/kg squared) summed over the rows when the group is shuffled among them, and when it is set to its mean.
    """
    observed = design.samples["organic_carbon"].to_numpy(float)[rows]
    reduced = model.reduce(design, rows)
    before = ((model.predict(reduced).mean - observed) ** 2).sum()
    rng, found = np.random.default_rng(seed), []
    for kind, group, part in _parts(model, design, rows):
        interrupts.check()
        without = reduced - part
        occluded = ((model.predict(without).mean - observed) ** 2).sum() - before
        permuted = 0.0
        for _ in range(_REPEATS):
            shuffled = model.predict(without + part[rng.permutation(len(rows))]).mean
            permuted += (((shuffled - observed) ** 2).sum() - before) / _REPEATS
        found.append((kind, group, float(permuted), float(occluded)))
    return pd.DataFrame(found, columns=["kind", "group", "permuted", "occluded"])


def column_importance(model: FittedModel, reduced: np.ndarray, seed: int) -> np.ndarray:
    """Importance [k] of each reduced feature: a forest's own, else the mean squared change when it is permuted."""
    if isinstance(model.learner, SklearnLearner) and hasattr(model.learner.estimator, "feature_importances_"):
        return np.asarray(model.learner.estimator.feature_importances_)
    rng = np.random.default_rng(seed)
    some = reduced[rng.permutation(len(reduced))[: 2 * _BACKGROUND]]
    before, changed = model.learner.predict(some).value, some.copy()
    importance = np.zeros(some.shape[1])
    for column in range(some.shape[1]):
        changed[:, column] = some[rng.permutation(len(some)), column]
        importance[column] = ((model.learner.predict(changed).value - before) ** 2).mean()
        changed[:, column] = some[:, column]
    return importance


def partial_dependence(
    model: FittedModel, design: Design, rows: np.ndarray, seed: int, background: int = _BACKGROUND, steps: int = _STEPS
) -> pd.DataFrame:
    """Mean prediction when one band's point values take given values, all windows together.

    Args:
        model: a fitted model.
        design: samples and features.
        rows: [m] of the training part.
        seed: of the draw of rows.
        background: rows that are averaged over, at most.
        steps: values between the 2nd and the 98th percentile of the band.

    Returns:
        band, lag, value (in standard deviations of the training samples), predicted (g/kg); empty for a model that
        reads no point values.
    """
    rows = rows[np.random.default_rng(seed).permutation(len(rows))[:background]]
    reduced, found = model.reduce(design, rows), []
    names = design.names(model.recipe.features)
    if "point" not in set(names["what"]) or not len(rows):
        return pd.DataFrame(found, columns=["band", "lag", "value", "predicted"])
    start = {part.group: offset for part, offset in zip(model.reduction.groups, _offsets(model), strict=True)}["point"]
    points = names[names["what"] == "point"].reset_index(drop=True)
    groups = [columns for _, columns in points.groupby(["band", "lag"], dropna=False, sort=False)]
    together = max(1, _PREDICTED_AT_ONCE // (steps * len(rows)))  # each call of a forest costs as much as many rows
    for first in range(0, len(groups), together):
        interrupts.check()
        some = groups[first : first + together]
        places = [start + columns.index.to_numpy() for columns in some]
        values = [np.linspace(*_ends(reduced[:, place[0]]), steps) for place in places]
        changed = np.tile(reduced, (len(some), steps, 1, 1))
        for part, place, grid in zip(changed, places, values, strict=True):
            part[:, :, place] = grid[:, None, None]
        means = model.predict(changed.reshape(-1, reduced.shape[1])).mean.reshape(len(some), steps, -1).mean(axis=2)
        for columns, grid, of_grid in zip(some, values, means, strict=True):
            band, lag = columns["band"].iloc[0], columns["lag"].iloc[0]
            found += [(band, lag, float(value), float(mean)) for value, mean in zip(grid, of_grid, strict=True)]
    return pd.DataFrame(found, columns=["band", "lag", "value", "predicted"])


def _ends(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, [0.02, 0.98])
    return float(low), float(high)


def _parts(model: FittedModel, design: Design, rows: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    """Kind, group, and what the group adds to the reduced features [m, k] of the rows."""
    names = design.names(model.recipe.features)
    names = names.assign(
        dynamics=np.where(names["lag"].isna(), "static", "dynamic"), lag=names["lag"].astype("string").fillna("static")
    )
    for kind in ("what", "band", "lag", "dynamics", "window"):
        groups = names.groupby(kind, sort=False).groups
        if len(groups) > 1:
            for group, members in groups.items():
                chosen = np.isin(np.arange(len(names)), members.to_numpy())
                yield kind, str(group), _contribution(model, design, rows, chosen)


def _contribution(model: FittedModel, design: Design, rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Reduced features [m, k] of the chosen columns alone (a mask over the feature set), the others at their mean."""
    parts, start = [], 0
    for part in model.reduction.groups:
        mine = np.flatnonzero(chosen[start : start + len(part.columns)])
        start += len(part.columns)
        parts.append(part.contribution(design.matrices[part.group], rows, mine))
    return np.concatenate(parts, axis=1)


def _offsets(model: FittedModel) -> list[int]:
    widths = [part.width for part in model.reduction.groups]
    return [sum(widths[:number]) for number in range(len(widths))]
