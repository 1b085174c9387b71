"""Training an encoder and the head on it, on the training part of a fold; an inner fold says when to stop.

AdamW under a one-cycle learning rate, as the MLP ensemble's, with a rate of its own for the encoder. What is frozen is
computed once. The weights of the best epoch are kept. The head is the MLP ensemble, on summaries of the windows and on
whatever stands beside them.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from soc_assets.errors import TrainingError
from soc_assets.regression.design.design import Design
from soc_assets.regression.design.reduction import Reduction, fit_reduction
from soc_assets.regression.finetuning.encoded import EncodedWindows, as_images, rows_at_once
from soc_assets.regression.finetuning.network import SUMMARY, Convolutions, Transformer, WindowEncoder
from soc_assets.regression.finetuning.start import Start, require_start
from soc_assets.regression.models.ensemble import EnsembleMlp
from soc_assets.regression.models.learners import CLIP, MlpLearner, Predicted
from soc_assets.runtime import interrupts
from soc_assets.settings.evaluation import Recipe

_KEPT_BYTES = 2**29  # of what the frozen part gives, in half precision; beyond, it is computed in every step
_FEWEST_STEPS = 8  # of an epoch, where there are few samples
_LARGEST_GRADIENT = 1.0
_TIMED = 32  # rows that an estimate takes
_STATISTICS = 512  # rows that the scale of pixels is taken from


@dataclass(frozen=True)
class EncoderFit:
    """A fitted encoder with its head.

    Attributes:
        reduction: of the whole feature set, with the encoder in it.
        learner: the head.
        predicted: of the rows that stopped the training, in the transformed target.
        observed: there.
        epochs: trained, and which was the best.
    """

    reduction: Reduction
    learner: MlpLearner
    predicted: Predicted
    observed: np.ndarray
    epochs: tuple[int, int]


def fit_encoder(
    recipe: Recipe,
    design: Design,
    rows: np.ndarray,
    inner: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    start: Start | None,
    seed: int,
    device: str,
) -> EncoderFit:
    """Fit on the training part of a fold.

    Args:
        recipe: of a kind that reads windows.
        design: samples and features.
        rows: [n] of the training part; nothing of any other row is looked at.
        inner: [n] inner fold of each: one of them stops the training, and is not trained on.
        y: [n] the transformed target.
        weight: [n] weights of the squared errors.
        start: the encoder that is fine-tuned; None for convolutions.
        seed: of initial weights, order and dropout.
        device: that trains.

    Raises:
        TrainingError: there is no encoder, it is too large for a CPU, or the loss is not finite.
    """
    window, others = split_features(recipe.features)
    beside = fit_reduction(design, others, rows, recipe.pca, seed) if others else Reduction(())
    matrix, shape = design.matrices[window], shape_of(design, window)
    location = design.samples["location_id"].to_numpy()[rows]
    stops = _stopping_rows(inner, location, recipe.validation_fold, seed)
    with _random_numbers(seed):
        encoder = _encoder(recipe, matrix, rows, shape, start, device)
        inputs = shape[0] * SUMMARY + beside.width
        head = EnsembleMlp(recipe.members, inputs, recipe.hidden, recipe.dropout, recipe.activation)
        z = beside.apply(design, rows) if others else np.empty((len(rows), 0), np.float32)
        mean, scale = float(y[~stops].mean()), float(y[~stops].std()) or 1.0
        part = _Part(_Stems(encoder, matrix, rows, shape, device), z, (y - mean) / scale, weight / weight.mean())
        epochs = _Training(recipe, encoder, head, part, device, seed).run(np.flatnonzero(~stops), np.flatnonzero(stops))
    if isinstance(encoder.backbone, Transformer):
        encoder.backbone.merge()
    encoder.eval().requires_grad_(False)
    columns = design.positions(window)[window]
    encoded = EncodedWindows.fit(window, columns, shape, encoder, matrix, rows)
    reduction = Reduction((encoded, *beside.groups))
    head.cpu().eval().requires_grad_(False)
    learner = MlpLearner(head, *_raw_summaries(encoded, beside), mean, scale)
    held_out = rows[stops]
    predicted = learner.predict(reduction.apply(design, held_out))
    return EncoderFit(reduction, learner, predicted, y[stops], epochs)


def seconds_of_a_row(
    recipe: Recipe, design: Design, rows: np.ndarray, start: Start | None, device: str
) -> tuple[float, float]:
    """Seconds that a row takes once, in what is frozen, and in each epoch; measured on a few rows.

    Raises:
        TrainingError: there is no encoder, or it is too large for a CPU.
    """
    window, _ = split_features(recipe.features)
    matrix, shape, some = design.matrices[window], shape_of(design, window), rows[:_TIMED]
    with _random_numbers(0):
        encoder = _encoder(recipe, matrix, some, shape, start, device)
        head = EnsembleMlp(recipe.members, shape[0] * SUMMARY, recipe.hidden, recipe.dropout, recipe.activation)
        encoder.to(device)
        _Stems(encoder, matrix, some, shape, device)  # warms up
        first = time.perf_counter()
        stems = _Stems(encoder, matrix, some, shape, device)
        once = time.perf_counter() - first
        part = _Part(stems, np.empty((len(some), 0), np.float32), np.zeros(len(some)), np.ones(len(some)))
        training = _Training(recipe, encoder, head, part, device, 0)
        optimisation, took = training.optimisation(10), []
        for _ in range(2):  # the first warms up
            first = time.perf_counter()
            training.take(np.arange(len(some)), *optimisation)
            took.append(time.perf_counter() - first)
    return once / len(some), min(took) / len(some)


def split_features(features: str) -> tuple[str, str]:
    """The group of windows of a feature set, and the rest of it.

    Raises:
        TrainingError: there is no such group, or more than one.
    """
    words = features.split("+")
    windows = [word for word in words if word.startswith("window:")]
    if len(windows) != 1:
        raise TrainingError(f"The feature set {features!r} needs one group of windows, such as window:16.")
    return windows[0], "+".join(word for word in words if word != windows[0])


def shape_of(design: Design, window: str) -> tuple[int, int, int, int]:
    """Slots, frames, height and width of a group of windows."""
    columns, side = design.columns[window], int(window.split(":")[1])
    slots = len(columns[["band", "lag"]].drop_duplicates())
    return slots, len(columns) // (slots * side * side), side, side


def _encoder(
    recipe: Recipe,
    matrix: np.ndarray,
    rows: np.ndarray,
    shape: tuple[int, int, int, int],
    start: Start | None,
    device: str,
) -> WindowEncoder:
    if recipe.model == "finetune":
        return WindowEncoder(Transformer(require_start(recipe, start, device), recipe, shape[2]), shape[0])
    some = rows[:: -(-len(rows) // _STATISTICS)]
    pixels = matrix[some].reshape(len(some), shape[0], -1)
    scale = np.sqrt(np.nanmean(np.square(pixels, dtype=float), axis=(0, 2), where=~np.isnan(pixels)))
    return WindowEncoder(Convolutions(np.where(scale > 0, scale, 1), shape[1]), shape[0])


def _stopping_rows(inner: np.ndarray, location: np.ndarray, number: int, seed: int) -> np.ndarray:
    """Which rows [n] stop the training: one of the inner folds, or a fifth of the locations of a single one."""
    parts = np.unique(inner)
    if len(parts) > 1:
        return inner == parts[number % len(parts)]
    unique, index = np.unique(location.astype(str), return_inverse=True)
    return np.random.default_rng(seed).permutation(len(unique))[index] < len(unique) // 5


class _Stems:
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
        self._kept: Tensor | None = None
        backbone = encoder.backbone
        tokens = shape[0] * (shape[2] // 8) * (shape[3] // 8) * backbone.width
        if not backbone.frozen or len(rows) * tokens * 2 > _KEPT_BYTES:
            return
        step = rows_at_once(shape, backbone.width)
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
class _Part:
    """Rows of a training part: stems, what stands beside them [n, k], standardised target [n], weights [n]."""

    stems: _Stems
    beside: np.ndarray
    y: np.ndarray
    weight: np.ndarray


class _Training:
    """Epochs over a training part, the best of which is kept."""

    def __init__(
        self, recipe: Recipe, encoder: WindowEncoder, head: EnsembleMlp, part: _Part, device: str, seed: int
    ) -> None:
        self._recipe, self._part, self._device = recipe, part, torch.device(device)
        self._model = nn.ModuleDict({"encoder": encoder, "head": head}).to(self._device)
        self._encoder, self._head = encoder, head
        self._shuffle = np.random.default_rng(seed)
        self._step = rows_at_once(part.stems._shape, encoder.backbone.width)

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


def _raw_summaries(encoded: EncodedWindows, beside: Reduction) -> tuple[np.ndarray, np.ndarray]:
    """Mean and scale with which the head takes standardised summaries back to those that it was trained on."""
    mean = np.append(-encoded.centre / encoded.spread, np.zeros(beside.width))
    return mean.astype(np.float32), np.append(1 / encoded.spread, np.ones(beside.width)).astype(np.float32)


@contextmanager
def _random_numbers(seed: int) -> Iterator[None]:
    """Seed torch, and give the caller's random state back afterwards."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield
