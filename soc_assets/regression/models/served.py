"""A fitted model as one torch graph from raw features to organic carbon with its interval, to be served anywhere.

Everything that a prediction needs is in buffers: standardisation, components, the members, the back-transform to g/kg,
the calibrated interval, and the training samples that dissimilarity is measured from. The graph needs no class of ours.
Rows that it cannot answer are refused; see `accepted`.
"""

import numpy as np
import torch
from torch import Tensor, nn

from soc_assets.regression.design.gaps import Gaps
from soc_assets.regression.design.target import MOST, Smeared, smeared
from soc_assets.regression.models.accepted import UNANSWERED, Accepted, require
from soc_assets.regression.models.applicability import Applicability
from soc_assets.regression.models.fitted import FittedModel
from soc_assets.regression.models.learners import CLIP, MlpLearner
from soc_assets.regression.models.mlp import SocMlp
from soc_assets.regression.models.recipes import unservable

INTERVAL = ("predicted", "lower", "upper")
APPLICABLE = (*INTERVAL, "dissimilarity", "applicable")


class WithInterval(nn.Module):
    """The documented MLP with an interval of fixed width: columns predicted, lower, upper, g/kg [n, 3]."""

    ends: Tensor

    def __init__(self, network: SocMlp, below: float, above: float, gaps: Gaps | None = None):
        """Put the parts together.

        Args:
            network: fitted.
            below: what the lower end is below the prediction, g/kg.
            above: what the upper end is above it, g/kg.
            gaps: which columns are an image; None recognises missing images only by NaN in all columns.
        """
        super().__init__()
        self.network = network
        self.register_buffer("ends", torch.tensor([0.0, -below, above]))
        mean, scale = (buffer.cpu().numpy() for buffer in (network.feature_mean, network.feature_scale))
        self.accepted = Accepted(mean, scale, gaps or Gaps.unknown(len(mean)))

    def forward(self, features: Tensor) -> Tensor:
        """From raw features [n, d]."""
        self.accepted(features)
        return _answered(self.network.within(self.network(features) + self.ends))


class ServedRecipe(nn.Module):
    """A recipe with its members: columns predicted, lower, upper (g/kg), dissimilarity, applicable (0 or 1) [n, 5].

    Applicable is what is inside the area of applicability and lacks no more images than a training row does.
    """

    feature_mean: Tensor
    feature_scale: Tensor
    residuals: Tensor
    weights: Tensor
    area_mean: Tensor
    area_scale: Tensor
    seen: Tensor

    def __init__(self, model: FittedModel, area: Applicability, gaps: Gaps):
        super().__init__()
        learner = model.learner
        if not isinstance(learner, MlpLearner) or model.calibration is None:
            raise unservable(model.recipe)
        parts = model.reduction.groups
        mean, scale = (np.concatenate([getattr(part, name) for part in parts]) for name in ("mean", "scale"))
        self.accepted, self.most_missing = Accepted(mean, scale, gaps), gaps.most
        self.network, self.kind, self.power = learner.network, model.target.kind, model.target.power
        self.groups = [(len(part.columns), part.components is not None) for part in model.reduction.groups]
        for number, part in enumerate(model.reduction.groups):
            self._keep(f"mean_{number}", part.mean)
            self._keep(f"scale_{number}", part.scale)
            if part.components is not None:
                self._keep(f"components_{number}", part.components / part.component_scale)
        self._keep("feature_mean", learner.mean)
        self._keep("feature_scale", learner.scale)
        stand_in = _residuals(model)
        self._keep("residuals", stand_in.numbers)
        self._keep("weights", stand_in.weights)
        self.target_mean, self.target_scale = learner.target_mean, learner.target_scale
        self.below, self.above, self.residual = (
            getattr(model.calibration, name) for name in ("below", "above", "residual")
        )
        self._keep("area_mean", area.mean)
        self._keep("area_scale", area.scale)
        self._keep("seen", area.training)
        self.mean_distance, self.threshold = area.mean_distance, area.threshold
        self.bounds = [float(v) for v in model.target.forward(np.array([0.0, MOST]))]
        self.most = model.target.most

    def forward(self, features: Tensor) -> Tensor:
        """From the raw columns of the recipe's feature set, in its order, [n, d]."""
        missing, reduced = self.accepted(features), self.reduce(features)
        z = ((reduced - self.feature_mean) / self.feature_scale).clamp(-CLIP, CLIP)
        members = self.network(z) * self.target_scale + self.target_mean  # [S, n]
        value = members.mean(dim=0)
        scale = torch.hypot(members.std(dim=0, correction=0), torch.full_like(value, self.residual))
        predicted = self.back(value[:, None] + self.residuals[None, :]) @ self.weights
        lower, upper = self.back(value - self.below * scale), self.back(value + self.above * scale)
        predicted, lower, upper = (column.clamp(0, self.most) for column in (predicted, lower, upper))
        place = (reduced - self.area_mean) / self.area_scale
        nearest = torch.cdist(place, self.seen, compute_mode="donot_use_mm_for_euclid_dist").amin(dim=1)
        index = nearest / self.mean_distance
        applicable = (index <= self.threshold) & (missing <= self.most_missing)
        return _answered(torch.stack([predicted, lower, upper, index, applicable.to(index.dtype)], dim=1))

    def reduce(self, features: Tensor) -> Tensor:
        """Reduced features [n, k]."""
        parts, start = [], 0
        for number, (width, has_components) in enumerate(self.groups):
            z = (features[:, start : start + width] - self._kept(f"mean_{number}")) / self._kept(f"scale_{number}")
            z = torch.where(torch.isnan(z), torch.zeros_like(z), z)
            parts.append(z @ self._kept(f"components_{number}") if has_components else z)
            start += width
        return torch.cat(parts, dim=1)

    def back(self, transformed: Tensor) -> Tensor:
        """The transformed scale to g/kg, as `Target` does before it limits the result to 0 and `most`."""
        if self.kind == "none":
            return transformed
        inside = transformed.clamp(*self.bounds)
        if abs(self.power) < 1e-6:
            return torch.expm1(inside)
        return (self.power * inside + 1).clamp(min=1e-9) ** (1 / self.power) - 1

    def _keep(self, name: str, values: np.ndarray) -> None:
        self.register_buffer(name, torch.as_tensor(np.asarray(values), dtype=torch.float32))

    def _kept(self, name: str) -> Tensor:
        return getattr(self, name)


def _answered(found: Tensor) -> Tensor:
    """The same, checking that predicted, lower and upper are numbers in every row."""
    require(torch.isfinite(found[:, :3]).all(), UNANSWERED)
    return found


def _residuals(model: FittedModel) -> Smeared:
    """What smearing averages over; a single zero where the plain inverse is wanted."""
    smears = model.recipe.back == "smearing" and model.recipe.target != "none" and model.residuals is not None
    return smeared(model.residuals if smears and model.residuals is not None else np.zeros(1))
