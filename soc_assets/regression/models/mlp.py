"""The MLP: a torch module that takes raw features and returns organic carbon in g/kg.

Standardisation and imputation are part of the module, so that the saved model can be fed straight from the features
view. How it is fitted is in `soc_assets.regression.models.training`. The documented architecture is
19,968 -> 512 -> 256 -> 1 with ReLU and dropout 0.3 after each hidden layer.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn


class SocMlp(nn.Module):
    """Multi-layer perceptron for organic carbon.

    The buffers hold what was fitted on the training split: feature_mean [d], feature_scale [d], target_mean,
    target_scale and target_most, the largest organic carbon (scalars, g/kg). Fresh, they are zeros, ones and infinity.
    """

    feature_mean: Tensor
    feature_scale: Tensor
    target_mean: Tensor
    target_scale: Tensor
    target_most: Tensor

    def __init__(self, n_features: int, hidden: Sequence[int] = (512, 256), dropout: float = 0.3):
        super().__init__()
        widths = (*hidden, 1)
        self.first = nn.Linear(n_features, widths[0])
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.ReLU(), nn.Dropout(dropout), nn.Linear(before, after)]
        self.rest = nn.Sequential(*layers)
        self.register_buffer("feature_mean", torch.zeros(n_features))
        self.register_buffer("feature_scale", torch.ones(n_features))
        self.register_buffer("target_mean", torch.zeros(()))
        self.register_buffer("target_scale", torch.ones(()))
        self.register_buffer("target_most", torch.full((), torch.inf))

    def forward(self, features: Tensor) -> Tensor:
        """Organic carbon, g/kg, [n, 1], from raw features [n, d]; NaN features are taken as the training mean."""
        z = (features - self.feature_mean) / self.feature_scale
        z = torch.where(torch.isnan(z), torch.zeros_like(z), z)
        return self.within(self.hidden(z) * self.target_scale + self.target_mean)

    def within(self, organic_carbon: Tensor) -> Tensor:
        """Organic carbon, g/kg, limited to 0 and the most of the training split (docs/decisions/back-transform.md)."""
        return organic_carbon.clamp(min=0).minimum(self.target_most)

    def hidden(self, standardised: Tensor) -> Tensor:
        """The standardised target [n, 1] from standardised features [n, d] (see `standardise_`)."""
        return self.rest(self.first(standardised))

    def standardise_(self, features: Tensor) -> Tensor:
        """Standardise and impute raw features [n, d] in place, and return them: once, instead of per step."""
        return features.sub_(self.feature_mean).div_(self.feature_scale).nan_to_num_(nan=0.0)

    def predict(self, matrix: np.ndarray, chunk: int = 256) -> np.ndarray:
        """Organic carbon, g/kg, float64 [n], of raw features float32 [n, d]; dropout is off for the call."""
        was_training = self.training
        self.eval()
        with torch.inference_mode():
            parts = [self(torch.tensor(matrix[i : i + chunk]))[:, 0] for i in range(0, len(matrix), chunk)]
        self.train(was_training)
        return torch.cat(parts).double().numpy() if parts else np.empty(0)
