"""What embedding gives, before it is written: vectors and point values of some samples."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Embedded:
    """Embeddings of n samples.

    Attributes:
        keys: per slot, the key of each sample (`LAI_2012`).
        vectors: [n, slots, rows, width] float32.
        missing: [n, slots], True where no raster is there or too little of the window is valid.
        valid: [n, slots] share of valid pixels.
        point_keys: per single band and lag, the key of each sample.
        points: [n, band slots, 4] float32, normalised means over squares around the sample, NaN where there is none.
    """

    keys: list[list[str]]
    vectors: np.ndarray
    missing: np.ndarray
    valid: np.ndarray
    point_keys: list[list[str]]
    points: np.ndarray
