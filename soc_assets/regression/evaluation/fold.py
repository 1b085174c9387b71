"""One fit of an evaluation: a model on the training part of one fold, and its predictions for the test part.

The training part decides everything; of the test part only features are used, and its organic carbon only to compare
with finished predictions. Which fits there are is in `soc_assets.regression.evaluation.plan`, running them in `engine`.
"""

import time
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from soc_assets.regression.design.design import Design
from soc_assets.regression.evaluation.choice import choose
from soc_assets.regression.evaluation.distribution import distribution_scores
from soc_assets.regression.finetuning.start import content_of
from soc_assets.regression.models.applicability import Applicability
from soc_assets.regression.models.documented import DocumentedLearner, area_of_network
from soc_assets.regression.models.explain import column_importance, group_importance, partial_dependence
from soc_assets.regression.models.fitted import FittedModel, Options, fit_recipe
from soc_assets.regression.models.kinds import kind_of
from soc_assets.regression.models.kriging.learner import SpatialLearner
from soc_assets.regression.models.recipes import is_baseline
from soc_assets.settings.evaluation import Recipe
from soc_assets.storage import digest

VERSION = 2  # of the code behind a fit: raise it when the numbers change
CALIBRATION = 3  # of the code behind intervals: fits without them stay as they are
FIELDS = 2  # of the code behind models of space
_FIELDS = {  # fields of a recipe at this version; a later one counts only where it is not at its default
    *("model", "features", "target", "back", "pca", "balance", "hidden", "activation", "dropout", "learning_rate"),
    *("weight_decay", "epochs", "batch_size", "members", "trees", "min_leaf", "max_features", "intervals"),
}


@dataclass(frozen=True)
class FoldFit:
    """A model in one fold.

    Attributes:
        scheme: of the folds.
        number: of the fold held out.
        model: name in the tables.
        recipes: the one to fit, or the candidates to choose from.
        train: rows of the training part.
        inner: inner fold of each of them.
        test: rows of the test part.
        explain: whether importance by group is measured on the test part.
        dependence: whether partial dependence is computed, too. It changes no number of a fit and is not in its
            digest: fits that were stored without it stay valid, and have none.
    """

    scheme: str
    number: int
    model: str
    recipes: tuple[Recipe, ...]
    train: np.ndarray
    inner: np.ndarray
    test: np.ndarray
    explain: bool = False
    dependence: bool = False

    @property
    def features(self) -> str:
        """The feature set, or `chosen`."""
        return self.recipes[0].features if len(self.recipes) == 1 else "chosen"

    @property
    def baseline(self) -> bool:
        """Whether it is one that the MLP has to beat: anything that is not a network."""
        return all(is_baseline(recipe) for recipe in self.recipes)

    def digest(self, design: Design, options: Options) -> str:
        """Digest of everything that decides the result."""
        every = np.concatenate([self.train, self.test])
        samples = design.samples.loc[every, ["sample_id", "organic_carbon"]]
        recipes = [decisive(recipe) for recipe in self.recipes]
        used = {"seed": options.seed, "level": options.level}
        if any(recipe.balance for recipe in self.recipes):
            used["sampling"] = options.sampling.model_dump(include=_BALANCING)
        if any(recipe.model == "documented" for recipe in self.recipes):
            used["training"] = options.training.decisive()
        if any(recipe.model == "documented" and recipe.target != "none" for recipe in self.recipes):
            used["documented"] = "fitted to the transformed target"  # an earlier release transformed back alone
        if on_windows := [content_of(each, options.start) for each in self.recipes if kind_of(each).windows]:
            used["windows"] = on_windows
        return digest.of_values(
            [
                VERSION,
                recipes,
                [design.content(recipe.features) for recipe in self.recipes],
                digest.of_frame(samples),
                [len(self.train), self.inner.tolist(), self.explain],
                used,
            ]
        )


def decisive(recipe: Recipe) -> dict[str, Any]:
    """What of a recipe decides its fit, as plain values: a later field at its default must not invalidate a fit."""
    later = recipe.model_dump(exclude={"name", *_FIELDS}, exclude_defaults=True)
    if recipe.intervals or recipe.model == "documented":
        later["calibration"] = CALIBRATION
    if kind_of(recipe).spatial:
        later["fields"] = FIELDS
    return recipe.model_dump(include=_FIELDS) | later


_CURVES = {"background": 50, "steps": 9}  # of partial dependence in every fold: a few thousand predictions
_BALANCING = {"balance", "bins", "n_bins", "min_ratio", "min_per_bin", "max_multiplicity", "seed"}


