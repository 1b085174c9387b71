"""What a served graph accepts: it refuses impossible rows instead of answering them.

A refusal is an error, not a null: the answer of MLflow's server would hold NaN, which is not JSON, with status 200.
"""

import numpy as np
import torch
from torch import Tensor, nn

from soc_assets.regression.design.gaps import Gaps

FARTHEST = 1e6
"""How many times the usual size of a column (1 + |mean| + scale of the training rows) a value may be."""

STRANGE = (
    "Refused: a row of the inputs holds infinity, or a number a million times larger than its column has in training. "
    "What is missing is null (NaN); look for a nodata value that is not declared."
)
NOTHING = "Refused: a row of the inputs holds no image at all: everything is missing. Leave such rows out."
UNANSWERED = "Refused: the model does not give a number for a row of the inputs."


class Accepted(nn.Module):
    """The check of raw features, as a part of the graph."""

    most: Tensor
    image: Tensor
    image_columns: Tensor
    zeros_are_gaps: Tensor

    def __init__(self, mean: np.ndarray, scale: np.ndarray, gaps: Gaps):
        """Learn what is usual.

        Args:
            mean: [d] of the raw columns in training.
            scale: [d] their standard deviation.
            gaps: which columns are an image.
        """
        super().__init__()
        usual = 1 + np.abs(np.asarray(mean, float)) + np.asarray(scale, float)
        self._keep("most", np.minimum(FARTHEST * usual, np.finfo(np.float32).max))
        self._keep("image_columns", gaps.columns)
        self.register_buffer("image", torch.tensor(gaps.image))
        self.register_buffer("zeros_are_gaps", torch.tensor(gaps.zeros))
        self.images = len(gaps.columns) - 1

    def forward(self, features: Tensor) -> Tensor:
        """Missing images [n] of raw features [n, d], as `Gaps.count` finds them.

        Raises:
            RuntimeError: a row holds infinity, an absurd number, or nothing.
        """
        strange = torch.isinf(features) | (features.abs() > self.most)
        require(~strange.any(), STRANGE)
        missing = self.missing(features)
        nothing = torch.isnan(features).all(dim=1)
        if self.images:
            nothing = nothing | (missing == self.images)
        require(~nothing.any(), NOTHING)
        return missing

    def missing(self, features: Tensor) -> Tensor:
        """Missing images [n]."""
        empty = (torch.isnan(features) | ((features == 0) & self.zeros_are_gaps)).to(self.image_columns.dtype)
        found = empty.new_zeros((features.shape[0], self.image_columns.shape[0])).index_add(1, self.image, empty)
        return (found == self.image_columns).sum(dim=1)

    def _keep(self, name: str, values: np.ndarray) -> None:
        self.register_buffer(name, torch.as_tensor(np.asarray(values), dtype=torch.float32))


def require(holds: Tensor, words: str) -> None:
    """Raise a RuntimeError, also from an exported graph; on the CPU, as on a GPU it would end the process."""
    torch.ops.aten._assert_async.msg(holds.cpu(), words)
