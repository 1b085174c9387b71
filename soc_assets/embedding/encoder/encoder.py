"""The transformer on its device: from pooled patches, or a stream of images, to pooled embeddings.

Images of all rasters run through the device in large batches. While the device works on one the next is prepared; when
its memory runs out the batch is halved and nothing is lost.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from soc_assets.embedding.encoder.compiling import Compiled, compile_if_it_pays
from soc_assets.embedding.encoder.precision import Precision, faster_precision, images_that_fit, precision_of
from soc_assets.embedding.layout import Layout
from soc_assets.embedding.spec import Spec
from soc_assets.errors import CheckpointError, EmbeddingError
from soc_assets.runtime import gpus, interrupts
from soc_assets.runtime.device import out_of_memory, resolve_device

if TYPE_CHECKING:
    from torch import Tensor

    from soc_assets.embedding.encoder.weights import LoadedWeights


class Encoder:
    """Embeds by a spec's stage and pooling; the weights are loaded once and stay on the device.

    Args:
        spec: the frozen spec.
        weights: from `load_weights`.
        device: as torch names it.
        images_at_once: images per device call; 0 chooses from the free memory.
        images_expected: images to expect, which decides whether compiling pays off.
        compiling: `auto`, `always` or `never`.
    """

    def __init__(
        self,
        spec: Spec,
        weights: "LoadedWeights",
        device: str,
        images_at_once: int = 0,
        images_expected: int = 0,
        compiling: str = "auto",
    ) -> None:
        import torch

        self.weights, self.device = weights, device
        self.images_embedded = 0
        self.images_at_once = images_at_once or images_that_fit(spec, device)
        self._spec, self._network = spec, weights.encoder.to(device)
        self._lock = Lock()  # one thread at a time feeds the device
        self.precision: Precision = precision_of(self._network, spec, device)
        self._dtype = getattr(torch, self.precision.name)
        self._network = self._network.to(self._dtype)
        self._expected, self._compiling = images_expected, compiling
        self.compiled: Compiled | None = None  # until a full batch has come

    def patches(self, pooled: np.ndarray) -> np.ndarray:
        """Embed pooled patches [n, parts, frames * 64] at stage `patch_embed` to [n, rows, width] float32.

        The patch embedding is linear: the mean of tokens is the token of the mean patch.
        """
        import torch

        self.images_embedded += len(pooled)
        with torch.inference_mode():
            parts = self._network.patch_embed.of_patches(torch.from_numpy(pooled).to(self.device)).cpu().numpy()
        return parts.reshape(len(pooled), *self._spec.shape)

    def stream(self, scenes: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Embed scenes [u, frames, h, w] float32 to [u, groups, rows, width] float32: one result each, in order.

        A scene is what the transformer sees together; scenes are cut and joined into device batches.

        Raises:
            EmbeddingError: the device's memory does not hold a single image.
        """
        sizes: deque[int] = deque()
        ready: deque[np.ndarray] = deque()
        with self._lock:
            under_way: list[Tensor] = []
            for batch in self._batches(scenes, sizes):
                interrupts.check()
                sent = self._send(batch)
                ready.extend(_fetch(under_way))
                under_way = sent
                yield from _complete(sizes, ready)
            ready.extend(_fetch(under_way))
        yield from _complete(sizes, ready)

    def _batches(self, scenes: Iterable[np.ndarray], sizes: deque[int]) -> Iterator[np.ndarray]:
        """Scenes cut and joined into batches of at most `images_at_once`; notes the size of each scene."""
        held: list[np.ndarray] = []
        for scene in scenes:
            sizes.append(len(scene))
            if held and held[0].shape[1] != scene.shape[1]:
                yield np.concatenate(held)
                held = []
            while len(scene):
                room = self.images_at_once - sum(map(len, held))
                held.append(scene[:room])
                scene = scene[room:]
                if sum(map(len, held)) >= self.images_at_once:
                    yield np.concatenate(held)
                    held = []
        if held:
            yield np.concatenate(held)

    def _send(self, images: np.ndarray) -> list["Tensor"]:
        """Start computing; on a GPU this returns at once. Out of memory, it halves the batches from then on."""
        pooled = self._compute(images)
        if pooled is not None:
            self.images_embedded += len(images)
            return [pooled]
        if len(images) == 1:
            other = "" if self.device == "cpu" else ", or set [embedding] device = 'cpu' in soc.toml"
            raise EmbeddingError(f"The memory of {self.device} does not hold one image. Free it{other}.")
        self.images_at_once = half = (len(images) + 1) // 2
        return [part for start in range(0, len(images), half) for part in self._send(images[start : start + half])]

    def _compute(self, images: np.ndarray) -> "Tensor | None":
        """Pooled tokens, or None where the device's memory does not hold them; it is free again on return."""
        import torch

        on_gpu = self.device.startswith("cuda")
        try:
            with torch.inference_mode():
                sent = torch.from_numpy(images)
                sent = sent.pin_memory().to(self.device, non_blocking=True) if on_gpu else sent
                return self._pool(self._forward(sent.to(self.device, self._dtype)))
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
        if on_gpu:  # out here: the error kept what had been computed alive
            torch.cuda.empty_cache()
        return None

    def _forward(self, images: "Tensor") -> "Tensor":
        """Images to tokens; the first full batch decides whether compiling pays."""
        full = len(images) == self.images_at_once
        if full and self.compiled is None and self._compiling != "never":
            still_to_do = self._expected - self.images_embedded
            always = self._compiling == "always"
            self.compiled = compile_if_it_pays(self._network.grouped, images, still_to_do, always)
        if self.compiled and self.compiled.run and len(images) == self.compiled.images:
            return self.compiled.run(images)
        return self._network.grouped(images)

    def _pool(self, tokens: "Tensor") -> "Tensor":
        """Tokens [n, groups, places, width] to [n, groups, rows, width'] by the spec's pooling."""
        import torch

        tokens = tokens.float()
        pooling = self._spec.choices["pooling"]
        if pooling == "none":
            return tokens
        if pooling == "max":
            return tokens.amax(dim=2, keepdim=True)
        parts = [tokens[:, :, torch.from_numpy(part).to(tokens.device)].mean(dim=2) for part in self._spec.parts]
        return torch.cat(parts, dim=-1).unsqueeze(2)


