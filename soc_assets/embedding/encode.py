"""The transformer on its device: pooled patches or whole images to pooled embeddings."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from soc_assets.embedding.spec import Spec

if TYPE_CHECKING:
    from soc_assets.embedding.weights import LoadedWeights

_IMAGES_AT_ONCE = {"cpu": 32}  # images per device call at stage `encoder`
_ELSEWHERE = 256


class Encoder:
    """Embeds images by a spec's stage and pooling; the weights are loaded once and stay on the device."""

    def __init__(self, spec: Spec, weights: "LoadedWeights", device: str) -> None:
        self.weights = weights
        self.device = device
        self.images_embedded = 0
        self._spec = spec
        self._network = weights.encoder.to(device)

    def patches(self, pooled: np.ndarray) -> np.ndarray:
        """Embed pooled patches [n, parts, 64] at stage `patch_embed` to [n, rows, width] float32 (the spec's shape).

        The patch embedding is linear: the mean of tokens is the token of the mean patch.
        """
        import torch

        self.images_embedded += len(pooled)
        with torch.inference_mode():
            parts = self._network.patch_embed.expanded(torch.from_numpy(pooled).to(self.device)).cpu().numpy()
        return parts.reshape(len(pooled), *self._spec.shape)

    def images(self, images: np.ndarray) -> np.ndarray:
        """Embed normalised images [n, h, w] float32 at stage `encoder` to [n, rows, width] float32."""
        import torch

        self.images_embedded += len(images)
        at_once = _IMAGES_AT_ONCE.get(self.device, _ELSEWHERE)
        results = [np.empty((0, len(self._spec.parts), self._network.width), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(images), at_once):
                tokens = self._network.encode(torch.from_numpy(images[start : start + at_once]).to(self.device))
                pooled = [tokens[:, torch.from_numpy(part)].mean(dim=1) for part in self._spec.parts]
                results.append(torch.stack(pooled, dim=1).cpu().numpy())
        return np.concatenate(results).reshape(len(images), *self._spec.shape)


def load_encoder(spec: Spec, checkpoint: Path | None, drop_path: float, device: str) -> Encoder:
    """Load the spec's weights onto a device (`auto` takes CUDA, then MPS, then the CPU).

    Raises:
        CheckpointError: the checkpoint does not fit, or is no longer the file that the spec was frozen with.
    """
    from soc_assets.device import resolve_device
    from soc_assets.embedding.weights import load_weights
    from soc_assets.errors import CheckpointError

    source, choices = spec.choices["weights"], spec.choices
    weights = load_weights(
        spec.architecture,
        checkpoint if "sha256" in source else None,
        source.get("seed", 0),
        choices["image_size"],
        choices["stage"],
        drop_path,
    )
    if source.get("sha256", weights.sha256) != weights.sha256:
        raise CheckpointError(f"{checkpoint} changed while the run was starting; run again.")
    return Encoder(spec, weights, str(resolve_device(device)))
