"""Images to pooled embeddings, on the chosen device.

At stage `patch_embed` the patches are averaged before they are embedded: the patch embedding is linear, so the mean of
tokens is the token of the mean patch, and 144 tokens are never made.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from soc_assets.embedding.architecture import PATCH
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

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Embed normalised images [n, h, w] float32 to [n, rows, width] float32 (the spec's shape)."""
        self.images_embedded += len(images)
        rows, width = self._spec.shape
        if not len(images):
            return np.empty((0, rows, width), np.float32)
        parts = self._patch_embed(images) if self._spec.choices["stage"] == "patch_embed" else self._encode(images)
        return parts.reshape(len(images), rows, width)

    def _patch_embed(self, images: np.ndarray) -> np.ndarray:
        import torch

        pooled = torch.from_numpy(mean_patches(images, self._spec.parts)).to(self.device)
        with torch.inference_mode():
            return self._network.patch_embed.expanded(pooled).cpu().numpy()

    def _encode(self, images: np.ndarray) -> np.ndarray:
        import torch

        at_once = _IMAGES_AT_ONCE.get(self.device, _ELSEWHERE)
        results = []
        with torch.inference_mode():
            for start in range(0, len(images), at_once):
                tokens = self._network.encode(torch.from_numpy(images[start : start + at_once]).to(self.device))
                pooled = [tokens[:, torch.from_numpy(part)].mean(dim=1) for part in self._spec.parts]
                results.append(torch.stack(pooled, dim=1).cpu().numpy())
        return np.concatenate(results)


def mean_patches(images: np.ndarray, parts: list[np.ndarray]) -> np.ndarray:
    """The mean patch [n, parts, 64] of images [n, h, w] over the tokens of each part."""
    n, height, width = images.shape
    patches = images.reshape(n, height // PATCH, PATCH, width // PATCH, PATCH)
    places = (height // PATCH) * (width // PATCH)
    if len(parts) == 1 and len(parts[0]) == places:
        return patches.mean(axis=(1, 3), dtype=np.float32).reshape(n, 1, PATCH * PATCH)
    flat = patches.transpose(0, 1, 3, 2, 4).reshape(n, places, PATCH * PATCH)
    return np.stack([flat[:, part].mean(axis=1, dtype=np.float32) for part in parts], axis=1)


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
