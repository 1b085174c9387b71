"""The matrices of the affine engine, prepared in double precision from a cut graph and the patch embedding."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from soc_assets.mapping.engine.columns import Columns
from soc_assets.mapping.engine.forms import Dense
from soc_assets.mapping.inputs import MapInputs

_PIXELS = 64


@dataclass(frozen=True)
class Beside:
    """Columns of a form that are no embedding: positions [m] among those, and how each is scaled."""

    positions: np.ndarray
    scale: np.ndarray
    offset: np.ndarray
    fill: np.ndarray

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Scaled columns [n, m] of values [n, d]."""
        scaled = values[:, self.positions] * self.scale + self.offset
        return np.where(np.isnan(scaled), self.fill, scaled)


@dataclass(frozen=True)
class Weights:
    """The product of a block: inputs [n, d] times `matrix` [d, k] plus `constant` [k].

    Inputs are per slot its patches and whether the image is there, and then per form the columns that are no embedding.

    Attributes:
        matrix: float32.
        constant: float32.
        slot: inputs of a slot, its flag the last; 0 where the model takes no embedding.
        rates: [slots, slot - 1] what patches relative to the bands' means are multiplied by; 1 where they are scaled by
            image already.
        beside: per form.
    """

    matrix: Any
    constant: Any
    slot: int
    rates: np.ndarray
    beside: tuple[Beside, ...]


@dataclass(frozen=True)
class _PatchEmbedding:
    """The kernel [width, frames * 64] and bias [width], and per slot the shift of normalised patches [frames * 64]."""

    kernel: np.ndarray
    bias: np.ndarray
    shifts: np.ndarray
    parts: int
    zeros: bool

    def slot(self, form: Dense, inside: np.ndarray, dimension: np.ndarray, number: int) -> tuple[np.ndarray, ...]:
        """A [parts * frames * 64, k], b - z [k] and z [k] of a slot: z stands for an image that is missing.

        Args:
            form: of a cut.
            inside: rows of its matrix that belong to the slot.
            dimension: of the slot's embedding, for each of them.
            number: of the slot.
        """
        diagonal, matrix = form.diagonal, form.matrix[inside]
        scaled = diagonal.scale[inside][:, None] * matrix
        offset = diagonal.offset[inside] @ matrix
        there, products = offset.copy(), []
        for part in range(self.parts):
            chosen = dimension // len(self.kernel) == part
            own = dimension[chosen] % len(self.kernel)
            products.append(self.kernel[own].T @ scaled[chosen])
            there += (self.bias[own] + self.kernel[own] @ self.shifts[number]) @ scaled[chosen]
        null = np.zeros(form.width) if diagonal.fill is None else diagonal.fill[inside] @ matrix
        absent = offset if self.zeros else null
        return np.concatenate(products), there - absent, absent


def prepare(inputs: MapInputs, columns: Columns, forms: tuple[Dense, ...]) -> Weights:
    """The matrices of a model."""
    import torch

    spec, k = inputs.predictor.spec, sum(form.width for form in forms)
    embedding, rates = _patch_embedding(inputs) if columns.embedded else None, _rates(inputs)
    slot = rates.shape[1] + 1 if columns.embedded else 0
    rows, constant = np.zeros((len(spec.slots) * slot, k)), np.zeros(k)
    beside, below, left = [], [], 0
    for form in forms:
        own = slice(left, left + form.width)
        constant[own] += form.constant
        for number, inside, dimension in _slots(form, columns, len(spec.slots)):
            assert embedding is not None
            product, flag, absent = embedding.slot(form, inside, dimension, number)
            rows[number * slot : (number + 1) * slot - 1, own] = product
            rows[(number + 1) * slot - 1, own] = flag
            constant[own] += absent
        of_form, chosen = _beside(form, columns)
        block = np.zeros((len(chosen), k))
        block[:, own] = form.matrix[chosen]
        beside.append(of_form)
        below.append(block)
        left = own.stop
    matrix = np.concatenate([rows, *below]).astype(np.float32)
    return Weights(torch.from_numpy(matrix), torch.from_numpy(constant.astype(np.float32)), slot, rates, tuple(beside))


def _slots(form: Dense, columns: Columns, slots: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Per slot the rows of a form's matrix that belong to it, and which dimensions of its embedding they are."""
    if not columns.embedded:
        return
    width = columns.embedded // slots
    position = form.diagonal.columns - columns.first_of_embedding
    for number in range(slots):
        inside = np.flatnonzero((position >= number * width) & (position < (number + 1) * width))
        yield number, inside, position[inside] - number * width


def _beside(form: Dense, columns: Columns) -> tuple[Beside, np.ndarray]:
    """What a form takes beside the embedding, and the rows of its matrix for that."""
    diagonal, (first, last) = form.diagonal, (columns.first_of_embedding, columns.end_of_embedding)
    chosen = np.flatnonzero((diagonal.columns < first) | (diagonal.columns >= last))
    position = diagonal.columns[chosen]
    position = position - np.where(position >= last, last - first, 0)
    fill = np.full(len(chosen), np.nan) if diagonal.fill is None else diagonal.fill[chosen]
    return Beside(position, diagonal.scale[chosen], diagonal.offset[chosen], fill), chosen


def _patch_embedding(inputs: MapInputs) -> _PatchEmbedding:
    predictor = inputs.predictor
    projection = predictor.embedder.encoder.weights.encoder.patch_embed.proj
    weight, bias = projection.weight.detach().cpu().double(), projection.bias
    assert bias is not None
    kernel = weight.sum(dim=2).flatten(1) if predictor.spec.frames == 1 else weight.flatten(1)
    spec, raw = predictor.spec, predictor.spec.choices["normalise"] == "none"
    means = [[spec.statistics[band.name].mean if raw else 0.0 for band in slot.bands] for slot in spec.slots]
    return _PatchEmbedding(
        kernel.numpy(),
        bias.detach().cpu().double().numpy(),
        np.repeat(np.array(means), _PIXELS, axis=1),
        len(spec.parts),
        zeros=predictor.features.missing != "null",
    )


def _rates(inputs: MapInputs) -> np.ndarray:
    """Per slot what its patches [parts * frames * 64] are multiplied by to be normalised."""
    spec = inputs.predictor.spec
    by_band = spec.choices["normalise"] == "band"
    deviations = [[spec.statistics[band.name].std if by_band else 1.0 for band in slot.bands] for slot in spec.slots]
    rates = np.array([[1 / std if std > 0 else 1.0 for std in of] for of in deviations], np.float32)
    return np.tile(np.repeat(rates, _PIXELS, axis=1), (1, len(spec.parts)))
