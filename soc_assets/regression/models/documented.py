"""The documented MLP inside a fold: its early stopping uses one inner fold, which also calibrates its interval.

The network and its training are those of the asset `mlp_model`; only the rows differ. The validation part has chosen
the epoch, so intervals calibrated on it are slightly too narrow: the evaluation measures by how much.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from soc_assets.regression.design.data import FeatureTable
from soc_assets.regression.models.learners import Predicted
from soc_assets.regression.models.training import fit_mlp
from soc_assets.sampling.balance import balance
from soc_assets.settings import Sampling, Training
from soc_assets.settings.evaluation import Recipe

if TYPE_CHECKING:
    from soc_assets.regression.models.mlp import SocMlp


@dataclass(frozen=True)
class DocumentedLearner:
    """The fitted network; predicts g/kg from the features it was fitted on."""

    network: "SocMlp"

    def predict(self, x: np.ndarray) -> Predicted:
        """g/kg, without a spread."""
        return Predicted(self.network.predict(np.ascontiguousarray(x, np.float32)), np.zeros(len(x)))


def fit_documented(
    recipe: Recipe, x: np.ndarray, oc: np.ndarray, inner: np.ndarray, training: Training, sampling: Sampling
) -> tuple[DocumentedLearner, tuple[Predicted, np.ndarray]]:
    """Fit as [training] says, stop by the first inner fold.

    Args:
        recipe: whether to balance.
        x: [n, d] features of the training part.
        oc: [n] g/kg.
        inner: [n] inner folds; samples of the first validate.
        training: the section [training].
        sampling: how to balance.

    Returns:
        The learner, and what it says of the validation samples with their organic carbon.
    """
    validates = inner == inner.min() if len(np.unique(inner)) > 1 else np.zeros(len(x), bool)
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
        organic_carbon=oc,
        missing_images=zeros,
        matrix=np.ascontiguousarray(x, np.float32),
    )
    learner = DocumentedLearner(fit_mlp(table, training, sampling.balance if recipe.balance else "none").network)
    return learner, (learner.predict(x[validates]), oc[validates])
