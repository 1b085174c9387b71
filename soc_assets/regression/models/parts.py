"""Parts of a served graph that hold what was fitted in buffers: features, intervals, dissimilarity of places."""

import numpy as np
import torch
from torch import Tensor, nn

from soc_assets.regression.design.reduction import GroupReduction, ReducedGroup
from soc_assets.regression.finetuning.encoded import EncodedWindows
from soc_assets.regression.finetuning.graph import Encoded
from soc_assets.regression.models.applicability import Applicability
from soc_assets.regression.models.conformal import Calibration

_COLUMNS = 4096  # taken to double precision at a time


class Reduced(nn.Module):
    """A group of raw columns [n, d] as reduced features [n, k]: standardised, gaps at the mean, wide ones projected."""

    mean: Tensor
    scale: Tensor
    components: Tensor
    component_scale: Tensor

    def __init__(self, part: GroupReduction):
        super().__init__()
        self.columns, self.projected = len(part.columns), part.components is not None
        for name, values in (("mean", part.mean), ("scale", part.scale)):
            self.register_buffer(name, torch.as_tensor(np.asarray(values), dtype=torch.float32))
        if part.components is not None:
            self.register_buffer("components", torch.as_tensor(part.components, dtype=torch.float32))
            self.register_buffer("component_scale", torch.tensor(part.component_scale, dtype=torch.float64))

    def forward(self, values: Tensor) -> Tensor:
        """As `GroupReduction.transform`: the same numbers, however many rows there are."""
        z = (values - self.mean) / self.scale
        z = torch.where(torch.isnan(z), torch.zeros_like(z), z)
        return (_product(z, self.components) / self.component_scale).float() if self.projected else z


def _product(z: Tensor, components: Tensor) -> Tensor:
    """[n, d] @ [d, k], summed in double precision."""
    parts = zip(z.split(_COLUMNS, dim=1), components.split(_COLUMNS), strict=True)
    return torch.stack([part.double() @ rows.double() for part, rows in parts]).sum(dim=0)


def graph_of_group(part: ReducedGroup) -> nn.Module:
    """A group of raw columns [n, d] to its reduced features [n, k]."""
    if isinstance(part, GroupReduction):
        return Reduced(part)
    assert isinstance(part, EncodedWindows)
    return Encoded(part)


class Reaching(nn.Module):
    """The ends of intervals, from predictions [n] and their spread [n]; transformed target."""

    knots: Tensor
    below: Tensor
    above: Tensor
    residual: Tensor

    def __init__(self, calibration: Calibration):
        super().__init__()
        below, above = calibration.reach
        for name, values in (("knots", calibration.knots), ("below", below), ("above", above)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32))
        self.register_buffer("residual", torch.tensor(calibration.residual, dtype=torch.float32))

    def forward(self, value: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
        """As `Calibration.interval`."""
        scale = torch.hypot(spread, self.residual.expand_as(spread))
        below, above = self._at(value, self.below), self._at(value, self.above)
        return value - below * scale, value + above * scale

    def _at(self, value: Tensor, values: Tensor) -> Tensor:
        """The values [g] of the knots, interpolated at predictions [n]; constant beyond the knots."""
        if len(self.knots) == 1:
            return values.expand_as(value)
        left = torch.bucketize(value, self.knots[1:-1], right=True)
        width = self.knots[left + 1] - self.knots[left]
        share = ((value - self.knots[left]) / width).clamp(0, 1)
        return torch.lerp(values[left], values[left + 1], share)


class Area(nn.Module):
    """The dissimilarity index [n] of features [n, d], and whether it is within the area of applicability."""

    mean: Tensor
    scale: Tensor
    seen: Tensor
    mean_distance: Tensor
    threshold: Tensor

    def __init__(self, area: Applicability):
        super().__init__()
        self.space = Reduced(area.space) if area.space else nn.Identity()
        for name, values in (("mean", area.mean), ("scale", area.scale), ("seen", area.training)):
            self.register_buffer(name, torch.as_tensor(np.asarray(values), dtype=torch.float32))
        for name in ("mean_distance", "threshold"):
            self.register_buffer(name, torch.tensor(getattr(area, name), dtype=torch.float32))

    def forward(self, features: Tensor) -> Tensor:
        """As `Applicability.index`."""
        place = (self.space(features) - self.mean) / self.scale
        nearest = torch.cdist(place, self.seen, compute_mode="donot_use_mm_for_euclid_dist").amin(dim=1)
        return nearest / self.mean_distance

    def inside(self, index: Tensor) -> Tensor:
        """Whether an index is at most the threshold."""
        return index <= self.threshold
