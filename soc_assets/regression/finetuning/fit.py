"""An encoder and the head on it, fitted on the training part of a fold; an inner fold says when to stop.

The head is the MLP ensemble, on summaries of the windows and on whatever stands beside them. The loop is in `train`.
"""

import time
from dataclasses import dataclass

import numpy as np

from soc_assets.errors import TrainingError
from soc_assets.regression.design.design import Design
from soc_assets.regression.design.reduction import Reduction, fit_reduction
from soc_assets.regression.finetuning.encoded import EncodedWindows
from soc_assets.regression.finetuning.network import SUMMARY, Convolutions, Transformer, WindowEncoder
from soc_assets.regression.finetuning.start import Start, require_start
from soc_assets.regression.finetuning.train import Part, Stems, Training
from soc_assets.regression.models.ensemble import EnsembleMlp
from soc_assets.regression.models.learners import MlpLearner, Predicted
from soc_assets.regression.models.training import own_random_numbers
from soc_assets.settings.evaluation import Recipe

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
    with own_random_numbers(seed):
        encoder = _encoder(recipe, matrix, rows, shape, start, device)
        inputs = shape[0] * SUMMARY + beside.width
        head = EnsembleMlp(recipe.members, inputs, recipe.hidden, recipe.dropout, recipe.activation)
        z = beside.apply(design, rows) if others else np.empty((len(rows), 0), np.float32)
        mean, scale = float(y[~stops].mean()), float(y[~stops].std()) or 1.0
        part = Part(Stems(encoder, matrix, rows, shape, device), z, (y - mean) / scale, weight / weight.mean())
        epochs = Training(recipe, encoder, head, part, device, seed).run(np.flatnonzero(~stops), np.flatnonzero(stops))
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
    with own_random_numbers(0):
        encoder = _encoder(recipe, matrix, some, shape, start, device)
        head = EnsembleMlp(recipe.members, shape[0] * SUMMARY, recipe.hidden, recipe.dropout, recipe.activation)
        encoder.to(device)
        Stems(encoder, matrix, some, shape, device)  # warms up
        first = time.perf_counter()
        stems = Stems(encoder, matrix, some, shape, device)
        once = time.perf_counter() - first
        part = Part(stems, np.empty((len(some), 0), np.float32), np.zeros(len(some)), np.ones(len(some)))
        training = Training(recipe, encoder, head, part, device, 0)
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


def _raw_summaries(encoded: EncodedWindows, beside: Reduction) -> tuple[np.ndarray, np.ndarray]:
    """Mean and scale with which the head takes standardised summaries back to those that it was trained on."""
    mean = np.append(-encoded.centre / encoded.spread, np.zeros(beside.width))
    return mean.astype(np.float32), np.append(1 / encoded.spread, np.ones(beside.width)).astype(np.float32)
