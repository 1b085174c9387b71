"""Where the window of each sample lies on the reference grid."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from soc_assets.embedding.encoder.architecture import anchor_index
from soc_assets.geo.grid import Grid


def corners(
    samples: pd.DataFrame, grid: Grid, image_size: int, anchor: str, counts: Sequence[int] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """First row and column [n] of each sample's window on the reference grid; `counts` as for `Grid.pixels`."""
    rows, columns = grid.pixels(samples["longitude"].to_numpy(), samples["latitude"].to_numpy(), counts)
    index = anchor_index(image_size, anchor)
    return rows - index, columns - index
