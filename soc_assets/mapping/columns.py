"""The raw features of a model, and the engine of raw features.

Their columns come from filters of whole rasters, and the model is asked as it is served: for models whose graph cannot
be cut (`affine`). Embeddings are made by the encoder from pooled patches, a block at a time.
"""

import numpy as np
import pandas as pd

from soc_assets.mapping.blocks import Block, cores
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import BLOCK, Cells, Period, Place
from soc_assets.mapping.rows import Predictions, predict_features
from soc_assets.mapping.tile_data import TileData, nearest
from soc_assets.regression.design.design import Design, columns_table

_AT_ONCE_BYTES = 2**29  # of raw features in all threads together
_BESIDE = {"point": TileData.points, "coordinates": TileData.coordinates}


class Columns:
    """Which raw columns of each group a model takes, in its order.

    Attributes:
        positions: per group the columns, in the order of the feature set.
        width: of all.
        embedded: columns of the embedding.
        first_of_embedding: where they begin.
        are_coordinates: which of the other columns [m] are coordinates.
    """

    def __init__(self, inputs: MapInputs) -> None:
        tables = {name: columns_table(of) for name, of in inputs.predictor.columns.items()}
        tables["coordinates"] = columns_table([("coordinates", name, None, 0) for name in ("x", "y")])
        self.positions = Design(pd.DataFrame(), {}, tables, {}).positions(inputs.registered.features)
        self.width = sum(map(len, self.positions.values()))
        self.embedded = len(self.positions.get("embedding", ()))
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

    name = "raw features"

    def __init__(self, inputs: MapInputs) -> None:
        self._inputs, self._columns = inputs, Columns(inputs)
        self.threads = max(1, min(cores(), _AT_ONCE_BYTES // (4 * BLOCK**2 * self._columns.width)))

    def open(self, period: Period, place: Place) -> Block:
        """What predicts the blocks of a tile."""
        data = self._columns.open(self._inputs, period, place)
        return lambda cells: self._predict(data, cells)

    def _predict(self, data: TileData, cells: Cells) -> Predictions:
        columns, present = self._columns, data.present(cells)
        features = columns.beside(data, cells)
        if columns.embedded:
            embedding = self._embeddings(data, cells, present)[:, columns.positions["embedding"]]
            first = columns.first_of_embedding
            features = np.concatenate([features[:, :first], embedding, features[:, first:]], axis=1)
        return predict_features(self._inputs.registered.model, features, (~present).sum(axis=1), present.shape[1])

    def _embeddings(self, data: TileData, cells: Cells, present: np.ndarray) -> np.ndarray:
        """Embeddings [n, slots * width], gaps as the setting `missing` says."""
        spec, n = data.spec, cells.size
        patches = np.empty((*cells.shape, len(spec.slots), len(spec.parts) * spec.frames * 64), np.float32)
        for number in range(len(spec.slots)):
            data.write_slot(number, cells, patches[:, :, number])
            self._normalise(data, number, patches[:, :, number])
        flat = patches.reshape(n * len(spec.slots), len(spec.parts), -1)
        made = self._inputs.predictor.embedder.encoder.patches(flat).reshape(n, len(spec.slots), -1)
        made = made.astype(spec.choices["storage"]).astype(np.float32)
        if data.missing_as == "nearest_lag":
            source = nearest(present, data.order)
            made = np.take_along_axis(made, source[:, :, None], axis=1)
            present = np.take_along_axis(present, source, axis=1)
        made[~present] = np.nan if data.missing_as == "null" else 0
        return made.reshape(n, -1)

    def _normalise(self, data: TileData, number: int, patches: np.ndarray) -> None:
        """Patches relative to the bands' means become what the encoder takes, frame by frame."""
        embedder, bands = self._inputs.predictor.embedder, data.spec.slots[number].bands
        for frame in range(len(data.spec.parts) * len(bands)):
            part = patches[:, :, frame * 64 : (frame + 1) * 64]
            part[:] = embedder.normalised(bands[frame % len(bands)].name, part)
