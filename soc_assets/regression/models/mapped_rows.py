"""Rows of a memory-mapped matrix, standardised when they are read: for training on features larger than memory.

They stand where the standardised tensor of a split does, and give the same numbers: standardising a row first, with all
others, or when its turn comes are the same operations.
"""

from collections.abc import Iterator

import numpy as np
import torch

from soc_assets.regression.models.mlp import SocMlp


class MappedRows:
    """One split of a mapped matrix, with as much of a tensor as training asks for.

    Args:
        network: has the statistics; they are copied.
        matrix: [n, d] float32.
        rows: [m] of the split.
        device: on which rows are wanted.
    """

    def __init__(self, network: SocMlp, matrix: np.ndarray, rows: np.ndarray, device: torch.device) -> None:
        self._mean, self._scale = network.feature_mean.clone(), network.feature_scale.clone()
        self._matrix, self._rows, self.device = matrix, rows, device

    def __len__(self) -> int:
        return len(self._rows)

    def index_select(self, _: int, index: torch.Tensor) -> torch.Tensor:
        """Rows [b, d] of the split, on the device."""
        return self._read(self._rows[index.cpu().numpy()])

    def split(self, size: int) -> Iterator[torch.Tensor]:
        """All rows, some at a time."""
        for first in range(0, len(self._rows), size):
            yield self._read(self._rows[first : first + size])

    def _read(self, rows: np.ndarray) -> torch.Tensor:
        values = torch.from_numpy(self._matrix[rows])  # indexing copied it
        return values.sub_(self._mean).div_(self._scale).nan_to_num_(nan=0.0).to(self.device)
