"""The windows of samples in the rasters: which raster is read where, and the normalised pixels around each sample."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

import numpy as np
import pandas as pd

from soc_assets.embedding.encoder.architecture import PATCH, middle_tokens
from soc_assets.embedding.gathered import Raster
from soc_assets.embedding.layout import Layout
from soc_assets.embedding.pixels import Pixels
from soc_assets.embedding.spec import Spec
from soc_assets.embedding.tile_cache import TileCache, WindowIndex
from soc_assets.embedding.windows import corners
from soc_assets.errors import EmbeddingError
from soc_assets.rasters.index import RasterIndex
from soc_assets.rasters.steps import groups, step_numbers
from soc_assets.runtime import interrupts


class SampleWindows:
    """Reads the windows of samples under one spec. Thread-safe.

    Args:
        spec: the frozen spec.
        raster_index: rasters by band and step.
        cache_mb: limit of the memory for rasters, which are cached between calls.
    """

    def __init__(self, spec: Spec, raster_index: RasterIndex, cache_mb: int) -> None:
        self.cache = TileCache(
            raster_index.grid, spec.choices["image_size"], spec.choices["anchor"], cache_mb, spec.linear, spec.by_image
        )
        self.pixels = Pixels(spec, self.cache)
        self._spec, self._raster_index, self._layout = spec, raster_index, Layout(spec)
        self._threads = ThreadPoolExecutor(os.cpu_count() or 1)

    def middles(self, samples: pd.DataFrame, side: int) -> np.ndarray:
        """The middle of each sample's windows, relative to what stands for a gap: float32 [n, slots, frames, h, w].

        NaN where an image is missing, by the same rule as for embeddings.

        Args:
            samples: n of them: longitude, latitude, year, season_year, season.
            side: h and w, pixels: whole tokens, at most the window.

        Raises:
            EmbeddingError: the side is not of whole tokens, or larger than the window.
        """
        choices, layout = self._spec.choices, self._layout
        try:
            first, _ = middle_tokens(choices["image_size"], side, choices["anchor"])
        except ValueError as error:
            raise EmbeddingError(
                f"A feature set asks for {error}. Raise image_size in [embedding] of soc.toml; or give "
                "[[evaluation.recipes]] one of your own with a smaller window, such as features = 'window:8', and name "
                "it instead of `finetune` or `convolution`."
            ) from None
        found = np.full((len(samples), len(layout.slots), layout.frames, side, side), np.nan, np.float32)
        square = (first * PATCH, first * PATCH, side)

        def read(raster: Raster) -> None:
            neutral = self.pixels.neutral(raster.band)
            for windows in self._windows(raster):
                usable = self.pixels.usable(windows)
                images = self.pixels.images(raster.band, windows, usable, square) - np.float32(neutral)
                images[~usable] = np.nan
                sample, lag = raster.sample[windows.members], raster.lag[windows.members]
                for frame, slot_of_lag in layout.places_of(raster.band):
                    found[sample, slot_of_lag[lag], frame] = images

        self._in_threads(read, list(self._rasters(samples)))
        return found

    def _rasters(self, samples: pd.DataFrame) -> Iterator[Raster]:
        """Each available raster, once for all its lags."""
        choices, n = self._spec.choices, len(samples)
        rows, columns = corners(samples, self._raster_index.grid, choices["image_size"], choices["anchor"])
        for band, slots in groupby(self._layout.band_slots, key=lambda slot: slot.bands[0]):
            numbers = [step_numbers(slot, samples) for slot in slots]
            for step, positions in groups(np.concatenate(numbers), band.kind):
                if mosaic := self._raster_index.mosaics.get((band.name, step)):
                    lag, sample = np.divmod(positions, n)
                    number = int(numbers[lag[0]][sample[0]])
                    yield Raster(band.name, number, mosaic, sample, lag, rows[sample], columns[sample])

    def _windows(self, raster: Raster) -> Iterator[WindowIndex]:
        return self.cache.windows_in_tiles(
            raster.mosaic, raster.rows, raster.columns, self._spec.statistics[raster.band].mean
        )

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False)

    def _in_threads(self, work: Callable[[Raster], None], rasters: list[Raster]) -> None:
        """Rasters at once on all cores: GDAL and numpy let other threads run."""

        def heeding_signals(raster: Raster) -> None:
            interrupts.check()
            work(raster)

        list(self._threads.map(heeding_signals, rasters))
