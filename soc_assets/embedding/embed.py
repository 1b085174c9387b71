"""Samples to embedding vectors: gathers what each image needs, embeds it, and puts it in its place.

At stage `patch_embed` the pooled patches of all images are gathered first (64 numbers per image and part) and embedded
by one matrix product; at stage `encoder` whole windows go through the transformer. Writing files is in `batch`.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from soc_assets.embedding.architecture import PATCH, anchor_index
from soc_assets.embedding.atlas import Atlas
from soc_assets.embedding.encode import Encoder
from soc_assets.embedding.fields import Fields
from soc_assets.embedding.spec import Spec
from soc_assets.embedding.steps import groups, keys_of, step_numbers
from soc_assets.embedding.tiles import Source, TileReader
from soc_assets.embedding.windows import corners, cut_windows


@dataclass(frozen=True)
class Embedded:
    """Embeddings of n samples.

    Attributes:
        keys: per slot, the key of each sample (`LAI_2012`).
        vectors: [n, slots, rows, width] float32.
        missing: [n, slots], True where the raster is missing or too little of the window is valid.
        valid: [n, slots] share of valid pixels.
    """

    keys: list[list[str]]
    vectors: np.ndarray
    missing: np.ndarray
    valid: np.ndarray


@dataclass(frozen=True)
class _Image:
    """One raster and the samples that read it: positions of samples and slots, and the windows' first pixels."""

    band: str
    source: Source
    sample: np.ndarray
    slot: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


class Embedder:
    """Embeds samples under one spec; keeps tiles and filtered fields of rasters between calls, up to `cache_mb`."""

    def __init__(self, spec: Spec, atlas: Atlas, encoder: Encoder, cache_mb: int) -> None:
        self.encoder = encoder
        self.reader = TileReader(atlas.grid, cache_mb // 4)
        self._spec, self._atlas = spec, atlas
        self._threads = ThreadPoolExecutor(len(os.sched_getaffinity(0)))
        origin = -anchor_index(spec.choices["image_size"], spec.choices["anchor"])
        self._fields = Fields(atlas.grid, spec.choices["image_size"], cache_mb * 3 // 4, origin)

    def __call__(self, samples: pd.DataFrame) -> Embedded:
        """Embed n samples (longitude, latitude, year, season_year, season)."""
        spec, slots = self._spec, self._spec.slots
        steps = [step_numbers(slot, samples, spec.choices["first_lag"]) for slot in slots]
        shape = (len(samples), len(slots))
        missing, valid = np.ones(shape, bool), np.zeros(shape, np.float32)
        images = list(self._images(samples, steps))
        gather = self._gather_patches if spec.choices["stage"] == "patch_embed" else self._gather_tokens
        vectors = gather(images, shape, valid)
        for image in images:
            share = valid[image.sample, image.slot]
            missing[image.sample, image.slot] = (share < spec.choices["min_valid_fraction"]) | (share == 0)
        keys = [keys_of(slot, of_slot) for slot, of_slot in zip(slots, steps, strict=True)]
        return Embedded(keys, vectors, missing, valid)

    def _images(self, samples: pd.DataFrame, steps: list[np.ndarray]) -> Iterator[_Image]:
        """Each raster that is there, once for all its lags."""
        choices, slots, n = self._spec.choices, self._spec.slots, len(samples)
        rows, columns = corners(samples, self._atlas.grid, choices["image_size"], choices["anchor"])
        for band in dict.fromkeys(slot.band for slot in slots):
            of_band = np.array([index for index, slot in enumerate(slots) if slot.band == band])
            for step, positions in groups(np.concatenate([steps[index] for index in of_band]), band.kind):
                if sheet := self._atlas.sheets.get((band.name, step)):
                    lag, sample = np.divmod(positions, n)
                    yield _Image(band.name, sheet.source, sample, of_band[lag], rows[sample], columns[sample])

    def _gather_patches(self, images: list[_Image], shape: tuple[int, int], valid: np.ndarray) -> np.ndarray:
        parts = len(self._spec.parts)
        patches = np.zeros((*shape, parts, PATCH * PATCH), np.float32)

        def gather(image: _Image) -> None:
            patches[image.sample, image.slot], valid[image.sample, image.slot] = self._patches(image)

        list(self._threads.map(gather, images))  # rasters side by side: GDAL and numpy let other threads run
        return self.encoder.patches(patches.reshape(-1, parts, PATCH * PATCH)).reshape(*shape, *self._spec.shape)

    def _patches(self, image: _Image) -> tuple[np.ndarray, np.ndarray]:
        """Normalised mean patches [k, parts, 64] and shares [k] of one raster."""
        statistics, choices = self._spec.statistics[image.band], self._spec.choices
        mean, share = self._fields.mean_patches(image.source, image.rows, image.columns, statistics.mean)
        edge = choices["image_size"] // PATCH
        parts = [
            mean if len(tokens) == edge * edge else self._token_patches(image, tokens, edge, statistics.mean)
            for tokens in self._spec.parts
        ]
        return statistics.apply(np.stack(parts, axis=1), choices["normalise"]), share

    def _token_patches(self, image: _Image, tokens: np.ndarray, edge: int, gap: float) -> np.ndarray:
        """The mean patch [k, 64], relative to `gap`, over a square of tokens."""
        top, left = divmod(int(tokens[0]), edge)
        side = round(len(tokens) ** 0.5)
        size = side * PATCH
        pixels = self.reader.windows(image.source, image.rows + top * PATCH, image.columns + left * PATCH, size)
        pixels = np.nan_to_num(pixels - np.float32(gap), copy=False)
        return pixels.reshape(-1, side, PATCH, side, PATCH).mean(axis=(1, 3)).reshape(-1, PATCH * PATCH)

    def _gather_tokens(self, images: list[_Image], shape: tuple[int, int], valid: np.ndarray) -> np.ndarray:
        vectors = np.zeros((*shape, *self._spec.shape), np.float32)
        for image in images:
            cut = cut_windows(self.reader, image.source, image.rows, image.columns, image.band, self._spec)
            there = cut.image_of >= 0
            embedded = self.encoder.images(cut.images)
            vectors[image.sample[there], image.slot[there]] = embedded[cut.image_of[there]]
            valid[image.sample, image.slot] = cut.valid_fraction
        return vectors
