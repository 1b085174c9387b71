"""The engine of affine models: at stage `patch_embed` each image is a linear filter of its raster.

So everything up to the model's first step that is not affine is a sum over images of m (A p + b), plus a constant: p is
the image's mean patch, m whether it is there, and A holds kernel, standardisation and components (`weights`). One
product per block gives it; what comes after is the model's own graph (`graph`). Where an image is missing m is 0, and a
constant stands for it: that of zeros, or of what a null becomes.
"""

import threading

import numpy as np

from soc_assets.mapping.engine.blocks import Block, PointEngine, cores
from soc_assets.mapping.engine.columns import Columns
from soc_assets.mapping.engine.graph import Cut
from soc_assets.mapping.engine.tile_data import TileData, nearest
from soc_assets.mapping.engine.weights import prepare
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import Cells, Period, Place
from soc_assets.mapping.predictions import NUMBERS, Predictions, sound

_STRANGE = 1e4
"""Size of a standardised input from which on the model's own checks decide: is a nodata value not declared?"""


class AffineEngine:
    """Predicts blocks by one product each, and the rest of the model's graph."""

    name, together, once = "affine", False, False

    def __init__(self, inputs: MapInputs, cut: Cut) -> None:
        self._inputs, self._cut, self._columns = inputs, cut, Columns(inputs)
        self._weights = prepare(inputs, self._columns, cut.forms)
        self._by_points, self._own = PointEngine(inputs), threading.local()
        self.threads = cores()

    def open(self, period: Period, place: Place) -> Block:
        """What predicts the blocks of a tile."""
        data, careful = self._columns.open(self._inputs, period, place), self._by_points.open(period, place)

        def predict(cells: Cells) -> Predictions:
            found = self._predict(data, cells)
            return careful(cells) if found is None else found

        return predict

    def _predict(self, data: TileData, cells: Cells) -> Predictions | None:
        """Predictions; None where an input is absurdly large, and the model's own checks have to look at it."""
        import torch

        present, beside = data.present(cells), self._columns.beside(data, cells)
        x = self._buffer(cells.size)
        filled = self._write_images(data, cells, present, x)
        first = len(data.spec.slots) * self._weights.slot
        for own in self._weights.beside:
            x[:, first : first + len(own.positions)] = own.apply(beside)
            first += len(own.positions)
        if x.size and not max(x.max(), -x.min()) < _STRANGE:
            return None
        with torch.inference_mode():
            reduced = torch.addmm(self._weights.constant, torch.from_numpy(x), self._weights.matrix)
            cuts = reduced.split([form.width for form in self._cut.forms], dim=1)
            gaps = [torch.from_numpy(self._gaps(filled, beside))] if self._cut.counts_missing else []
            answer = self._cut.rest(*cuts, *gaps)
        [found] = answer if isinstance(answer, (tuple, list)) else [answer]
        missing = (~present).sum(axis=1)
        numbers = np.full((cells.size, max(len(NUMBERS), found.shape[1])), np.nan)
        numbers[:, : found.shape[1]] = found.numpy()
        numbers[missing == present.shape[1]] = np.nan
        return Predictions(sound(numbers), missing, present.shape[1])

    def _buffer(self, n: int) -> np.ndarray:
        """Room for the inputs of n cells, each thread's own: fresh memory would take as long as filling it."""
        whole = getattr(self._own, "buffer", None)
        if whole is None or len(whole) < n:
            whole = self._own.buffer = np.empty((n, len(self._weights.matrix)), np.float32)
        return whole[:n]

    def _write_images(self, data: TileData, cells: Cells, present: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Put the patches and flags of all slots into x; returns which images [n, slots] there are after filling."""
        filled, width, source = present, self._weights.slot, None
        if data.missing_as == "nearest_lag" and not present.all():
            source = nearest(present, data.order)
            filled = np.take_along_axis(present, source, axis=1)
        if not width:
            return filled
        whole = x.reshape(*cells.shape, -1)
        for number in range(len(data.spec.slots)):
            own = whole[:, :, number * width : (number + 1) * width - 1]
            data.write_slot(number, cells, own)
            own *= self._weights.rates[number]
            x[:, (number + 1) * width - 1] = filled[:, number]
        if source is not None:
            slots = x[:, : source.shape[1] * width].reshape(len(x), source.shape[1], width)
            slots[:, :, :-1] = np.take_along_axis(slots[:, :, :-1], source[:, :, None], axis=1)
        return filled

    def _gaps(self, filled: np.ndarray, beside: np.ndarray) -> np.ndarray:
        """Missing images [n] as the graph counts them: all their columns are null, or zero where that is a gap."""
        image, zeros, columns = self._cut.image, self._cut.zeros, self._columns
        found = np.zeros(len(filled), np.int64)
        first, last = columns.first_of_embedding, columns.end_of_embedding
        if columns.embedded:
            gap = zeros[first : last : columns.embedded // filled.shape[1]]
            null = self._inputs.predictor.features.missing == "null"
            found += (~filled & (gap | null)).sum(axis=1)
        rest = np.delete(np.arange(len(image)), slice(first, last))
        empty = np.isnan(beside) | ((beside == 0) & zeros[rest])
        for number in np.unique(image[rest][~columns.are_coordinates]).tolist():
            found += empty[:, image[rest] == number].all(axis=1)
        return found
