"""Colours of the layers: ramps from light to dark, classes, and the hatching of cells that the model was not made for.

Lightness falls steadily along every ramp, so that an order can be seen in grey and by the colour-blind, too.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from soc_assets.mapping import quality_classes
from soc_assets.mapping.change import classes as change_classes

RAMPS = {
    "carbon": ("#fcf3d9", "#f0d79a", "#dcae5c", "#b97f3a", "#8a5529", "#57331f", "#2a1a14"),
    "uncertainty": ("#f6f1f8", "#dacbe3", "#b79dc9", "#9170ac", "#6c478c", "#472a66", "#27153d"),
    "distance": ("#eef6f5", "#c3e0dc", "#8fc3be", "#5a9fa0", "#357a80", "#1f5560", "#10323d"),
    "input": ("#f7fbe9", "#d3e7b4", "#a0cb8d", "#6aab78", "#3d8768", "#1f6058", "#0d3a45"),
    "change": ("#7a4a12", "#bf8a3d", "#e6d3a8", "#f4f2ee", "#a9d6cc", "#3f9a8c", "#0b5a50"),
    "residual": ("#1f4e79", "#5b8fbd", "#b5d0e5", "#f4f2ee", "#f0c3a5", "#d27a50", "#8f2d1c"),
}
"""Stops of the ramps, lowest value first; of `residual` and `change` the middle is 0."""
_BEYOND = "#e4e4e1"  # where quality.tif itself is clear


def _hex(colours: Iterable[tuple[int, ...]]) -> tuple[str, ...]:
    return tuple("#{:02x}{:02x}{:02x}".format(*colour[:3]) if colour[3] else _BEYOND for colour in colours)


CLASSES = _hex(quality_classes.COLOURS.values())
"""Of the numbers of quality.tif, as in its own colour table."""
CHANGE_CLASSES = _hex(change_classes.CLASS_COLOURS.values())
"""Of the numbers of beyond_uncertainty.tif."""
_STEPS = 255  # colours of a ramp: with the clear one as many as a palette holds
_HATCH = 8  # pixels from line to line: a divisor of a tile's edge, so that lines go on in the next tile
_INK = (58, 44, 36, 150)


@dataclass(frozen=True)
class Picture:
    """Pixels as positions [h, w] (uint8) in a palette of RGBA colours [k, 4] (uint8), of which the first is clear."""

    index: np.ndarray
    palette: np.ndarray

    @property
    def rgba(self) -> np.ndarray:
        """uint8 [h, w, 4]."""
        return self.palette[self.index]

    def png(self) -> bytes:
        """As a file."""
        from PIL import Image

        image, made = Image.fromarray(self.index, "P"), io.BytesIO()
        image.putpalette(self.palette[:, :3].tobytes())
        image.save(made, "PNG", compress_level=3, transparency=self.palette[:, 3].tobytes())
        return made.getvalue()


NOTHING = Picture(np.zeros((1, 1), np.uint8), np.zeros((1, 4), np.uint8))
"""A clear pixel."""


def ramp(name: str, count: int) -> np.ndarray:
    """Colours of a ramp from its lowest value to its highest, uint8 [count, 3]."""
    stops = np.array([_rgb(stop) for stop in RAMPS[name]], float)
    at = np.linspace(0, len(stops) - 1, count)
    channels = [np.interp(at, np.arange(len(stops)), stops[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)


def colour(values: np.ndarray, name: str, low: float, high: float) -> Picture:
    """Values [h, w] in a ramp from `low` to `high`, beyond them its ends; clear where NaN."""
    there = np.isfinite(values)
    share = np.clip((np.where(there, values, low) - low) / max(high - low, 1e-12), 0, 1)
    index = 1 + np.minimum(share * _STEPS, _STEPS - 1).astype(np.uint8)
    return Picture(np.where(there, index, 0).astype(np.uint8), _ramp_palette(name))


def classes(values: np.ndarray, of: Sequence[str] = CLASSES) -> Picture:
    """Numbers [h, w] of classes, by default of quality.tif, in their colours; clear where NaN."""
    there = np.isfinite(values) & (values < len(of))
    return Picture(np.where(there, values + 1, 0).astype(np.uint8), _opaque([_rgb(each) for each in of]))


def hatching(marked: np.ndarray) -> Picture:
    """Diagonal lines where `marked` [h, w], clear between them."""
    rows, columns = np.indices(marked.shape)
    lines = marked & ((rows + columns) % _HATCH < 2)
    return Picture(lines.astype(np.uint8), np.array([(0, 0, 0, 0), _INK], np.uint8))


def greys(light: np.ndarray) -> Picture:
    """Brightness [h, w] from 0 to 1; clear where NaN."""
    there = np.isfinite(light)
    index = 1 + np.where(there, np.clip(light, 0, 1) * (_STEPS - 1), 0).astype(np.uint8)
    return Picture(
        np.where(there, index, 0).astype(np.uint8), _opaque(np.linspace(0, 255, _STEPS)[:, None].repeat(3, 1))
    )


@lru_cache(maxsize=len(RAMPS))
def _ramp_palette(name: str) -> np.ndarray:
    return _opaque(ramp(name, _STEPS))


def _opaque(colours: npt.ArrayLike) -> np.ndarray:
    """A palette of a clear first colour and these [k, 3]."""
    rgb = np.asarray(colours, np.uint8)
    return np.vstack([np.zeros((1, 4), np.uint8), np.column_stack([rgb, np.full(len(rgb), 255, np.uint8)])])


def _rgb(text: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(text.removeprefix("#")))
