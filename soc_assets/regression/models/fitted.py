"""A recipe fitted on training rows: reduced features, a learner, the back-transform to g/kg, and calibrated intervals.

Everything is fitted on the rows given; the inner folds among them give the held-out residuals that smearing and
calibration need. What is fitted in which fold is in `soc_assets.regression.evaluation.fold`, choosing among recipes
in `choice` beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from soc_assets.regression.design.design import Design
from soc_assets.regression.design.reduction import Reduction, fit_reduction
from soc_assets.regression.design.target import Target
from soc_assets.regression.finetuning.start import Start, content_of
from soc_assets.regression.models.conformal import Calibration
from soc_assets.regression.models.documented import DocumentedLearner, calibrate_documented, fit_documented
from soc_assets.regression.models.kinds import AnyLearner, fit_learner, kind_of
from soc_assets.regression.models.learners import Predicted, SklearnLearner
from soc_assets.regression.models.prediction import HeldOut, Prediction
from soc_assets.runtime.cache import Cache
from soc_assets.sampling.balance import balance
from soc_assets.settings import Sampling, Training
from soc_assets.settings.evaluation import Recipe
from soc_assets.storage import digest


@dataclass(frozen=True)
class Options:
    """What a fit needs besides recipe and rows."""

    seed: int = 42
    level: float = 0.9
    device: str = "cpu"
    sampling: Sampling = field(default_factory=Sampling)
    training: Training = field(default_factory=Training)
    start: Start | None = None
    """The encoder that is fine-tuned, where a recipe does that."""
    scratch: Path | None = None
    """Folder of this machine for what the processes of an evaluation share; None: that of the results."""


@dataclass(frozen=True)
class FittedModel:
    """A fitted recipe; smearing averages over `residuals`: of held-out rows, or out of bag, or of fitted ones."""

    recipe: Recipe
    reduction: Reduction
    target: Target
    learner: AnyLearner | DocumentedLearner
    residuals: np.ndarray | None
    calibration: Calibration | None

    def reduce(self, design: Design, rows: np.ndarray) -> np.ndarray:
        """Features of some rows as the learner takes them."""
        return self.reduction.apply(design, rows)

    def predict(self, reduced: np.ndarray) -> Prediction:
        """Predict from reduced features [m, k]."""
        return self.back(self.learner.predict(reduced))

    def back(self, found: Predicted) -> Prediction:
        """From the transformed target to g/kg, with the interval."""
        residuals = self.residuals if self.recipe.back == "smearing" else None
        mean = self.target.mean(found.value, residuals)
        plain = self.target.inverse(found.value)
        if not self.calibration:
            unknown = np.full(len(mean), np.nan)
            return Prediction(found.value, unknown, mean, plain, unknown, unknown, np.empty((len(mean), 0)))
        known, inverse = self._calibrated(found)
        lower, upper = (inverse(end) for end in self.calibration.interval(known))
        quantiles = inverse(self.calibration.quantiles(known))
        return Prediction(found.value, self.calibration.scale(known), mean, plain, lower, upper, quantiles)

    def _calibrated(self, found: Predicted) -> tuple[Predicted, Callable[[np.ndarray], np.ndarray]]:
        """What the interval is calibrated in, and its back-transform to g/kg: the logarithm for the documented MLP."""
        if not in_logarithm(self.recipe):
            return found, self.target.inverse
        log = Predicted(np.log1p(np.maximum(found.value, 0)), found.spread)
        return log, lambda end: np.clip(np.expm1(end), 0, self.target.most)


def in_logarithm(recipe: Recipe) -> bool:
    """Whether the interval is calibrated in the logarithm though the target is not transformed."""
    return recipe.model == "documented" and recipe.target == "none"


def calibrate(recipe: Recipe, held_out: HeldOut, level: float) -> Calibration:
    """The calibration of a recipe's interval by held-out rows; a process states the whole deviation by itself."""
    if in_logarithm(recipe):
        return calibrate_documented(held_out.observed, held_out.predicted.value, level)
    spatial = kind_of(recipe).spatial
    fold = held_out.fold if spatial else None
    return Calibration.fit(held_out.observed, held_out.predicted, level, whole=spatial, fold=fold)


_RECENT: Cache[HeldOut] = Cache(16 * 2**20)


