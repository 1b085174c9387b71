"""A small map of a batch: its samples over all others, as PNG bytes.

There may be a thousand batches, so the map is drawn pixel by pixel, in a few milliseconds, and has some kB.
"""

import io

import numpy as np
import pandas as pd

from soc_assets.reporting.figures import ACCENT, MUTED

_EDGE = 240  # pixels along the longer side
_MARGIN = 6
_COLOURS = ("#ffffff", MUTED, ACCENT)


class BatchMaps:
    """Maps of batches over all samples (longitude, latitude; WGS84 degrees); north is up."""

    def __init__(self, samples: pd.DataFrame) -> None:
        longitude, latitude = samples["longitude"].to_numpy(float), samples["latitude"].to_numpy(float)
        self.west, self.east = (float(longitude.min()), float(longitude.max())) if len(samples) else (0.0, 0.0)
        self.south, self.north = (float(latitude.min()), float(latitude.max())) if len(samples) else (0.0, 0.0)
        self._squeeze = float(np.cos(np.radians((self.south + self.north) / 2)))  # of a degree of longitude
        width, height = (self.east - self.west) * self._squeeze, self.north - self.south
        self._scale = (_EDGE - 2 * _MARGIN) / max(width, height, 1e-6)
        shape = (round(height * self._scale) + 2 * _MARGIN + 1, round(width * self._scale) + 2 * _MARGIN + 1)
        self._base = np.zeros(shape, np.uint8)
        self._mark(self._base, longitude, latitude, colour=1, half=0)

    @property
    def extent(self) -> str:
        """What the map shows, in words."""
        return f"{self.west:.2f} to {self.east:.2f} °E, {self.south:.2f} to {self.north:.2f} °N"

    def png(self, samples: pd.DataFrame) -> bytes:
        """The map of some samples."""
        from PIL import Image

        pixels = self._base.copy()
        self._mark(pixels, samples["longitude"].to_numpy(float), samples["latitude"].to_numpy(float), colour=2, half=1)
        image = Image.fromarray(pixels)
        image.putpalette([channel for colour in _COLOURS for channel in bytes.fromhex(colour[1:])])
        buffer = io.BytesIO()
        image.save(buffer, "PNG", bits=2)
        return buffer.getvalue()

    def _mark(self, pixels: np.ndarray, longitude: np.ndarray, latitude: np.ndarray, colour: int, half: int) -> None:
        """Squares of 2 * half + 2 pixels."""
        columns = np.round((longitude - self.west) * self._squeeze * self._scale).astype(int) + _MARGIN
        rows = np.round((self.north - latitude) * self._scale).astype(int) + _MARGIN
        for down in range(-half, half + 2):
            for right in range(-half, half + 2):
                pixels[rows + down, columns + right] = colour