def _fetch(under_way: list["Tensor"]) -> list[np.ndarray]:
    """Wait for results and bring them to the host."""
    return [pooled.cpu().numpy() for pooled in under_way]


def _complete(sizes: deque[int], ready: deque[np.ndarray]) -> Iterator[np.ndarray]:
    """Results of the scenes that are complete, taken off both queues."""
    while sizes and sum(map(len, ready)) >= sizes[0]:
        wanted, parts = sizes.popleft(), []
        while wanted:
            part = ready.popleft()
            parts.append(part[:wanted])
            if len(part) > wanted:
                ready.appendleft(part[wanted:])
            wanted -= len(parts[-1])
        yield np.concatenate(parts)


def load_encoder(
    spec: Spec, checkpoint: Path | None, drop_path: float, device: str, images_at_once: int = 0, **options: Any
) -> Encoder:
    """Load the spec's weights onto a device (`auto` takes CUDA, then MPS, then the CPU); options are `Encoder`'s.

    Raises:
        CheckpointError: the checkpoint does not fit, or is no longer the file that the spec was frozen with.
        SettingsError: the device is not there.
    """
    weights = _weights_of(spec, checkpoint, drop_path)
    return Encoder(spec, weights, str(resolve_device(device)), images_at_once, **options)


def settle_precision(spec: Spec, checkpoint: Path | None, device: str) -> str:
    """What `precision = "auto"` means for a spec that is about to be frozen, measured on the device that will embed.

    float32 on CPUs and where no transformer runs; on a GPU bfloat16 if it is faster and the embeddings agree.

    Raises:
        CheckpointError: the checkpoint does not fit.
        SettingsError: the device is not there.
    """
    if spec.linear:
        return "float32"
    with gpus.lent():
        found = str(resolve_device(device))
        if not found.startswith("cuda"):
            return "float32"
        return faster_precision(_weights_of(spec, checkpoint).encoder.to(found), spec, found)


def _weights_of(spec: Spec, checkpoint: Path | None, drop_path: float = 0.0) -> "LoadedWeights":
    from soc_assets.embedding.encoder.weights import load_weights

    source, choices = spec.choices["weights"], spec.choices
    weights = load_weights(
        spec.architecture,
        checkpoint if "sha256" in source else None,
        source.get("seed", 0),
        choices["image_size"],
        choices["stage"],
        drop_path,
        choices["layer"],
        Layout(spec).seen_together,
    )
    if source.get("sha256", weights.sha256) != weights.sha256:
        raise CheckpointError(f"{checkpoint} changed while the run was starting; run again.")
    if (own := weights.encoder.architecture.t_patch_size) != spec.architecture.t_patch_size:
        raise CheckpointError(
            f"The spec {spec.digest} is of groups of {spec.architecture.t_patch_size} frames, and {checkpoint} takes "
            f"{own} together: an earlier release froze it, and could not load this file. `soc refit` freezes a new one."
        )
    return weights
