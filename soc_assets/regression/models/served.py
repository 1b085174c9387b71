"""A fitted model as one torch graph from raw features to organic carbon with its interval, to be served anywhere.

Everything that a prediction needs is in buffers: standardisation, components, the learner, the back-transform to g/kg,
the calibrated interval, and the training samples that dissimilarity is measured from. The graph needs no class of ours.
Rows that it cannot answer are refused; see `accepted`.
"""

import numpy as np
import torch
from torch import Tensor, nn

from soc_assets.errors import TrainingError
from soc_assets.regression.design.gaps import Gaps
from soc_assets.regression.design.target import MOST, Smeared, smeared
from soc_assets.regression.models.accepted import UNANSWERED, Accepted, require
from soc_assets.regression.models.applicability import Applicability
from soc_assets.regression.models.conformal import Calibration
from soc_assets.regression.models.fitted import FittedModel, in_logarithm
from soc_assets.regression.models.members import graph_of
from soc_assets.regression.models.mlp import SocMlp
from soc_assets.regression.models.parts import Area, Reaching, graph_of_group

_UNKNOWN = Calibration((0.0,), ((float("inf"),), (float("inf"),)), 1.0, 1.0)
COLUMNS = ("predicted", "lower", "upper", "dissimilarity", "applicable")


class ServedDocumented(nn.Module):
    """The documented MLP with its interval: the columns of `ServedRecipe`."""

    def __init__(self, network: SocMlp, calibration: Calibration | None, area: Applicability, gaps: Gaps):
        """Put the parts together.

        Args:
            network: fitted.
            calibration: of its interval, in the logarithm; None where nothing is known (0 to all that it can predict).
            area: of raw features, in a space of its own.
            gaps: which columns are an image, and how many a training row lacks.
        """
        super().__init__()
        self.network = network
        self.reach = Reaching(calibration or _UNKNOWN)
        mean, scale = (buffer.cpu().numpy() for buffer in (network.feature_mean, network.feature_scale))
        self.accepted, self.area, self.most_missing = Accepted(mean, scale, gaps), Area(area), gaps.most

    def forward(self, features: Tensor) -> Tensor:
        """From raw features [n, d]."""
        missing, index = self.accepted(features), self.area(features)
        applicable = self.area.inside(index) & (missing <= self.most_missing)
        predicted = self.network.within(self.network(features))[:, 0]
        log = torch.log1p(predicted.clamp(min=0))
        lower, upper = (self.network.within(torch.expm1(end)) for end in self.reach(log, torch.zeros_like(log)))
        return _answered(torch.stack([predicted, lower, upper, index, applicable.to(index.dtype)], dim=1))


class ServedRecipe(nn.Module):
    """A fitted recipe: columns predicted, lower, upper (g/kg), dissimilarity, applicable (0 or 1) [n, 5].

    Applicable is what is inside the area of applicability and lacks no more images than a training row does.
    """

    residuals: Tensor
    weights: Tensor

    def __init__(self, model: FittedModel, area: Applicability, gaps: Gaps):
        super().__init__()
        if model.calibration is None:
            raise TrainingError(f"The recipe {model.recipe.name!r} was fitted without a calibrated interval.")
        parts = model.reduction.groups
        mean, scale = (np.concatenate([getattr(part, name) for part in parts]) for name in ("mean", "scale"))
        self.accepted, self.most_missing = Accepted(mean, scale, gaps), gaps.most
        self.groups = nn.ModuleList(graph_of_group(part) for part in parts)
        self.widths = [len(part.columns) for part in parts]
        self.learner, self.area = graph_of(model.learner), Area(area)
        stand_in = _residuals(model)
        self._keep("residuals", stand_in.numbers)
        self._keep("weights", stand_in.weights)
        self.reach, self.in_logarithm = Reaching(model.calibration), in_logarithm(model.recipe)
        self.kind, self.power, self.most = model.target.kind, model.target.power, model.target.most
        self.bounds = [float(v) for v in model.target.forward(np.array([0.0, MOST]))]

    def forward(self, features: Tensor) -> Tensor:
        """From the raw columns of the recipe's feature set, in its order, [n, d]."""
        missing, reduced = self.accepted(features), self.reduce(features)
        value, spread = self.learner(reduced)
        predicted = self.back(value[:, None] + self.residuals[None, :]) @ self.weights
        if self.in_logarithm:
            lower, upper = (torch.expm1(end) for end in self.reach(torch.log1p(value.clamp(min=0)), spread))
        else:
            lower, upper = (self.back(end) for end in self.reach(value, spread))
        predicted, lower, upper = (column.clamp(0, self.most) for column in (predicted, lower, upper))
        index = self.area(reduced)
        applicable = self.area.inside(index) & (missing <= self.most_missing)
        return _answered(torch.stack([predicted, lower, upper, index, applicable.to(index.dtype)], dim=1))

    def reduce(self, features: Tensor) -> Tensor:
        """Reduced features [n, k]."""
        parts = zip(self.groups, features.split(self.widths, dim=1), strict=True)
        return torch.cat([group(values) for group, values in parts], dim=1)

    def back(self, transformed: Tensor) -> Tensor:
        """The transformed scale to g/kg, as `Target` does before it limits the result to 0 and `most`."""
        if self.kind == "none":
            return transformed
        inside = transformed.clamp(*self.bounds)
        if abs(self.power) < 1e-6:
            return torch.expm1(inside)
        return (self.power * inside + 1).clamp(min=1e-9) ** (1 / self.power) - 1

    def _keep(self, name: str, values: np.ndarray | float) -> None:
        self.register_buffer(name, torch.as_tensor(np.asarray(values), dtype=torch.float32))


def _answered(found: Tensor) -> Tensor:
    """The same, checking that predicted, lower and upper are numbers in every row."""
    require(torch.isfinite(found[:, :3]).all(), UNANSWERED)
    return found


def _residuals(model: FittedModel) -> Smeared:
    """What smearing averages over; a single zero where the plain inverse is wanted."""
    smears = model.recipe.back == "smearing" and model.recipe.target != "none" and model.residuals is not None
    return smeared(model.residuals if smears and model.residuals is not None else np.zeros(1))
