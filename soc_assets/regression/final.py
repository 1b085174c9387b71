"""The model that is registered: a recipe refitted on all samples that may be trained on; the test split predicted once.

The recipe is one of [evaluation], or chosen by the folds of the primary scheme, which also calibrate the interval.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from soc_assets.errors import SettingsError
from soc_assets.integrity.schemas import SPLITS
from soc_assets.regression.design.data import FeatureTable
from soc_assets.regression.design.design import Design
from soc_assets.regression.design.gaps import Gaps
from soc_assets.regression.evaluation.choice import choose
from soc_assets.regression.evaluation.fit_scores import Evaluation
from soc_assets.regression.evaluation.fold import applicability_of
from soc_assets.regression.evaluation.plan import merged
from soc_assets.regression.finetuning.cost import estimate
from soc_assets.regression.metrics import scores
from soc_assets.regression.models.documented import area_of_network
from soc_assets.regression.models.explain import group_importance, partial_dependence
from soc_assets.regression.models.fitted import FittedModel, Options, calibrate, fit_recipe, predict_held_out
from soc_assets.regression.models.kinds import kind_of
from soc_assets.regression.models.prediction import HeldOut
from soc_assets.regression.models.recipes import CHOSEN, candidates, registrable, require_servable
from soc_assets.regression.models.training import Fit
from soc_assets.runtime import progress
from soc_assets.settings.evaluation import Evaluation as EvaluationSettings
from soc_assets.settings.evaluation import Recipe

if TYPE_CHECKING:
    from soc_assets.regression.models.served import ServedDocumented, ServedRecipe

_AT_ONCE = 1024  # rows of raw features
_EXPLAINED = 4096  # rows that importance is measured on, at most
_FOLDS = 3  # of the documented MLP's training rows


@dataclass(frozen=True)
class RecipeFit:
    """The final fit of a recipe.

    Attributes:
        served: the graph that is registered.
        model: the fitted recipe.
        evaluation: predictions and scores by split; those of training and validation samples come from the inner folds,
            from models that have not seen them (and are optimistic only through the choice of the recipe, if there was
            one).
        importance: by group, per sample of the test split (of the training rows where there is none), 4,096 at most.
        dependence: partial dependence.
        columns: of the raw features, in the graph's order.
        example: two rows of raw features.
        facts: what was chosen and how.
        seconds: wall time.
    """

    served: "ServedRecipe"
    model: FittedModel
    evaluation: Evaluation
    importance: pd.DataFrame
    dependence: pd.DataFrame
    columns: pd.DataFrame
    example: np.ndarray
    facts: dict[str, Any]
    seconds: float


def recipe_candidates(name: str, evaluation: EvaluationSettings, tuned: Recipe | None) -> tuple[Recipe, ...]:
    """The recipe of a name, or all candidates where it is to be chosen.

    Raises:
        SettingsError: there is no such recipe.
    """
    if name in ("chosen", CHOSEN):
        return (*candidates(evaluation), *([tuned] if tuned else []))
    known = {**registrable(evaluation), **({"tuned": tuned} if tuned else {})}
    if name not in known:
        raise SettingsError(
            f"recipe = {name!r} in [training] of soc.toml is not a known recipe; known are documented, chosen, "
            f"{', '.join(known)}."
        )
    return (known[name],)


def fit_final(
    recipes: tuple[Recipe, ...],
    design: Design,
    fold: np.ndarray,
    parts: Callable[[np.ndarray], np.ndarray],
    options: Options,
    zeros: Sequence[str] = ("embedding", "point"),
) -> RecipeFit:
    """Choose if need be, fit on every sample with a fold, and predict everything once.

    Args:
        recipes: one, or candidates.
        design: samples and features.
        fold: [n] of the primary scheme, -1 for samples that are not trained on.
        parts: merges folds into inner ones.
        options: seed, level, device.
        zeros: the kinds of features in which zeros stand for what is missing; see `Gaps`.

    Raises:
        TrainingError: a recipe cannot be served; raised before anything is fitted.

    A recipe is fitted as it is compared; its interval is calibrated by the inner folds in any case.
    """
    from soc_assets.regression.models.served import ServedRecipe

    start = time.perf_counter()
    rows = np.flatnonzero(fold >= 0)
    inner = parts(fold[rows])
    require_servable(recipes, len(np.unique(inner)))
    fits = [(each.model_copy(update={"intervals": True}), rows, inner) for each in recipes]
    if words := estimate(fits, design, options.start, options.device)[1]:
        progress.report(0, len(recipes) + 1, words, unit="step")
    model, found = _chosen(recipes, design, rows, inner, options)
    held_out = predict_held_out(model.recipe, design, rows, inner, options)
    model = replace(model, calibration=calibrate(model.recipe, held_out, options.level))
    if kind_of(model.recipe).windows:  # its own residuals are of the fold that has stopped it
        model = replace(model, residuals=held_out.residuals)
    area = applicability_of(model, design, rows, inner, options.seed)
    looked_at = _looked_at(design, rows, options.seed)
    facts = {
        "recipe": model.recipe.name,
        "kind": model.recipe.model,
        "features": model.recipe.features,
        "candidates": found,
        "inputs": model.reduction.width,
        "dissimilarity": f"in {area.measured_in}",
    }
    return RecipeFit(
        served=ServedRecipe(model, area, gaps_of(design, model.recipe.features, rows, zeros)),
        model=model,
        evaluation=_evaluation(model, design, rows, held_out),
        importance=_of_a_sample(group_importance(model, design, looked_at, options.seed), len(looked_at)),
        dependence=partial_dependence(model, design, rows, options.seed),
        columns=design.names(model.recipe.features),
        example=raw_features(design, model.recipe.features, rows[:2]),
        facts=facts,
        seconds=time.perf_counter() - start,
    )


def _chosen(
    recipes: tuple[Recipe, ...], design: Design, rows: np.ndarray, inner: np.ndarray, options: Options
) -> tuple[FittedModel, Any]:
    """The best of several recipes by the inner folds with the scores of all, or the one that there is."""
    [*others, last] = recipes
    if others:
        choice = choose(recipes, design, rows, inner, options)
        return choice.model, choice.scores
    return fit_recipe(last, design, rows, inner, options), {}


def _looked_at(design: Design, rows: np.ndarray, seed: int) -> np.ndarray:
    """Rows that importance is measured on: of the test split, of the training rows where there is none."""
    test = np.flatnonzero((design.samples["split"] == "test").to_numpy())
    found = test if len(test) else rows
    return found if len(found) <= _EXPLAINED else np.sort(np.random.default_rng(seed).permutation(found)[:_EXPLAINED])


def _of_a_sample(importance: pd.DataFrame, n: int) -> pd.DataFrame:
    """Sums over n rows as means, (g/kg)^2."""
    return importance.assign(**{column: importance[column] / n for column in ("permuted", "occluded")})


def serve_documented(
    fit: Fit, table: FeatureTable, evaluation: Evaluation, gaps: Gaps, seed: int
) -> tuple["ServedDocumented", str]:
    """The graph of the documented MLP, and what its dissimilarity is measured in.

    Args:
        fit: finished.
        table: the features it was fitted on.
        evaluation: has its interval.
        gaps: which columns are an image.
        seed: see `area_of_network`.

    The threshold of its area of applicability is found by three folds of locations among the training rows.
    """
    from soc_assets.regression.models.served import ServedDocumented

    rows = table.rows("train")
    fold = merged(pd.factorize(table.location_id[rows])[0], _FOLDS)
    area = area_of_network(fit.network, table.matrix, rows, fold, seed)
    gaps = gaps.of_training(table.matrix[rows[start : start + _AT_ONCE]] for start in range(0, len(rows), _AT_ONCE))
    return ServedDocumented(fit.network, evaluation.calibration, area, gaps), f"in {area.measured_in}"


def raw_features(design: Design, features: str, rows: np.ndarray) -> np.ndarray:
    """Raw columns of a feature set [m, d], in the order that the served graph takes."""
    parts = [design.matrices[group][rows][:, columns] for group, columns in design.positions(features).items()]
    return np.concatenate(parts, axis=1).astype(np.float32)


def gaps_of(design: Design, features: str, rows: np.ndarray, zeros: Sequence[str]) -> Gaps:
    """What training rows lack of a feature set."""
    parts = (raw_features(design, features, rows[start : start + _AT_ONCE]) for start in range(0, len(rows), _AT_ONCE))
    return Gaps.fit(design.names(features), parts, zeros)


def _evaluation(model: FittedModel, design: Design, rows: np.ndarray, held_out: HeldOut) -> Evaluation:
    samples = design.samples
    found = model.predict(model.reduce(design, np.arange(len(samples))))
    unseen = model.back(held_out.predicted)
    for every, part in ((found.mean, unseen.mean), (found.lower, unseen.lower), (found.upper, unseen.upper)):
        every[rows] = part
    predictions = samples[["sample_id", "split", "longitude", "latitude"]].assign(
        observed=samples["organic_carbon"], predicted=found.mean, lower=found.lower, upper=found.upper
    )
    mean = float(samples["organic_carbon"].to_numpy()[rows].mean())
    of = {split: predictions[predictions["split"] == split] for split in SPLITS}
    return Evaluation(
        predictions=predictions,
        scores={split: scores(part["observed"].to_numpy(), part["predicted"].to_numpy()) for split, part in of.items()},
        baseline={split: scores(part["observed"].to_numpy(), np.full(len(part), mean)) for split, part in of.items()},
    )