def fit_recipe(
    recipe: Recipe,
    design: Design,
    rows: np.ndarray,
    inner: np.ndarray,
    options: Options,
    held_out: HeldOut | None = None,
    reduction: Reduction | None = None,
) -> FittedModel:
    """Fit a recipe.

    Args:
        recipe: what to fit.
        design: samples and features.
        rows: [n] of the training part; nothing of any other row is looked at.
        inner: [n] inner fold of each row.
        options: seed, level, device.
        held_out: from `predict_held_out`, if it is there already.
        reduction: fitted on the same rows with the same features, if it is there already.
    """
    oc = design.samples["organic_carbon"].to_numpy(float)[rows]
    target = Target.fit(recipe.target, oc)
    if held_out is None and recipe.model != "documented" and recipe.intervals and len(np.unique(inner)) > 1:
        held_out = predict_held_out(recipe, design, rows, inner, options)
    part = _fit_part(recipe, design, rows, inner, target, options, reduction)
    if recipe.model == "documented":
        held_out = held_out or part.stopped
        calibration = calibrate(recipe, held_out, options.level) if len(held_out.observed) else None
        residuals = held_out.residuals if recipe.target != "none" and len(held_out.observed) else None
        return FittedModel(recipe, part.reduction, target, part.learner, residuals, calibration)
    if held_out is not None:
        calibration = calibrate(recipe, held_out, options.level)
        return FittedModel(recipe, part.reduction, target, part.learner, held_out.residuals, calibration)
    if len(part.stopped.observed):
        return FittedModel(recipe, part.reduction, target, part.learner, part.stopped.residuals, None)
    learner = part.learner
    fitted = learner.fitted if isinstance(learner, SklearnLearner) and not recipe.balance else None
    if fitted is None:
        x = part.reduction.apply(design, rows) if part.reduced is None else part.reduced
        fitted = learner.predict(x).value
    return FittedModel(recipe, part.reduction, target, learner, target.forward(oc) - fitted, None)


@dataclass(frozen=True)
class _Part:
    """What is fitted to a training part, and its reduced features; `stopped` is of the inner fold that stopped it."""

    reduction: Reduction
    learner: AnyLearner | DocumentedLearner
    stopped: HeldOut
    reduced: np.ndarray | None = None


_NOTHING = HeldOut(Predicted(np.empty(0), np.empty(0)), np.empty(0))


def _fit_part(
    recipe: Recipe,
    design: Design,
    rows: np.ndarray,
    inner: np.ndarray,
    target: Target,
    options: Options,
    reduction: Reduction | None = None,
) -> _Part:
    """Fit reduction and learner on training rows, one of their inner folds stopping where the kind needs that."""
    oc = design.samples["organic_carbon"].to_numpy(float)[rows]
    if kind_of(recipe).windows:
        from soc_assets.regression.finetuning.fit import fit_encoder

        y, weight = target.forward(oc), _weights(recipe, oc, options)
        fit = fit_encoder(recipe, design, rows, inner, y, weight, options.start, options.seed, options.device)
        return _Part(fit.reduction, fit.learner, HeldOut(fit.predicted, fit.observed))
    reduction = reduction or _reduction_of(recipe, design, rows, options)
    x = reduction.apply(design, rows)
    if recipe.model == "documented":
        learner, stopped = fit_documented(recipe, x, oc, inner, options.training, options.sampling, target)
        return _Part(reduction, learner, HeldOut(*stopped))
    weight = _weights(recipe, oc, options)
    learner = fit_learner(recipe, x, target.forward(oc), weight, options.seed, options.device)
    return _Part(reduction, learner, _NOTHING, x)


def predict_held_out(recipe: Recipe, design: Design, rows: np.ndarray, inner: np.ndarray, options: Options) -> HeldOut:
    """Predict each inner fold from the others; the transform of the target is that of all rows, to have one scale.

    The last ones are kept: the choice among recipes asks for what was found for the single recipes.
    """
    key = _key(recipe, design, rows, inner, options)
    return _RECENT.get(key, lambda: _predict_held_out(recipe, design, rows, inner, options))


def _key(recipe: Recipe, design: Design, rows: np.ndarray, inner: np.ndarray, options: Options) -> str:
    samples = design.samples.loc[rows, ["sample_id", "organic_carbon"]]
    decisive = [recipe.model_dump(exclude={"name", "intervals"}), design.content(recipe.features), inner.tolist()]
    used = [options.seed, options.sampling.model_dump() if recipe.balance else None]
    used += [options.training.model_dump()] if recipe.model == "documented" else []
    used += [content_of(recipe, options.start)] if kind_of(recipe).windows else []
    return digest.of_values([decisive, digest.of_frame(samples), used])


def _predict_held_out(recipe: Recipe, design: Design, rows: np.ndarray, inner: np.ndarray, options: Options) -> HeldOut:
    oc = design.samples["organic_carbon"].to_numpy(float)[rows]
    target = Target.fit(recipe.target, oc)
    observed = target.forward(oc)
    value, spread = np.empty(len(rows)), np.empty(len(rows))
    for number in np.unique(inner):
        out = inner == number
        part = _fit_part(recipe, design, rows[~out], inner[~out], target, options)
        found = part.learner.predict(part.reduction.apply(design, rows[out]))
        value[out], spread[out] = found.value, found.spread
    return HeldOut(Predicted(value, spread), observed, inner)


def _reduction_of(recipe: Recipe, design: Design, rows: np.ndarray, options: Options) -> Reduction:
    """The reduction of a recipe's features, with places on one scale where distances are measured between them."""
    found = fit_reduction(design, recipe.features, rows, recipe.pca, options.seed)
    return found.with_places_on_one_scale() if kind_of(recipe).spatial else found


def _weights(recipe: Recipe, oc: np.ndarray, options: Options) -> np.ndarray:
    """Weights [n] of training rows, balanced by their own organic carbon where the recipe says so."""
    if not recipe.balance:
        return np.ones(len(oc))
    found = balance(oc, options.sampling, options.seed)
    return (found.multiplicity * found.weight).astype(float)
