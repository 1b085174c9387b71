"""The inputs of a tile's cells in a period, block by block: patches, point values, coordinates, and what is missing."""

from functools import cached_property

import numpy as np

from soc_assets.embedding.encoder.architecture import PATCH
from soc_assets.embedding.tile_cache import POINT_WINDOWS
from soc_assets.geo.projection import to_metres
from soc_assets.mapping.engine.fields import Field, Fields, write_patches
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import Cells, Period, Place
from soc_assets.rasters.steps import Slot, Step, step_numbers, step_of
from soc_assets.runtime.threads import threaded_map

_PIXELS = PATCH * PATCH


class TileData:
    """Inputs of the cells of a tile.

    Args:
        inputs: of the maps.
        period: which steps are read.
        place: of the tile.
        patches: whether embeddings are asked for.
        points: whether point values are.
    """

    def __init__(self, inputs: MapInputs, period: Period, place: Place, *, patches: bool, points: bool) -> None:
        predictor = inputs.predictor
        self._inputs, self.spec = inputs, predictor.spec
        self.cells = inputs.lattice.cells(place)
        self.missing_as = predictor.features.missing
        self._fields = Fields(self.spec, predictor.embedder, inputs.lattice, place, patches=patches, points=points)
        self._row = period.rows(np.zeros(1), np.zeros(1))
        keys = [(band.name, self._step(slot)) for slot in self.spec.slots for band in slot.bands]
        mosaics = predictor.raster_index.mosaics
        there = [key for key in dict.fromkeys(keys) if key in mosaics]
        made = threaded_map(lambda key: self._fields.of(key[0], mosaics[key]), there)
        self._by_key = dict(zip(there, made, strict=True))

    def _step(self, slot: Slot) -> Step:
        return step_of(int(step_numbers(slot, self._row)[0]), slot.kind)

    @cached_property
    def frames(self) -> list[list[Field | None]]:
        """Per slot the field of each frame; None where there is no raster."""
        return [[self._by_key.get((band.name, self._step(slot))) for band in slot.bands] for slot in self.spec.slots]

    @cached_property
    def band_fields(self) -> list[Field | None]:
        """Per band and lag its field, in the order of the point values."""
        return [self._by_key.get((slot.bands[0].name, self._step(slot))) for slot in self.spec.band_slots]

    @cached_property
    def order(self) -> list[list[int]]:
        """Per slot the slots of its band, the nearest lag first (of two equally near the more recent)."""
        return _by_nearness(self.spec.slots)

    @cached_property
    def point_order(self) -> list[list[int]]:
        """As `order`, of the point values."""
        return _by_nearness(self.spec.band_slots)

    def present(self, cells: Cells) -> np.ndarray:
        """Which images of each cell are there [n, slots]."""
        where, n = cells.inside(self.cells), cells.size
        result = np.zeros((n, len(self.frames)), bool)
        for number, frames in enumerate(self.frames):
            for field in frames:
                if field is not None:
                    result[:, number] |= True if field.usable is None else field.usable[where].ravel()
        return result

    def write_slot(self, number: int, cells: Cells, out: np.ndarray) -> None:
        """Put the mean patches of a slot's images into [h, w, parts * frames * 64].

        They are relative to the bands' means, or scaled by the images' ranges. A frame of which too little is valid is
        zero: the band's mean, or as a constant image is.
        """
        where, pixels = cells.inside(self.cells), self._fields.pixels(cells, self.cells)
        frames = self.frames[number]
        for part in range(len(self.spec.parts)):
            for position, field in enumerate(frames):
                first = (part * len(frames) + position) * _PIXELS
                patch = out[:, :, first : first + _PIXELS]
                if field is None:
                    patch[:] = 0
                    continue
                write_patches(field, pixels, where, part, patch)
                if field.usable is not None and not (there := field.usable[where]).all():
                    patch[~there] = 0

    def points(self, cells: Cells) -> np.ndarray:
        """Point values [n, band slots * 4] as the features have them: gaps filled as the setting `missing` says."""
        where, n = cells.inside(self.cells), cells.size
        values = np.full((n, len(self.band_fields), len(POINT_WINDOWS)), np.nan, np.float32)
        for number, field in enumerate(self.band_fields):
            if field is not None and field.points is not None:
                values[:, number] = field.points[where].reshape(n, -1)
        if self.missing_as == "nearest_lag":
            source = nearest(np.logical_not(np.isnan(values).all(axis=2)), self.point_order)
            values = values[np.arange(n)[:, None], source]
        if self.missing_as != "null":
            np.nan_to_num(values, copy=False, nan=0.0)
        return values.reshape(n, -1)

    def coordinates(self, cells: Cells) -> np.ndarray:
        """Easting and northing [n, 2], km."""
        places = to_metres(*self._inputs.lattice.coordinates(cells), self._inputs.predictor.grid)
        return np.column_stack(places).astype(np.float32) / 1000


def nearest(present: np.ndarray, order: list[list[int]]) -> np.ndarray:
    """The slot [n, slots] that each takes: itself, or the nearest of its band that is there; itself if none is."""
    source = np.tile(np.arange(present.shape[1]), (len(present), 1))
    for number, candidates in enumerate(order):
        for candidate in reversed(candidates):
            source[present[:, candidate], number] = candidate
    return source


def _by_nearness(slots: list[Slot]) -> list[list[int]]:
    result = []
    for index, slot in enumerate(slots):
        lags = {n: s.lag for n, s in enumerate(slots) if s.name == slot.name and s.lag is not None}
        near = sorted(lags, key=lambda n: (abs(lags[n] - lags[index]), lags[n])) if slot.lag is not None else [index]
        result.append(near)
    return result
