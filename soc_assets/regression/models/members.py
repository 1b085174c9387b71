"""Fitted learners as parts of a served graph: from reduced features to the transformed target and its spread.

Each gives what `predict` of its learner gives, from buffers alone.
"""

import numpy as np
import torch
from torch import Tensor, nn

from soc_assets.errors import TrainingError
from soc_assets.regression.models.documented import DocumentedLearner
from soc_assets.regression.models.kinds import AnyLearner
from soc_assets.regression.models.kriging.learner import SpatialLearner
from soc_assets.regression.models.learners import CLIP, MlpLearner, SklearnLearner
from soc_assets.regression.models.trees import Trees, tree_arrays


def graph_of(learner: AnyLearner | DocumentedLearner) -> nn.Module:
    """The learner as a module of reduced features [n, k] that gives the transformed target [n] and its spread [n].

    Raises:
        TrainingError: a learner of this kind has no graph.
    """
    if isinstance(learner, MlpLearner):
        return Members(learner)
    if isinstance(learner, DocumentedLearner):
        return Single(Documented(learner))
    if isinstance(learner, SpatialLearner):
        return OnTrend(graph_of(learner.trend), learner.field) if learner.trend else learner.field
    if isinstance(learner, SklearnLearner):
        if hasattr(learner.estimator, "coef_"):
            return Single(Linear(learner))
        if hasattr(learner.estimator, "estimators_") or hasattr(learner.estimator, "_predictors"):
            return Single(Trees(tree_arrays(learner.estimator)))
    raise TrainingError(
        f"A {type(getattr(learner, 'estimator', learner)).__name__} has no graph that can be registered. "
        "`soc_assets.regression.models.members` is where to add one."
    )


class Members(nn.Module):
    """The networks of an ensemble: their mean and standard deviation."""

    mean: Tensor
    scale: Tensor
    target_mean: Tensor
    target_scale: Tensor

    def __init__(self, learner: MlpLearner):
        super().__init__()
        self.network = learner.network
        for name in ("mean", "scale", "target_mean", "target_scale"):
            self.register_buffer(name, torch.as_tensor(np.asarray(getattr(learner, name)), dtype=torch.float32))

    def forward(self, reduced: Tensor) -> tuple[Tensor, Tensor]:
        """From [n, k]."""
        z = ((reduced - self.mean) / self.scale).clamp(-CLIP, CLIP)
        members = self.network(z) * self.target_scale + self.target_mean  # [S, n]
        return members.mean(dim=0), members.std(dim=0, correction=0)


class OnTrend(nn.Module):
    """A process in space on a trend of the features."""

    def __init__(self, trend: nn.Module, field: nn.Module):
        super().__init__()
        self.trend, self.field = trend, field

    def forward(self, reduced: Tensor) -> tuple[Tensor, Tensor]:
        """From [n, k], the place last."""
        (value, spread), (added, deviation) = self.trend(reduced[:, :-2]), self.field(reduced[:, -2:])
        return value + added, torch.hypot(spread, deviation)


class Single(nn.Module):
    """A model without members: no spread."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, reduced: Tensor) -> tuple[Tensor, Tensor]:
        """From [n, k]."""
        value = self.model(reduced)
        return value, torch.zeros_like(value)


class Linear(nn.Module):
    """Ridge regression."""

    coefficients: Tensor
    intercept: Tensor

    def __init__(self, learner: SklearnLearner):
        super().__init__()
        for name, values in (("coefficients", learner.estimator.coef_), ("intercept", learner.estimator.intercept_)):
            self.register_buffer(name, torch.as_tensor(np.asarray(values), dtype=torch.float32))

    def forward(self, reduced: Tensor) -> Tensor:
        """From [n, k]."""
        return reduced @ self.coefficients + self.intercept


class Documented(nn.Module):
    """The documented MLP, which predicts the target: g/kg, as documented."""

    def __init__(self, learner: DocumentedLearner):
        super().__init__()
        self.network = learner.network

    def forward(self, reduced: Tensor) -> Tensor:
        """From [n, d]."""
        return self.network(reduced)[:, 0]
