"""How the encoder computes on a device: in float32 or bfloat16, and how many images fit at once.

`precision = "auto"` is resolved once, when a spec is frozen, and then applies to all its batches on every machine.
"""

import time
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from soc_assets.embedding.spec import Spec
from soc_assets.storage import digest

if TYPE_CHECKING:
    from torch import Tensor

    from soc_assets.embedding.encoder.network import SpectralEncoder

LEAST_COSINE = 0.999  # of bfloat16 against float32 embeddings of random images, for bfloat16 to be chosen
LEAST_SPEEDUP = 1.05
_TRIAL = 32  # images of the measurement
_MOST_AT_ONCE = 1024
_ON_CPU = 8  # activations stay in the cache; larger batches were slower


@dataclass(frozen=True)
class Precision:
    """The arithmetic used; `cosine` and `speedup` of bfloat16 against float32 where it was measured."""

    name: str
    cosine: float | None = None
    speedup: float | None = None

    def __str__(self) -> str:
        """For logs and metadata."""
        if self.cosine is None:
            return self.name
        return f"{self.name} (bfloat16: cosine {self.cosine:.5f}, {self.speedup:.1f} times as fast as float32)"


def precision_of(network: "SpectralEncoder", spec: Spec, device: str) -> Precision:
    """The spec's arithmetic; bfloat16 is measured against float32, once per process."""
    wanted = spec.choices["precision"]
    if spec.linear or wanted == "float32":
        return Precision("float32")
    return Precision(wanted, *measure_bfloat16(network, spec, device))


def faster_precision(network: "SpectralEncoder", spec: Spec, device: str) -> str:
    """bfloat16 where it is measured to be faster on this device and equally accurate; float32 elsewhere."""
    cosine, speedup = measure_bfloat16(network, spec, device)
    return "bfloat16" if cosine >= LEAST_COSINE and speedup >= LEAST_SPEEDUP else "float32"


def measure_bfloat16(network: "SpectralEncoder", spec: Spec, device: str) -> tuple[float, float]:
    """bfloat16 against float32 on random images: the lowest cosine of their mean tokens, and the speed-up.

    What was measured for a model on a device is kept, so that loading it again costs nothing.
    """
    model = digest.of_values([{**spec.choices, "precision": ""}, device])
    if model not in _measured:
        _measured[model] = _measure(network, spec, device)
    return _measured[model]


_measured: dict[str, tuple[float, float]] = {}


def _measure(network: "SpectralEncoder", spec: Spec, device: str) -> tuple[float, float]:
    import torch

    size, frames = spec.choices["image_size"], spec.frames
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(_TRIAL, frames, size, size, generator=generator).to(device)
    exact, exact_seconds = _timed(network, images)
    rounded, rounded_seconds = _timed(deepcopy(network).to(torch.bfloat16), images.to(torch.bfloat16))
    cosine = torch.nn.functional.cosine_similarity(exact.mean(2).float(), rounded.mean(2).float(), dim=-1).min().item()
    return cosine, exact_seconds / rounded_seconds


def images_that_fit(spec: Spec, device: str) -> int:
    """Images per device call that the free memory allows."""
    import torch

    if not device.startswith("cuda"):
        return _ON_CPU
    free, _ = torch.cuda.mem_get_info(device)
    tokens = (spec.choices["image_size"] // 8) ** 2 * spec.frames
    per_image = tokens * spec.architecture.width * 4 * 16  # activations of one block, float32, with room to spare
    return max(1, min(_MOST_AT_ONCE, int(free * 0.5) // per_image))


def _timed(network: "SpectralEncoder", images: "Tensor") -> tuple["Tensor", float]:
    import torch

    best = float("inf")
    with torch.inference_mode():
        for _ in range(3):  # the first warms up
            start = time.perf_counter()
            result = network.grouped(images)
            if images.is_cuda:
                torch.cuda.synchronize()
            best = min(best, time.perf_counter() - start)
    return result, best
