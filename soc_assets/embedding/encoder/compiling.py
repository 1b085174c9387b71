"""Whether compiling the transformer pays off: tried on real images, timed, and kept only where it is faster.

`torch.compile` takes half a minute or more, so it is tried only before long work. It fuses operations and so changes
results by rounding alone (about 1e-6 relative); the precision is decided in `precision`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from soc_assets.runtime.device import out_of_memory

if TYPE_CHECKING:
    from torch import Tensor

LONG = 1200  # seconds of work left before compiling is tried: on two cores it takes 30 s and gains about 4 %
_GAIN = 1.02  # minimum speed-up for it to be kept
_TIMES = 3

Run = Callable[["Tensor"], "Tensor"]


@dataclass(frozen=True)
class Compiled:
    """What runs batches of `images` images, and why; None, and batches of other sizes, run as they are."""

    run: Run | None
    images: int
    words: str


def compile_if_it_pays(run: Run, images: "Tensor", still_to_do: int, always: bool = False) -> Compiled:
    """Time a batch, and where much is left to do compile and time it again.

    Args:
        run: the network's forward.
        images: a full batch on its device.
        still_to_do: images left to embed.
        always: compile also before short work, and keep it however fast it is.
    """
    plain = _seconds(run, images, 1)
    left = plain * still_to_do / len(images)
    if left < LONG and not always:
        return Compiled(None, len(images), f"no, {left:.0f} s of work left")
    import torch

    try:
        compiled = torch.compile(run)
        start = time.perf_counter()
        compiled(images)
        cost = time.perf_counter() - start
    except Exception as error:  # if the compiler is missing in any way, the network runs without
        if out_of_memory(error):
            raise
        return Compiled(None, len(images), f"no, it failed: {str(error).strip().splitlines()[0]}")
    gain = _seconds(run, images, _TIMES) / _seconds(compiled, images, _TIMES)
    words = f"{gain:.2f} times as fast, compiled in {cost:.0f} s"
    if gain < _GAIN and not always:
        return Compiled(None, len(images), f"no, {words}")
    return Compiled(compiled, len(images), f"yes, {words}")


def _seconds(run: Run, images: "Tensor", times: int) -> float:
    """The best of several times."""
    import torch

    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        run(images)
        if images.is_cuda:
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return best
