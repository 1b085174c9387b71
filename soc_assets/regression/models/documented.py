"""The documented MLP inside a fold: its early stopping uses one inner fold, which also calibrates its interval.

The network and its training are those of the asset `mlp_model`; only the rows differ. The validation part has chosen
the epoch, so intervals calibrated on it are slightly too narrow: the evaluation measures by how much. What each choice
of it costs is measured by recipes that change one (`soc_assets.regression.evaluation.network_choices`): a transformed
target, weight decay, another inner fold that stops it.

Its area of applicability is measured in principal components of the standardised features of its training rows, as many
as a recipe keeps: distances over 20,000 columns, most of them copies of each other, would say little and cost much.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from soc_assets.regression.design.data import FeatureTable
from soc_assets.regression.design.reduction import GroupReduction, fit_components
from soc_assets.regression.design.target import Target
from soc_assets.regression.models.applicability import Applicability
from soc_assets.regression.models.conformal import Calibration
from soc_assets.regression.models.learners import Predicted
from soc_assets.regression.models.training import fit_mlp
from soc_assets.sampling.balance import balance
from soc_assets.settings import Sampling, Training
from soc_assets.settings.evaluation import Recipe

if TYPE_CHECKING:
    from soc_assets.regression.models.mlp import SocMlp

COMPONENTS = 60
"""Principal components that dissimilarity is measured in, or fewer where there are fewer rows or columns."""
_FITTED_TO, _PERMUTED = 4096, 400  # rows


@dataclass(frozen=True)
class DocumentedLearner:
    """The fitted network; predicts the target (g/kg as documented) from the features it was fitted on."""

    network: "SocMlp"

    def predict(self, x: np.ndarray) -> Predicted:
        """The target, without a spread."""
        return Predicted(self.network.predict(np.ascontiguousarray(x, np.float32)), np.zeros(len(x)))


def area_of_network(
    network: "SocMlp", matrix: np.ndarray, rows: np.ndarray, fold: np.ndarray, seed: int
) -> Applicability:
    """The area of applicability in principal components, each weighted by what the network makes of it.

    Args:
        network: fitted.
        matrix: features as the network takes them [n, d]; NaN for gaps.
        rows: [m] that it was fitted on.
        fold: [m] cross-validation fold of each of them; see `Applicability`.
        seed: chooses the 4,096 rows that components are fitted to where there are more, and of the permutations.
    """
    mean, scale = (buffer.numpy() for buffer in (network.feature_mean, network.feature_scale))
    standardised = GroupReduction("features", np.arange(matrix.shape[1]), mean, scale, None)
    rng = np.random.default_rng(seed)
    z = standardised.apply(matrix, np.sort(rng.permutation(rows)[:_FITTED_TO]))
    space = replace(standardised, **_principal(z, seed))
    importance = _importance(network, z[rng.permutation(len(z))[:_PERMUTED]], space, rng)
    return Applicability.fit(space.apply(matrix, rows), importance, fold, seed, space)


def _principal(z: np.ndarray, seed: int) -> dict[str, Any]:
    components, scale, explained = fit_components(z, min(COMPONENTS, *z.shape), seed)
    return {"components": components, "component_scale": scale, "explained": explained}


def _importance(network: "SocMlp", z: np.ndarray, space: GroupReduction, rng: np.random.Generator) -> np.ndarray:
    """Mean squared change [k] of the outputs when the rows' parts along one component are permuted."""
    import torch

    components = torch.from_numpy(space.components)
    with torch.inference_mode():
        rows = torch.from_numpy(z)
        hidden, along = network.first(rows), rows @ components
        pushed = network.first.weight @ components  # [hidden, k]: what a component adds to the first layer
        before = network.rest(hidden)
        importance = np.zeros(along.shape[1])
        for number in range(along.shape[1]):
            by = along[torch.from_numpy(rng.permutation(len(z))), number] - along[:, number]
            changed = network.rest(hidden + by[:, None] * pushed[:, number])
            importance[number] = float(((changed - before) ** 2).mean())
    return importance


def calibrate_documented(observed: np.ndarray, predicted: np.ndarray, level: float) -> Calibration:
    """Calibrate the interval of predictions [n] on samples [n] that the network has not seen, both in g/kg.

    Residuals are taken in the logarithm, as errors grow with organic carbon: an interval of one width in g/kg is far
    too wide for poor soils and too narrow for rich ones.
    """
    log = np.log1p(np.maximum(predicted, 0))
    return Calibration.fit(np.log1p(np.maximum(observed, 0)), Predicted(log, np.zeros(len(log))), level)


def documented_interval(
    calibration: Calibration | None, predicted: np.ndarray, most: float
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end [n] of predictions [n], g/kg from 0 to `most`; all of it without a calibration."""
    if calibration is None:
        return np.zeros(len(predicted)), np.full(len(predicted), most)
    log = Predicted(np.log1p(np.maximum(predicted, 0)), np.zeros(len(predicted)))
    lower, upper = (np.clip(np.expm1(end), 0, most) for end in calibration.interval(log))
    return lower, upper


def fit_documented(
    recipe: Recipe,
    x: np.ndarray,
    oc: np.ndarray,
    inner: np.ndarray,
    training: Training,
    sampling: Sampling,
    target: Target,
) -> tuple[DocumentedLearner, tuple[Predicted, np.ndarray]]:
    """Fit as [training] says, stop by one of the inner folds.

    Args:
        recipe: whether to balance, the weight decay, and which inner fold validates (the first, as documented).
        x: [n, d] features of the training part.
        oc: [n] g/kg.
        inner: [n] inner folds.
        training: the section [training].
        sampling: how to balance.
        target: what the network predicts of organic carbon.

    Returns:
        The learner, and what it says of the validation samples with what is observed there, in the target's scale.
    """
    parts, y = np.unique(inner), target.forward(oc)
    number = parts[recipe.validation_fold % len(parts)]
    validates = inner == number if len(parts) > 1 else np.zeros(len(x), bool)
    multiplicity, weight = np.ones(len(x), np.int64), np.ones(len(x), np.float32)
    if recipe.balance:
        found = balance(oc[~validates], sampling, sampling.seed)
        multiplicity[~validates], weight[~validates] = found.multiplicity, found.weight
    names = np.arange(len(x)).astype(str).astype(object)
    zeros = np.zeros(len(x))
    table = FeatureTable(
        sample_id=names,
        location_id=names,
        split=np.where(validates, "validation", "train").astype(object),
        multiplicity=multiplicity,
        weight=weight,
        longitude=zeros,
        latitude=zeros,
        year=zeros,
        organic_carbon=y,
        missing_images=zeros,
        matrix=np.ascontiguousarray(x, np.float32),
    )
    fit = fit_mlp(table, training, sampling.balance if recipe.balance else "none", decay=recipe.decay)
    learner = DocumentedLearner(fit.network)
    return learner, (learner.predict(x[validates]), y[validates])
