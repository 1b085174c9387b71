"""From samples to normalised windows: where each window lies, what share of it is valid, what fills its gaps.

Reading pixels is in `tiles`, the transformer in `encode`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from soc_assets.embedding.architecture import anchor_index
from soc_assets.embedding.spec import Spec
from soc_assets.embedding.tiles import Source, TileReader
from soc_assets.ingest.grid import Grid


@dataclass(frozen=True)
class Windows:
    """Windows of one band and step.

    Attributes:
        images: [u, size, size] float32, normalised, gaps filled by the band's mean; only windows valid enough.
        image_of: [n] which image each sample has, -1 where it is missing.
        valid_fraction: [n] share of valid pixels.
    """

    images: np.ndarray
    image_of: np.ndarray
    valid_fraction: np.ndarray


def corners(samples: pd.DataFrame, grid: Grid, image_size: int, anchor: str) -> tuple[np.ndarray, np.ndarray]:
    """First row and column [n] of each sample's window on the reference grid."""
    rows, columns = grid.pixels(samples["longitude"].to_numpy(), samples["latitude"].to_numpy())
    index = anchor_index(image_size, anchor)
    return rows - index, columns - index


def cut_windows(
    reader: TileReader, source: Source, rows: np.ndarray, columns: np.ndarray, band: str, spec: Spec
) -> Windows:
    """Windows that begin at (rows, columns) [n]; equal windows are read and embedded once."""
    places, place_of = np.unique(np.column_stack([rows, columns]), axis=0, return_inverse=True)
    images = reader.windows(source, places[:, 0], places[:, 1], spec.choices["image_size"])
    valid = np.isfinite(images)
    share = valid.mean(axis=(1, 2), dtype=np.float64).astype(np.float32)
    enough = (share >= spec.choices["min_valid_fraction"]) & (share > 0)
    number = np.where(enough, np.cumsum(enough) - 1, -1)
    place_of = place_of.ravel()
    return Windows(_normalise(images[enough], valid[enough], band, spec), number[place_of], share[place_of])


def _normalise(images: np.ndarray, valid: np.ndarray, band: str, spec: Spec) -> np.ndarray:
    statistics = spec.statistics[band]
    relative = np.where(valid, images - np.float32(statistics.mean), np.float32(0))
    return statistics.apply(relative, spec.choices["normalise"])
