"""The raw features of a model, and the engine of raw features.

Their columns come from filters of whole rasters, and the model is asked as it is served: for models whose graph cannot
be cut (`affine`), for embeddings that are not linear in the pixels, and for windows. Embeddings are made a block at a
time: from pooled patches, or by the transformer from whole windows.
"""

import numpy as np
import pandas as pd

from soc_assets.mapping.engine.blocks import Block, cores
from soc_assets.mapping.engine.tile_data import TileData, nearest
from soc_assets.mapping.inputs import MapInputs, frame_of
from soc_assets.mapping.lattice import BLOCK, Cells, Period, Place
from soc_assets.mapping.predictions import Predictions, joined
from soc_assets.regression.design.design import Design, columns_table
from soc_assets.runtime.device import resolve_device

_AT_ONCE_BYTES = 2**29  # of raw features in all threads together
_STRIP_BYTES = 2**28  # of embeddings of a part of a block, where they are long: half of what is kept for other periods
_FEEDING = 3  # threads that keep a device busy: one feeds it, the others read what it gave
_BESIDE = {"point": TileData.points, "coordinates": TileData.coordinates}


class Columns:
    """Which raw columns of each group a model takes, in its order.

    Attributes:
        positions: per group the columns, in the order of the feature set.
        width: of all.
        embedded: columns of the embedding.
        windows: whether windows are among them.
        first_of_embedding: where they begin.
        are_coordinates: which of the other columns [m] are coordinates.
    """

    def __init__(self, inputs: MapInputs) -> None:
        tables = dict(inputs.predictor.columns)
        tables["coordinates"] = columns_table([("coordinates", name, None, 0) for name in ("x", "y")])
        self.positions = Design(pd.DataFrame(), {}, tables, {}).positions(inputs.registered.features)
        self.width = sum(map(len, self.positions.values()))
        self.embedded = len(self.positions.get("embedding", ()))
        self.windows = bool(inputs.predictor.windows)
        groups = list(self.positions)
        before = groups[: groups.index("embedding")] if self.embedded else []
        self.first_of_embedding = sum(len(self.positions[group]) for group in before)
        others = [np.full(len(self.positions[g]), g == "coordinates") for g in groups if g in _BESIDE]
        self.are_coordinates = np.concatenate([np.empty(0, bool), *others])

    @property
    def end_of_embedding(self) -> int:
        """Where the columns of the embedding end."""
        return self.first_of_embedding + self.embedded

    def open(self, inputs: MapInputs, period: Period, place: Place) -> TileData:
        """What the columns of a tile's cells are made from."""
        return TileData(inputs, period, place, patches=self.embedded > 0, points="point" in self.positions)

    def beside(self, data: TileData, cells: Cells) -> np.ndarray:
        """The columns [n, m] that are no embedding, in the model's order."""
        parts = [_BESIDE[group](data, cells)[:, own] for group, own in self.positions.items() if group in _BESIDE]
        return np.concatenate(parts, axis=1) if parts else np.empty((cells.size, 0), np.float32)


class ColumnEngine:
    """Predicts blocks from their raw features."""

    def __init__(self, inputs: MapInputs) -> None:
        self._inputs, self._columns, spec = inputs, Columns(inputs), inputs.predictor.spec
        self._encodes = self._columns.embedded > 0 and not spec.linear
        self.together = self._encodes or self._columns.windows
        self.once = self._encodes and not self._columns.windows
        self.name = "encoder" if self.together else "raw features"
        self.threads = max(1, min(cores(), _AT_ONCE_BYTES // (4 * BLOCK**2 * self._columns.width)))
        if self.together:
            device = resolve_device(inputs.project.settings.embedding.device)
            self.threads = 1 if device.type == "cpu" else min(self.threads, _FEEDING)
        wide = max(self._columns.width, spec.n_features if self._encodes else 0)
        self._rows = max(1, _STRIP_BYTES // (4 * BLOCK * wide)) if self.together else BLOCK

    def open(self, period: Period, place: Place) -> Block:
        """What predicts the blocks of a tile."""
        data = self._columns.open(self._inputs, period, place)

        def predict(cells: Cells) -> Predictions:
            return joined([self._predict(data, period, strip) for strip in cells.strips(self._rows)])

        return predict

    def _predict(self, data: TileData, period: Period, cells: Cells) -> Predictions:
        present, parts = data.present(cells), []
        for group, own in self._columns.positions.items():
            if group == "embedding":
                made = self._encoded(period, cells) if self._encodes else self._patches(data, cells)
                values = self._filled(data, made, present)
            elif group in _BESIDE:
                values = _BESIDE[group](data, cells)
            else:
                values = self._inputs.predictor.middles(frame_of(self._inputs, period, cells), group)
            parts.append(values[:, own])
        features = np.concatenate(parts, axis=1)
        return self._inputs.predictor.answers(features, (~present).sum(axis=1), present.shape[1])

    def _encoded(self, period: Period, cells: Cells) -> np.ndarray:
        """Embeddings [n, slots, width] of whole windows."""
        vectors = self._inputs.predictor.embedder(frame_of(self._inputs, period, cells)).vectors
        return vectors.reshape(*vectors.shape[:2], -1)

    def _patches(self, data: TileData, cells: Cells) -> np.ndarray:
        """Embeddings [n, slots, width] of pooled patches."""
        spec, n = data.spec, cells.size
        patches = np.empty((*cells.shape, len(spec.slots), len(spec.parts) * spec.frames * 64), np.float32)
        for number in range(len(spec.slots)):
            data.write_slot(number, cells, patches[:, :, number])
            self._normalise(data, number, patches[:, :, number])
        flat = patches.reshape(n * len(spec.slots), len(spec.parts), -1)
        return self._inputs.predictor.embedder.encoder.patches(flat).reshape(n, len(spec.slots), -1)

    def _filled(self, data: TileData, made: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Embeddings [n, slots * width] as they are stored, gaps as the setting `missing` says."""
        made = made.astype(data.spec.choices["storage"]).astype(np.float32)
        if data.missing_as == "nearest_lag":
            source = nearest(present, data.order)
            made = np.take_along_axis(made, source[:, :, None], axis=1)
            present = np.take_along_axis(present, source, axis=1)
        made[~present] = np.nan if data.missing_as == "null" else 0
        return made.reshape(len(made), -1)

    def _normalise(self, data: TileData, number: int, patches: np.ndarray) -> None:
        """Patches relative to the bands' means become what the encoder takes, frame by frame."""
        if data.spec.by_image:  # they are already
            return
        pixels, bands = self._inputs.predictor.embedder.pixels, data.spec.slots[number].bands
        for frame in range(len(data.spec.parts) * len(bands)):
            part = patches[:, :, frame * 64 : (frame + 1) * 64]
            part[:] = pixels.standardised(bands[frame % len(bands)].name, part)
