"""Where the window of each sample lies on the reference grid."""

import numpy as np
import pandas as pd

from soc_assets.embedding.encoder.architecture import anchor_index
from soc_assets.geo.grid import Grid


def corners(samples: pd.DataFrame, grid: Grid, image_size: int, anchor: str) -> tuple[np.ndarray, np.ndarray]:
    """First row and column [n] of each sample's window on the reference grid."""
    rows, columns = grid.pixels(samples["longitude"].to_numpy(), samples["latitude"].to_numpy())
    index = anchor_index(image_size, anchor)
    return rows - index, columns - index
