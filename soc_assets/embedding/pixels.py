"""What the transformer takes of a band's windows: which are usable, and their normalised pixels or mean patches."""

import numpy as np

from soc_assets.embedding.encoder.architecture import PATCH
from soc_assets.embedding.spec import Spec
from soc_assets.embedding.tile_cache import TileCache, WindowIndex


class Pixels:
    """Reads windows under one spec.

    Args:
        spec: the frozen spec.
        cache: the rasters, relative to their bands' means.
    """

    def __init__(self, spec: Spec, cache: TileCache) -> None:
        self._spec, self._cache = spec, cache
        self._size = spec.choices["image_size"]

    def usable(self, windows: WindowIndex) -> np.ndarray:
        """Whether enough of the windows [k] is valid: of the whole, and of the tokens that center pooling uses."""
        usable = self._enough(self._cache.shares(windows))
        for tokens in self._spec.parts if self._spec.choices["pooling"] in ("center", "mean_center") else ():
            row, column, side = self.square(tokens)
            usable &= self._enough(self._cache.shares_of(windows, row, column, side))
        return usable

    def square(self, tokens: np.ndarray) -> tuple[int, int, int]:
        """First row, first column and edge, in pixels of the window, of a square of tokens."""
        row, column = divmod(int(tokens[0]), self._size // PATCH)
        return row * PATCH, column * PATCH, round(len(tokens) ** 0.5) * PATCH

    def is_whole(self, tokens: np.ndarray) -> bool:
        """Whether a square of tokens is the window."""
        return len(tokens) == (self._size // PATCH) ** 2

    def standardised(self, band: str, relative: np.ndarray) -> np.ndarray:
        """Values of a band relative to its mean by the band's own statistics, whatever window they are in."""
        return self._spec.statistics[band].apply(relative, self._spec.choices["normalise"])

    def points(self, band: str, windows: WindowIndex) -> np.ndarray:
        """Point values [k, 4]; standardised by band, however images are normalised."""
        return self.standardised(band, self._cache.points(windows))

    def neutral(self, band: str) -> float:
        """What is in a frame where a band has no value: its mean, normalised; 0, as of a constant image."""
        return 0.0 if self._spec.by_image else float(self.standardised(band, np.zeros(1, np.float32))[0])

    def patches(self, band: str, windows: WindowIndex, usable: np.ndarray) -> np.ndarray:
        """Normalised mean patches [k, parts, 64] over the parts of the pooling; neutral where one is not usable."""
        parts = self._spec.parts
        found = np.stack([self._pooled(windows, tokens) for tokens in parts], axis=1)
        if self._spec.by_image:
            gaps = None if windows.tile.gaps is None else [self._pooled_gaps(windows, tokens) for tokens in parts]
            found = self._ranged(band, windows, found, None if gaps is None else np.stack(gaps, axis=1))
        else:
            found = self.standardised(band, found)
        found[~usable] = self.neutral(band)
        return found

    def images(
        self, band: str, windows: WindowIndex, usable: np.ndarray, square: tuple[int, int, int] | None = None
    ) -> np.ndarray:
        """Normalised windows [k, size, size], or a square of each; neutral where one is not usable."""
        found = self._cache.blocks(windows, *(square or (0, 0, self._size)))
        if self._spec.by_image:
            gaps = self._cache.gap_blocks(windows, *(square or (0, 0, self._size)))
            found = self._ranged(band, windows, found, gaps)
        else:
            found = self.standardised(band, found)
        found[~usable] = self.neutral(band)
        return found

    def _enough(self, shares: np.ndarray) -> np.ndarray:
        return (shares >= self._spec.choices["min_valid_fraction"]) & (shares > 0)

    def _ranged(self, band: str, windows: WindowIndex, values: np.ndarray, gaps: np.ndarray | None) -> np.ndarray:
        ranges = self._cache.ranges(windows, self._spec.statistics[band].mean)
        return ranges.apply(values, gaps).astype(np.float32, copy=False)

    def _pooled(self, windows: WindowIndex, tokens: np.ndarray) -> np.ndarray:
        """The mean patch [k, 64] over a square of tokens of the windows, relative to the band's mean."""
        if self.is_whole(tokens):
            return self._cache.mean_patches(windows)
        return _mean_patches(self._cache.blocks(windows, *self.square(tokens)), self._precision)

    def _pooled_gaps(self, windows: WindowIndex, tokens: np.ndarray) -> np.ndarray:
        """The share of gaps [k, 64] in the mean patch over a square of tokens."""
        found = self._cache.gap_patches(windows) if self.is_whole(tokens) else None
        if found is None:
            blocks = self._cache.gap_blocks(windows, *self.square(tokens))
            assert blocks is not None
            found = _mean_patches(blocks, self._precision)
        return found

    @property
    def _precision(self) -> type:
        """Of means: a window's range may be small beside its distance from the band's mean."""
        return np.float64 if self._spec.by_image else np.float32


def _mean_patches(blocks: np.ndarray, precision: type) -> np.ndarray:
    """Mean patches [k, 64] of squares [k, size, size]."""
    count = blocks.shape[-1] // PATCH
    return blocks.reshape(-1, count, PATCH, count, PATCH).mean(axis=(1, 3), dtype=precision).reshape(-1, PATCH * PATCH)
