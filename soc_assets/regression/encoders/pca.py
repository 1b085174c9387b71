"""PCA of windows as an encoder: linear, fitted on unlabelled windows, no network.

Every encoder is compared with it: what a network has learned must be worth more than the first principal components of
the same windows (Turk and Pentland's eigenfaces, of rasters).
"""

from collections.abc import Iterable, Iterator
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np

from soc_assets.embedding.spec import Spec
from soc_assets.pretraining.windows import WindowSampler

KEPT = 0.95  # share of the windows' variance that is kept: what is standardised later must not be noise
WINDOWS = 4096  # that the components are fitted on
_AT_ONCE = 256
_ITERATIONS: Any = 3  # of the power method; scikit-learn's stub takes its default for the type


class WindowPca:
    """Takes the encoder's place in an `Embedder`: windows [u, frames, h, w] to [u, groups, 1, width].

    Each frame has the same components; those of the frames of a group stand side by side. Columns beyond the
    components that there are stay 0.

    Args:
        mean: [h * w] of the windows.
        components: [h * w, k].
        width: numbers per group.
        together: frames of a group.
    """

    device = "cpu"
    compiled = None

    def __init__(self, mean: np.ndarray, components: np.ndarray, width: int, together: int) -> None:
        self._mean, self._components, self._width, self._together = mean, components, width, together
        self.images_embedded = 0
        self.weights = SimpleNamespace(label=f"PCA of windows ({components.shape[1]} components)", sha256="")

    def stream(self, scenes: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Project scenes, one after the other."""
        for scene in scenes:
            n, frames = scene.shape[:2]
            groups = max(1, frames // self._together)
            scores = (scene.reshape(n * frames, -1) - self._mean) @ self._components
            self.images_embedded += n
            result = np.zeros((n, groups, 1, self._width), np.float32)
            flat = scores.reshape(n, groups, 1, -1)
            result[..., : flat.shape[-1]] = flat[..., : self._width]
            yield result


def gaps_at_mean(images: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Images [n, frames, h, w] with gaps at the mean of what is seen of the frame, as `normalise = "image"` has it."""
    total, number = images.sum(axis=(2, 3), keepdims=True, where=seen), seen.sum(axis=(2, 3), keepdims=True)
    return np.where(seen, images, total / np.maximum(number, 1)).astype(np.float32)


def fit_window_pca(sampler: WindowSampler, spec: Spec, seed: int, windows: int = WINDOWS) -> WindowPca:
    """Fit on windows drawn as those of pre-training; the held-out rectangle is hidden likewise.

    Components that hold 95 % of the variance are kept, and no more than the encoder has numbers.

    Args:
        sampler: of windows of the project's rasters.
        spec: decides the width and the frames of a group.
        seed: of the randomised decomposition.
        windows: how many.
    """
    from sklearn.utils.extmath import randomized_svd

    drawn: list[np.ndarray] = []
    for step in count():
        found = sampler.training(step, _AT_ONCE)
        images = gaps_at_mean(found.images, found.seen) if sampler.region.spec.by_image else found.images
        drawn.append(images.reshape(-1, images.shape[-1] ** 2))
        if sum(map(len, drawn)) >= windows:
            break
    frames = np.concatenate(drawn)[:windows]
    mean = frames.mean(axis=0)
    per_frame = max(1, spec.shape[1] // spec.frames)
    wanted, centred = min(per_frame, *frames.shape), frames - mean
    _, singular, components = randomized_svd(centred, wanted, n_iter=_ITERATIONS, random_state=seed)
    held = np.cumsum(singular.astype(float) ** 2) / max(float(np.square(centred, dtype=float).sum()), 1e-30)
    kept = min(int(np.searchsorted(held, KEPT)) + 1, wanted)
    return WindowPca(mean, np.ascontiguousarray(components[:kept].T, np.float32), spec.shape[1], spec.frames)
