"""A pre-training run: what decides it, its state, and saving the state so that a killed run goes on from there."""

import pickle
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from soc_assets.embedding.encoder.architecture import PATCH
from soc_assets.errors import SocWarning
from soc_assets.pretraining.network import MaskedAutoencoder
from soc_assets.settings.pretraining import Pretraining
from soc_assets.storage import files

_MOVED = 0.001  # share by which the held-out loss has to fall to count as better


@dataclass(frozen=True)
class Job:
    """What decides a run besides its data.

    Attributes:
        settings: [pretraining].
        peak: learning rate at its highest, for the whole batch.
        together: frames of a group.
        device: of this process.
        rank: of this process.
        world: processes that share each batch.
        by_image: whether each image is scaled by its own range, so that gaps are its mean, not the band's.
    """

    settings: Pretraining
    peak: float
    together: int
    device: torch.device
    rank: int = 0
    world: int = 1
    by_image: bool = False

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""
        return steps_of(self.settings)

    @property
    def every(self) -> int:
        """Steps between two evaluations."""
        return max(1, self.steps // self.settings.evaluations)

    @property
    def own(self) -> slice:
        """This process's part of a batch."""
        each = self.settings.batch_size // self.world
        return slice(self.rank * each, (self.rank + 1) * each)

    def tokens(self, shape: tuple[int, ...]) -> int:
        """Tokens of images [n, frames, h, w]."""
        _, frames, height, width = shape
        return max(1, frames // self.together) * (height // PATCH) * (width // PATCH)


def steps_of(settings: Pretraining) -> int:
    """Optimiser steps of a whole run."""
    return max(1, round(settings.images / settings.batch_size))


@dataclass
class Run:
    """A run in progress.

    Attributes:
        model: the network, not wrapped.
        optimizer: AdamW.
        average: moving average of the weights by name; None without one.
        step: steps done.
        curve: a row per evaluation: step, images, loss (of masked tokens, as the others), held_out, band_mean,
            interpolation, learning_rate.
        losses: the same of the steps since the last evaluation.
        seconds: that the steps took, over all attempts.
    """

    model: MaskedAutoencoder
    optimizer: torch.optim.AdamW
    average: dict[str, Tensor] | None
    step: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def weights(self) -> dict[str, Tensor]:
        """What is evaluated, and written at the end."""
        return self.average or self.model.state_dict()

    def has_stalled(self, patience: int) -> bool:
        """Whether the held-out loss has not fallen for so many evaluations; never with a patience of 0."""
        if not patience or len(self.curve) <= patience:
            return False
        held = [row["held_out"] for row in self.curve]
        return min(held[-patience:]) > (1 - _MOVED) * min(held[:-patience])


def begin(model: MaskedAutoencoder, job: Job) -> Run:
    """A run at its start; weights of matrices decay, those of vectors (biases, norms) do not."""
    model.to(job.device)
    vectors = [parameter for parameter in model.parameters() if parameter.dim() <= 1]
    matrices = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    groups = [{"params": matrices, "weight_decay": job.settings.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, job.peak, (0.9, 0.95))
    average = {key: value.clone() for key, value in model.state_dict().items()} if job.settings.ema else None
    return Run(model, optimizer, average)


def save(run: Run, path: Path) -> None:
    """Save the state, atomically."""
    state = {
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "average": run.average,
        "step": run.step,
        "curve": run.curve,
        "losses": run.losses,
        "seconds": run.seconds,
    }
    with files.replacing(path) as temporary:
        torch.save(state, temporary)


def resume(run: Run, path: Path) -> bool:
    """Go on from a saved state; False where there is none, or it is damaged: then it is set aside, with a warning."""
    if not path.is_file():
        return False
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        fits = {key: value.shape for key, value in state["model"].items()} == {
            key: value.shape for key, value in run.model.state_dict().items()
        }
        step, curve, losses = int(state["step"]), list(state["curve"]), list(state["losses"])
        seconds, optimizer, average = float(state["seconds"]), state["optimizer"], state["average"]
        if not fits:
            raise ValueError("it is of another network")
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        aside = path.with_suffix(".pt.damaged")
        files.rename(path, aside)
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        warnings.warn(
            f"{path} is damaged ({said}) and is now {aside.name}: the pre-training begins anew.", SocWarning, 2
        )
        return False
    run.model.load_state_dict(state["model"])
    run.optimizer.load_state_dict(optimizer)
    device = next(run.model.parameters()).device
    run.average = average and {key: value.to(device) for key, value in average.items()}
    run.step, run.curve, run.losses, run.seconds = step, curve, losses, seconds
    return True
