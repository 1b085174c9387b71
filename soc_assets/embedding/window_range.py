"""The range of each window of a raster: what `normalise = "image"` scales its values to 0..1 by.

SpectralGPT was pre-trained on images that were scaled to 0..1 by their own smallest and largest value, band by band.
Only valid pixels count; a gap becomes the mean of the window's valid pixels; a window of one value becomes 0, since it
has no range. Within a window this is affine, so the mean of its patches is scaled as its pixels are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

ROUNDING = np.float32(1e-6)  # relative: values that agree to this are one value, which resampling rounded


@dataclass(frozen=True)
class WindowRange:
    """How windows [...] are scaled; all values are relative to the band's mean.

    Attributes:
        low: smallest valid value.
        scale: 1 over the largest minus the smallest; 0 where they are one value.
        fill: what gaps become; None where no window has one.
    """

    low: np.ndarray
    scale: np.ndarray
    fill: np.ndarray | None

    def apply(self, values: np.ndarray, gaps: np.ndarray | None = None) -> np.ndarray:
        """Values [..., p, ...] of the windows, gaps zero, scaled to 0..1.

        Args:
            values: pixels, or means of pixels.
            gaps: where they are gaps, or the share of gaps in each mean; None where there are none.
        """
        inner = (1,) * (values.ndim - self.low.ndim)
        low, scale = (each.reshape(*each.shape, *inner) for each in (self.low, self.scale))
        if gaps is not None and self.fill is not None:
            values = values + self.fill.reshape(low.shape) * gaps
        return (values - low) * scale

    def part(self, where: Any) -> "WindowRange":
        """Those of some of the windows."""
        return WindowRange(self.low[where], self.scale[where], None if self.fill is None else self.fill[where])

    def shaped(self, shape: tuple[int, ...]) -> "WindowRange":
        """The same windows in another shape."""
        fill = None if self.fill is None else self.fill.reshape(shape)
        return WindowRange(self.low.reshape(shape), self.scale.reshape(shape), fill)


@dataclass(frozen=True)
class WindowStatistics:
    """Statistics [h, w] of every window of a tile, by its first pixel; float32, relative to the band's mean.

    Attributes:
        low: smallest valid value.
        high: largest valid value.
        fill: mean of the valid pixels; None where the tile has no gap.
        gaps: share of gaps among every eighth pixel, as mean patches have it; None without gaps, or unless asked for.
    """

    low: np.ndarray
    high: np.ndarray
    fill: np.ndarray | None
    gaps: np.ndarray | None

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(each.nbytes for each in (self.low, self.high, self.fill, self.gaps) if each is not None)

    def at(self, rows: np.ndarray, columns: np.ndarray, mean: float) -> WindowRange:
        """The ranges of windows that begin at (rows, columns) [...]; `mean` is the band's."""
        low, high = self.low[rows, columns], self.high[rows, columns]
        with np.errstate(invalid="ignore", divide="ignore"):
            size = np.maximum(np.maximum(np.abs(low + np.float32(mean)), np.abs(high + np.float32(mean))), abs(mean))
            one_value = ~(high - low > ROUNDING * size.astype(np.float32))  # also where nothing is valid
            scale = np.where(one_value, np.float32(0), np.float32(1) / (high - low))
        low = np.where(np.isfinite(low), low, np.float32(0))
        return WindowRange(low, scale, None if self.fill is None else self.fill[rows, columns])


def running_extreme(values: np.ndarray, count: int, axis: int, extreme: Callable[..., np.ndarray]) -> np.ndarray:
    """Smallest or largest (`np.minimum` or `np.maximum`) of `count` neighbours along an axis, by doubling."""
    values = np.moveaxis(values, axis, 0)
    length, width = len(values) - count + 1, 1
    while 2 * width <= count:
        values = extreme(values[:-width], values[width:])
        width *= 2
    rest = count - width  # the two windows overlap
    return np.moveaxis(extreme(values[:length], values[rest : rest + length]), axis, 0)
