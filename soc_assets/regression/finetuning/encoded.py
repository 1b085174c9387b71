"""Windows as reduced features by a fitted encoder, in the place of standardised columns."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from soc_assets.embedding.encoder.architecture import PATCH

if TYPE_CHECKING:
    from torch import Tensor

    from soc_assets.regression.finetuning.network import WindowEncoder

_AT_ONCE_BYTES = 2**27  # of the widest activations of a block of rows


@dataclass(frozen=True)
class EncodedWindows:
    """The group of windows in a `Reduction`.

    Attributes:
        group: `window:16`.
        columns: [d] all of them.
        shape: slots, frames, height, width; d is their product.
        encoder: fitted, on the device that has trained it.
        centre: [k] mean of the summaries of the training rows.
        spread: [k] their standard deviation.
    """

    group: str
    columns: np.ndarray
    shape: tuple[int, int, int, int]
    encoder: "WindowEncoder"
    centre: np.ndarray
    spread: np.ndarray
    _recent: dict[bytes, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def fit(
        cls,
        group: str,
        columns: np.ndarray,
        shape: tuple[int, int, int, int],
        encoder: "WindowEncoder",
        matrix: np.ndarray,
        rows: np.ndarray,
    ) -> "EncodedWindows":
        """With the mean and standard deviation of the summaries of training rows of a matrix of windows."""
        slots, _, summary = encoder.weight.shape
        nothing = np.zeros(slots * summary, np.float32)
        raw = cls(group, columns, shape, encoder, nothing, nothing + 1).apply(matrix, rows)
        spread = raw.std(axis=0)
        return cls(group, columns, shape, encoder, raw.mean(axis=0), np.where(spread > 0, spread, 1).astype(np.float32))

    @property
    def mean(self) -> np.ndarray:
        """Of the raw columns [d]: they are relative to what stands for a gap."""
        return np.zeros(len(self.columns), np.float32)

    @property
    def scale(self) -> np.ndarray:
        """Of the raw columns [d]: they are normalised by band, or by image."""
        return np.ones(len(self.columns), np.float32)

    @property
    def width(self) -> int:
        """Columns that come out, k."""
        return len(self.centre)

    def apply(self, matrix: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Standardised summaries float32 [m, k] of some rows [m] of the windows."""
        step = rows_at_once(self.shape, self.encoder.backbone.width)
        parts = [self.transform(matrix[rows[first : first + step]]) for first in range(0, len(rows), step)]
        return np.concatenate(parts) if parts else np.empty((0, self.width), np.float32)

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Standardised summaries of raw windows [m, d]; NaN is a gap."""
        import torch

        device = self.encoder.weight.device
        with torch.inference_mode():
            found = self.encoder(as_images(values, self.shape).to(device)).float().cpu().numpy()
        return ((found - self.centre) / self.spread).astype(np.float32)

    def contribution(self, matrix: np.ndarray, rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Summaries [m, k] of the images that chosen columns [c] belong to; the others at their mean, 0.

        Every band and lag is asked for in turn: the summaries of the last rows are kept.
        """
        slots = np.zeros(self.shape[0], bool)
        slots[np.unique(chosen // (len(self.columns) // self.shape[0]))] = True
        if not slots.any():
            return np.zeros((len(rows), self.width), np.float32)
        key = rows.tobytes()
        if key not in self._recent:
            self._recent.clear()
            self._recent[key] = self.apply(matrix, rows)
        return self._recent[key] * np.repeat(slots, self.width // self.shape[0])


def as_images(values: np.ndarray, shape: tuple[int, int, int, int]) -> "Tensor":
    """Raw windows [m, d] as a tensor [m, slots, frames, h, w], gaps at what stands for them: 0."""
    import torch

    return torch.from_numpy(np.nan_to_num(values, nan=0.0).astype(np.float32, copy=False)).view(-1, *shape)


def rows_at_once(shape: tuple[int, int, int, int], width: int) -> int:
    """Rows whose activations fit in 128 MB."""
    slots, _, height, across = shape
    return max(1, _AT_ONCE_BYTES // (slots * (height // PATCH) * (across // PATCH) * width * 4 * 4))
