"""A raster with those who read it, and what is gathered raster by raster while samples are embedded."""

from dataclasses import dataclass

import numpy as np

from soc_assets.rasters.mosaic import StepMosaic


@dataclass(frozen=True)
class Raster:
    """One step of a band and who reads it: samples [k] and lags [k], and their windows' first pixels [k]."""

    band: str
    step: int
    mosaic: StepMosaic
    sample: np.ndarray
    lag: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


@dataclass
class Gathered:
    """What is filled raster by raster.

    Attributes:
        shares: [n, slots, frames] share of valid pixels of each window.
        usable: [n, slots, frames] whether that is enough, also of the pixels that center pooling uses.
        points: [n, band slots, 4] point values.
    """

    shares: np.ndarray
    usable: np.ndarray
    points: np.ndarray
