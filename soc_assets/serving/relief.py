"""The shaded relief of the terrain below the layers: there is no base map, and people look for their valley.

Heights are smoothed over a pixel of the raster, so that neither its edges nor its noise look like mountains.
"""

import numpy as np

from soc_assets.geo.grid import Grid
from soc_assets.serving.colours import Picture, greys
from soc_assets.serving.rasters import RasterLayer, values_of
from soc_assets.serving.tiles import MERCATOR, Tile

_AZIMUTH, _HEIGHT = np.radians(315), np.radians(45)  # of the light, as on maps for centuries
_STEEP = 8000.0  # metres in which a slope that is drawn at 45 degrees climbs through all heights of the terrain
_SMOOTHEST, _SHARPEST = 24.0, 2.0  # pixels of the screen
_DARKEST = 0.68


def relief(layer: RasterLayer, tile: Tile) -> Picture | None:
    """The relief of a terrain in a tile; None where there is nothing."""
    smooth = float(np.clip(_pixel(layer) / tile.pixel, _SHARPEST, _SMOOTHEST))
    margin = round(3 * smooth)
    edge = margin * tile.pixel
    wider = Tile(tile.left - edge, tile.top + edge, tile.pixel, tile.height + 2 * margin, tile.width + 2 * margin)
    heights = values_of(layer, wider)
    if heights is None:
        return None
    there = np.isfinite(heights)
    exaggeration = _STEEP / max(layer.span[1] - layer.span[0], 1e-6)
    light = shade(_smoothed(heights, there, smooth) * exaggeration, tile.pixel)
    return greys(np.where(there, light, np.nan)[margin:-margin, margin:-margin])


def shade(heights: np.ndarray, pixel: float) -> np.ndarray:
    """Light from the north-west on heights [h, w] (metres): 1 on flat ground and towards it, so that colours stay."""
    down, along = np.gradient(heights, pixel)
    steep = np.hypot(along, down)
    slope, downhill = np.arctan(steep), np.arctan2(down, -along)
    facing = np.cos(np.pi / 2 - _AZIMUTH - downhill)
    light = np.sin(_HEIGHT) * np.cos(slope) + np.cos(_HEIGHT) * np.sin(slope) * facing
    return _DARKEST + (1 - _DARKEST) * np.clip(light / np.sin(_HEIGHT), 0, 1)


def _smoothed(heights: np.ndarray, there: np.ndarray, sigma: float) -> np.ndarray:
    """Means over neighbouring pixels, of those that have a height."""
    from scipy.ndimage import gaussian_filter

    weight = gaussian_filter(there.astype(np.float32), sigma, truncate=3)
    total = gaussian_filter(np.where(there, heights, 0).astype(np.float32), sigma, truncate=3)
    return total / np.maximum(weight, 1e-6)


def _pixel(layer: RasterLayer) -> float:
    """Metres of the web map along a pixel of the raster."""
    grid = Grid.of_row(layer.rows[0])
    west, _, east, _ = grid.bounds_in(MERCATOR)
    return (east - west) / grid.width
