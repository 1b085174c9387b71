"""The training loop of an encoder with its head, and what of the encoder is computed once.

AdamW under a one-cycle learning rate, as the MLP ensemble's, with a rate of its own for the encoder. The weights of the
best epoch are kept.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from soc_assets.embedding.encoder.architecture import PATCH
from soc_assets.errors import TrainingError
from soc_assets.regression.finetuning.encoded import as_images, rows_at_once
from soc_assets.regression.finetuning.network import Transformer, WindowEncoder
from soc_assets.regression.models.ensemble import EnsembleMlp
from soc_assets.regression.models.learners import CLIP
from soc_assets.runtime import interrupts
from soc_assets.settings.evaluation import Recipe

_KEPT_BYTES = 2**29  # of what the frozen part gives, in half precision; beyond, it is computed in every step
_FEWEST_STEPS = 8  # of an epoch, where there are few samples
_LARGEST_GRADIENT = 1.0


class Stems:
    """What the frozen part gives for rows of windows, kept in half precision where that fits in memory."""

    def __init__(
        self,
        encoder: WindowEncoder,
        matrix: np.ndarray,
        rows: np.ndarray,
        shape: tuple[int, int, int, int],
        device: str,
    ) -> None:
        self._encoder, self._matrix, self._rows, self._shape, self._device = encoder, matrix, rows, shape, device
        self.at_once = rows_at_once(shape, encoder.backbone.width)
        self._kept: Tensor | None = None
        backbone = encoder.backbone
        tokens = shape[0] * (shape[2] // PATCH) * (shape[3] // PATCH) * backbone.width
        if not backbone.frozen or len(rows) * tokens * 2 > _KEPT_BYTES:
            return
        step = self.at_once
        encoder.to(device)
        for first in range(0, len(rows), step):
            interrupts.check()
            made = self._made(np.arange(first, min(first + step, len(rows))))
            if self._kept is None:
                self._kept = torch.empty((len(rows), *made.shape[1:]), dtype=torch.half)
            self._kept[first : first + len(made)] = made

    def of(self, some: np.ndarray) -> Tensor:
        """Of rows by their numbers [b], on the device."""
        if self._kept is not None:
            return self._kept[torch.from_numpy(some)].to(self._device).float()
        return self._made(some)

    def _made(self, some: np.ndarray) -> Tensor:
        images = as_images(self._matrix[self._rows[some]], self._shape).to(self._device)
        with torch.no_grad():
            return self._encoder.backbone.stem(images)


@dataclass(frozen=True)
class Part:
    """Rows of a training part: stems, what stands beside them [n, k], standardised target [n], weights [n]."""

    stems: Stems
    beside: np.ndarray
    y: np.ndarray
    weight: np.ndarray


class Training:
    """Epochs over a training part, the best of which is kept."""

    def __init__(
        self, recipe: Recipe, encoder: WindowEncoder, head: EnsembleMlp, part: Part, device: str, seed: int
    ) -> None:
        self._recipe, self._part, self._device = recipe, part, torch.device(device)
        self._model = nn.ModuleDict({"encoder": encoder, "head": head}).to(self._device)
        self._encoder, self._head = encoder, head
        self._shuffle = np.random.default_rng(seed)
        self._step = part.stems.at_once

    def run(self, trained: np.ndarray, stops: np.ndarray) -> tuple[int, int]:
        """Train on some rows, stop by others; epochs trained, and the best of them."""
        recipe = self._recipe
        batch = max(1, min(recipe.batch_size, len(trained) // _FEWEST_STEPS))
        steps = len(trained) // batch
        optimizer, schedule = self.optimisation(steps * recipe.epochs)
        best, best_loss, epoch, kept = 0, math.inf, 0, self._state()
        for epoch in range(1, recipe.epochs + 1):
            order = self._shuffle.permutation(trained)[: steps * batch].reshape(steps, batch)
            loss = sum(self.take(rows, optimizer, schedule) for rows in order) / steps
            self._refuse_if_not_finite(loss, epoch)
            held_out = self._loss(stops) if len(stops) else -epoch  # without an inner fold the last epoch counts
            if held_out < best_loss:
                best, best_loss, kept = epoch, held_out, self._state()
            if epoch - best >= recipe.patience:
                break
        self._model.load_state_dict(kept, strict=False)
        return epoch, best

    def optimisation(self, steps: int) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        """Optimiser and schedule of so many steps."""
        recipe, backbone = self._recipe, self._encoder.backbone
        slow = [each for each in backbone.parameters() if each.requires_grad]
        known = {id(each) for each in backbone.parameters()}
        fast = [each for each in self._model.parameters() if id(each) not in known]
        rate = recipe.encoder_learning_rate if isinstance(backbone, Transformer) else recipe.learning_rate
        rates = [rate, recipe.learning_rate]
        optimizer = torch.optim.AdamW(
            [{"params": slow, "lr": rates[0]}, {"params": fast, "lr": rates[1]}], weight_decay=recipe.weight_decay
        )
        return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=steps, pct_start=0.2)

    def take(
        self, rows: np.ndarray, optimizer: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler
    ) -> float:
        """One step; its loss."""
        interrupts.check()
        self._model.train()
        y, weight = (self._tensor(values[rows]) for values in (self._part.y, self._part.weight))
        loss = (weight * (self._outputs(rows) - y) ** 2).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.mul(self._head.members).backward()
        nn.utils.clip_grad_norm_(self._model.parameters(), _LARGEST_GRADIENT * self._head.members)
        optimizer.step()
        schedule.step()
        return float(loss.detach())

    def _outputs(self, rows: np.ndarray) -> Tensor:
        """The members' outputs [S, b]."""
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._device.type == "cuda"):
            summaries = self._encoder.summarise(self._part.stems.of(rows))
        features = torch.cat([summaries.float(), self._tensor(self._part.beside[rows])], dim=1)
        return self._head(features.clamp(-CLIP, CLIP))

    def _loss(self, rows: np.ndarray) -> float:
        """Mean squared error of the members' mean."""
        self._model.eval()
        with torch.inference_mode():
            parts = [rows[first : first + self._step] for first in range(0, len(rows), self._step)]
            found = torch.cat([self._outputs(part).mean(dim=0) for part in parts])
        return float(((found.cpu().numpy() - self._part.y[rows]) ** 2).mean())

    def _state(self) -> dict[str, Tensor]:
        """A copy of what is trained."""
        return {name: each.detach().clone() for name, each in self._model.named_parameters() if each.requires_grad}

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self._device)

    def _refuse_if_not_finite(self, loss: float, epoch: int) -> None:
        if not math.isfinite(loss):
            raise TrainingError(
                f"The loss of the recipe {self._recipe.name!r} became {loss} in epoch {epoch}. Lower its learning_rate "
                f"(now {self._recipe.learning_rate}) or encoder_learning_rate ({self._recipe.encoder_learning_rate})."
            )
