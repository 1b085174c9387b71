"""Samples to embedding vectors and point values: reads the rasters, embeds, and stores each result at its position.

Where pooling is a mean at stage `patch_embed`, the pooled patches of all images are gathered first (64 numbers per
frame and part) and embedded by one matrix product; otherwise whole windows go through the transformer as one stream.
Reading is in `sample_windows`, writing files in `batch`, the transformer in `encoder`.
"""

from collections.abc import Hashable, Iterator
from itertools import groupby
from threading import Lock

import numpy as np
import pandas as pd

from soc_assets.embedding.embedded import Embedded
from soc_assets.embedding.encoder.architecture import PATCH
from soc_assets.embedding.encoder.encoder import Encoder
from soc_assets.embedding.gathered import Gathered, Raster
from soc_assets.embedding.sample_windows import SampleWindows
from soc_assets.embedding.scenes import KeptScenes, Place
from soc_assets.embedding.spec import Spec
from soc_assets.embedding.tile_cache import POINT_WINDOWS, WindowIndex
from soc_assets.rasters.index import RasterIndex
from soc_assets.rasters.steps import keys_of, step_numbers


class Embedder(SampleWindows):
    """Embeds samples under one spec. Thread-safe.

    Args:
        spec: the frozen spec.
        raster_index: rasters by band and step.
        encoder: of the spec; None leaves the vectors at zero, for those who ask for the rest.
        cache_mb: limit of the memory for rasters, which are cached between calls.
        kept_mb: limit of the memory for embedded windows that a later call may ask for again.
    """

    def __init__(
        self, spec: Spec, raster_index: RasterIndex, encoder: Encoder | None, cache_mb: int, kept_mb: int = 0
    ) -> None:
        super().__init__(spec, raster_index, cache_mb)
        self._encoder = encoder
        self._kept, self._streaming = KeptScenes(kept_mb * 2**20), Lock()

    @property
    def encoder(self) -> Encoder:
        """The encoder of the spec."""
        assert self._encoder is not None, "made without an encoder"
        return self._encoder

    def __call__(self, samples: pd.DataFrame) -> Embedded:
        """Embed n samples (longitude, latitude, year, season_year, season)."""
        layout, n = self._layout, len(samples)
        gathered = Gathered(
            np.zeros((n, len(layout.slots), layout.frames), np.float32),
            np.zeros((n, len(layout.slots), layout.frames), bool),
            np.full((n, len(layout.band_slots), len(POINT_WINDOWS)), np.nan, np.float32),
        )
        rasters = list(self._rasters(samples))
        how = self._by_patches if self._spec.linear else self._by_windows
        vectors = (how if self._encoder else self._not_at_all)(rasters, gathered)
        return Embedded(
            keys=[keys_of(slot, step_numbers(slot, samples)) for slot in layout.slots],
            vectors=vectors,
            missing=np.logical_not(gathered.usable.any(axis=2)),
            valid=gathered.shares.mean(axis=2),
            point_keys=[keys_of(slot, step_numbers(slot, samples)) for slot in layout.band_slots],
            points=gathered.points,
        )

    def _note(self, raster: Raster, windows: WindowIndex, gathered: Gathered) -> np.ndarray:
        """Store a raster's shares and point values; returns which windows [k] are usable."""
        sample, lag, usable = raster.sample[windows.members], raster.lag[windows.members], self.pixels.usable(windows)
        for frame, slot_of_lag in self._layout.places_of(raster.band):
            gathered.shares[sample, slot_of_lag[lag], frame] = self.cache.shares(windows)
            gathered.usable[sample, slot_of_lag[lag], frame] = usable
        gathered.points[sample, self._layout.points_of(raster.band)[lag]] = self.pixels.points(raster.band, windows)
        return usable

    def _by_patches(self, rasters: list[Raster], gathered: Gathered) -> np.ndarray:
        """Vectors by the mean-patch identity."""
        parts = self._spec.parts
        patches = np.zeros((*gathered.shares.shape, len(parts), PATCH * PATCH), np.float32)
        patches += self._neutral()[:, :, None, None]

        def ask(raster: Raster) -> None:
            for windows in self._windows(raster):
                found = self.pixels.patches(raster.band, windows, self._note(raster, windows, gathered))
                sample, lag = raster.sample[windows.members], raster.lag[windows.members]
                for frame, slot_of_lag in self._layout.places_of(raster.band):
                    patches[sample, slot_of_lag[lag], frame] = found

        self._in_threads(ask, rasters)
        n, slots, frames = gathered.shares.shape
        patches = patches.transpose(0, 1, 3, 2, 4).reshape(n * slots, len(parts), frames * PATCH * PATCH)
        return self.encoder.patches(patches).reshape(n, slots, *self._spec.shape)

    def _by_windows(self, rasters: list[Raster], gathered: Gathered) -> np.ndarray:
        """Vectors of whole windows through the transformer, all as one stream."""
        vectors = self._not_at_all(rasters, gathered)
        waiting: dict[Hashable, list[Place]] = {}
        with self._streaming:  # a second thread finds what this one has embedded
            for embedded in self.encoder.stream(self._scenes(rasters, gathered, vectors, waiting)):
                key = next(iter(waiting))  # results come in the order of the scenes
                self._kept.put(key, embedded)
                for place in waiting.pop(key):  # if it is not kept, a later repeat is embedded again
                    place.write(embedded, vectors)
        return vectors

    def _not_at_all(self, rasters: list[Raster], gathered: Gathered) -> np.ndarray:
        """Zeros in the place of vectors; what else is known of the windows is gathered."""

        def note(raster: Raster) -> None:
            for windows in self._windows(raster):
                self._note(raster, windows, gathered)

        self._in_threads(note, rasters)
        n, slots, _ = gathered.shares.shape
        return np.zeros((n, slots, *self._spec.shape), np.float32)

    def _scenes(
        self, rasters: list[Raster], gathered: Gathered, vectors: np.ndarray, waiting: dict[Hashable, list[Place]]
    ) -> Iterator[np.ndarray]:
        """Distinct windows [u, frames, h, w] that the transformer sees together; notes who waits for their results.

        Results that are kept are written to `vectors` at once.
        """
        layout = self._layout
        ordered = sorted(rasters, key=lambda raster: (layout.scene_of(raster.band), raster.step))
        for (scene, _), members in groupby(ordered, key=lambda raster: (layout.scene_of(raster.band), raster.step)):
            seen = list(members)
            first = seen[0]  # all of a scene are read by the same samples
            slot = np.stack([slot_of_lag[first.lag] for slot_of_lag in layout.scene_slots(scene)], axis=1)
            wanted = gathered.usable[first.sample[:, None], slot].any(axis=(1, 2))
            if not wanted.any():
                continue
            corner = np.column_stack([first.rows, first.columns])[wanted]
            unique, image = np.unique(corner, axis=0, return_inverse=True)
            place, key = Place(first.sample[wanted], slot[wanted], image.ravel()), self._key(scene, seen, unique)
            if (kept := self._kept.get(key)) is not None:
                place.write(kept, vectors)
            elif key in waiting:
                waiting[key].append(place)
            else:
                waiting[key] = [place]
                yield self._images(scene, seen, unique)

    def _key(self, scene: tuple[str, ...], seen: list[Raster], corner: np.ndarray) -> Hashable:
        """What decides the results of windows that begin at corners [u, 2]: the files that they read, and where."""
        size = self._spec.choices["image_size"]
        read = sorted((raster.band, raster.mosaic.digest_of(corner[:, 0], corner[:, 1], size)) for raster in seen)
        return scene, tuple(read), corner.tobytes()

    def _images(self, scene: tuple[str, ...], seen: list[Raster], corner: np.ndarray) -> np.ndarray:
        """The windows [u, frames, h, w] of a scene that begin at corners [u, 2]."""
        bands, size = self._layout.scene_frames(scene), self._spec.choices["image_size"]
        images = np.empty((len(corner), len(bands), size, size), np.float32)
        images[:] = np.array([self.pixels.neutral(band) for band in bands], np.float32)[:, None, None]
        for raster in seen:
            self._draw(raster, corner, bands, images)
        return images

    def _draw(self, raster: Raster, corner: np.ndarray, bands: list[str], images: np.ndarray) -> None:
        """Put a raster's normalised windows into its band's frames; windows with too many gaps stay neutral."""
        gap = self._spec.statistics[raster.band].mean
        for windows in self.cache.windows_in_tiles(raster.mosaic, corner[:, 0], corner[:, 1], gap):
            found = self.pixels.images(raster.band, windows, self.pixels.usable(windows))
            for frame in [number for number, band in enumerate(bands) if band == raster.band]:
                images[windows.members, frame] = found

    def _neutral(self) -> np.ndarray:
        """What is in every slot and frame [slots, frames] where a band has no value."""
        slots = self._layout.slots
        return np.array([[self.pixels.neutral(band.name) for band in slot.bands] for slot in slots], np.float32)