@dataclass(frozen=True)
class FoldResult:
    """What a fit says of its test part.

    Attributes:
        predictions: sample_id, observed, predicted, plain, lower, upper (g/kg), target, transformed and scale
            (observed, predicted and stated deviation in the transformed target), interval_score and crps (g/kg) and
            pit of the predicted distribution, dissimilarity and inside (of the area of applicability).
        importance: see `regression.models.explain.group_importance`; empty where it was not asked for.
        facts: recipe fitted, candidates' scores, sizes, the covariance of a model of space, seconds.
        dependence: see `regression.models.explain.partial_dependence`; empty where it was not asked for.
    """

    predictions: pd.DataFrame
    importance: pd.DataFrame
    facts: dict[str, Any]
    dependence: pd.DataFrame = field(default_factory=pd.DataFrame)


def run_fold(fit: FoldFit, design: Design, options: Options) -> FoldResult:
    """Fit and predict."""
    start = time.perf_counter()
    scores: dict[str, float] = {}
    [*others, first] = fit.recipes
    if others:
        chosen = choose(fit.recipes, design, fit.train, fit.inner, options)
        model, scores = chosen.model, chosen.scores
    else:
        model = fit_recipe(first, design, fit.train, fit.inner, options)
    x = model.reduce(design, fit.test)
    found, samples = model.predict(x), design.samples.loc[fit.test]
    observed = samples["organic_carbon"].to_numpy(float)
    predictions = pd.DataFrame(
        {
            "sample_id": samples["sample_id"].to_numpy(),
            "observed": observed,
            "predicted": found.mean,
            "plain": found.plain,
            "lower": found.lower,
            "upper": found.upper,
            "target": model.target.forward(observed),
            "transformed": found.transformed,
            "scale": found.scale,
            **distribution_scores(observed, found.lower, found.upper, options.level, found.quantiles),
            **_applicability(model, design, fit, x, options.seed),
        }
    )
    importance = group_importance(model, design, fit.test, options.seed) if fit.explain else pd.DataFrame()
    curves = partial_dependence(model, design, fit.train, options.seed, **_CURVES) if fit.dependence else pd.DataFrame()
    facts = {
        "recipe": model.recipe.model_dump(mode="json"),
        "scores": scores,
        "train": len(fit.train),
        "test": len(fit.test),
        "inputs": model.reduction.width,
        "power": model.target.power,
        "calibration": asdict(model.calibration) if model.calibration else None,
        "covariance": _covariance(model),
        "seconds": round(time.perf_counter() - start, 3),
    }
    return FoldResult(predictions, importance, facts, curves)


def _covariance(model: FittedModel) -> dict[str, Any] | None:
    """The fitted covariance of a model of space; ranges in space in metres."""
    learner = model.learner
    if not isinstance(learner, SpatialLearner):
        return None
    [places] = [part for part in model.reduction.groups if part.group == "coordinates"]
    found, metres = learner.covariance, 1000 * float(places.scale[0])
    terms = [
        {
            "of": term.of,
            "variance": float(variance * found.nugget),
            "range": float(length * (metres if term.of == "space" else 1)),
        }
        for term, variance, length in zip(found.terms, found.variance, found.ranges, strict=True)
    ]
    return {"nugget": found.nugget, "mean": found.mean, "terms": terms}


def _applicability(model: FittedModel, design: Design, fit: FoldFit, x: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Dissimilarity of the test part, where the model states intervals; NaN elsewhere."""
    if model.calibration is None or model.recipe.model == "documented":
        return {"dissimilarity": np.full(len(x), np.nan), "inside": np.ones(len(x), bool)}
    area = applicability_of(model, design, fit.train, fit.inner, seed)
    index = area.index(x)
    return {"dissimilarity": index, "inside": index <= area.threshold}


def applicability_of(
    model: FittedModel, design: Design, rows: np.ndarray, inner: np.ndarray, seed: int
) -> Applicability:
    """The area of applicability in the model's own reduced features, weighted by their importance.

    That of the documented MLP, whose features are not reduced, is in `soc_assets.regression.models.documented`.
    """
    reduced = model.reduce(design, rows)
    if isinstance(model.learner, DocumentedLearner):
        return area_of_network(model.learner.network, reduced, np.arange(len(rows)), inner, seed)
    return Applicability.fit(reduced, column_importance(model, reduced, seed), inner, seed)
