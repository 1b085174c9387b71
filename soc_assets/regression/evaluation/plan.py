"""The list of fits of an evaluation: schemes x folds x models x feature sets, decided before anything is fitted.

Inner folds are the outer ones, merged: what is far away in the scheme is far away inside it, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from soc_assets.errors import TrainingError
from soc_assets.regression.design.design import Design
from soc_assets.regression.evaluation.fold import FoldFit
from soc_assets.regression.models.recipes import CHOSEN, DOCUMENTED, candidates, compared, is_baseline
from soc_assets.sampling.training_part import training_rows
from soc_assets.settings.evaluation import Evaluation, Recipe


@dataclass(frozen=True)
class Plan:
    """Every fit, in the order they are run, and the fold [n] of each sample by scheme (-1: none)."""

    fits: list[FoldFit]
    folds: dict[str, np.ndarray]

    def table(self) -> pd.DataFrame:
        """How many fits there are: scheme, model, features, folds."""
        rows = [(fit.scheme, fit.model, fit.features) for fit in self.fits]
        frame = pd.DataFrame(rows, columns=["scheme", "model", "features"])
        return frame.value_counts(sort=False).rename("folds").reset_index()


def make_plan(
    design: Design, folds: pd.DataFrame, evaluation: Evaluation, documented_features: str, only_baselines: bool = False
) -> Plan:
    """List the fits.

    Args:
        design: samples and features.
        folds: scheme, sample_id, fold.
        evaluation: the settings.
        documented_features: what the documented MLP is fitted on.
        only_baselines: leave out everything that is not a baseline.

    Raises:
        TrainingError: none of the schemes was cut, or the primary one was not.
        SettingsError: a model is not a named recipe.
    """
    by_scheme = {scheme: fold_of_samples(folds, scheme, design) for scheme in _schemes(folds, evaluation)}
    recipes = [
        recipe for recipe in compared(evaluation, documented_features) if is_baseline(recipe) or not only_baselines
    ]
    fits = []
    for scheme, fold in by_scheme.items():
        for number in np.unique(fold[fold >= 0]):
            part = part_of(design, scheme, fold, int(number), evaluation)
            if not len(part[0]):
                raise TrainingError(
                    f"Fold {number} of the scheme {scheme!r} leaves no training sample: set a smaller buffer."
                )
            fits += _fits_of(recipes, scheme, int(number), part, evaluation, only_baselines)
    return Plan(fits, by_scheme)


def _fits_of(
    recipes: Sequence[Recipe],
    scheme: str,
    number: int,
    part: tuple[np.ndarray, np.ndarray, np.ndarray],
    evaluation: Evaluation,
    only_baselines: bool,
) -> list[FoldFit]:
    primary = scheme == evaluation.primary
    fits = [
        FoldFit(scheme, number, recipe.name, (recipe,), *part, dependence=primary)
        for recipe in recipes
        if recipe.name != DOCUMENTED.name or primary
    ]
    if evaluation.chosen and primary and not only_baselines:
        fits.append(FoldFit(scheme, number, CHOSEN, candidates(evaluation), *part, explain=True, dependence=True))
    return fits


def part_of(
    design: Design, scheme: str, fold: np.ndarray, number: int, evaluation: Evaluation
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training rows, their inner folds, and test rows."""
    location = None if scheme == "random" else design.samples["location_id"].to_numpy()
    places, buffer = design.samples[["x", "y"]].to_numpy(), evaluation.buffer if scheme == "block" else 0.0
    train = training_rows(fold, number, location, places, buffer)
    return train, merged(fold[train], evaluation.inner_folds), np.flatnonzero(fold == number)


def merged(fold: np.ndarray, parts: int) -> np.ndarray:
    """Folds [n] merged into at most `parts` of nearly equal size, numbered from 0."""
    unique, index = np.unique(fold, return_inverse=True)
    sizes, load = np.bincount(index), np.zeros(min(parts, len(unique)))
    part = np.empty(len(unique), np.int64)
    for number in np.argsort(-sizes, kind="stable"):
        part[number] = load.argmin()
        load[part[number]] += sizes[number]
    return part[index]


def fold_of_samples(folds: pd.DataFrame, scheme: str, design: Design) -> np.ndarray:
    """The fold [n] of each sample of the design, -1 where it has none."""
    of_scheme = folds[folds["scheme"] == scheme].set_index("sample_id")["fold"]
    return of_scheme.reindex(design.samples["sample_id"]).fillna(-1).to_numpy(np.int64)


def _schemes(folds: pd.DataFrame, evaluation: Evaluation) -> list[str]:
    cut = set(folds["scheme"])
    if evaluation.primary not in cut:
        raise TrainingError(
            f"The primary scheme {evaluation.primary!r} of [evaluation] has no folds "
            f"({', '.join(sorted(cut)) or 'none'} do). Choose another, or see the warnings of "
            "`balanced_samples` why it could not be cut."
        )
    wanted = dict.fromkeys([evaluation.primary, *evaluation.schemes])
    return [scheme for scheme in wanted if scheme in cut]
