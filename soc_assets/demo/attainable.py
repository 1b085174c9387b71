"""What the noise of the demo's samples leaves to be predicted: known, because the region was made.

The demo notes its seed and its soil tables beside them, in a hidden file; a project whose tables are others has no such
note that holds.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rasterio.warp import transform

from soc_assets.demo.landscape import PLACE_NOISE, VISIT_NOISE, Landscape
from soc_assets.demo.rasters import REFERENCE_CRS
from soc_assets.geo.grid import WGS84
from soc_assets.storage import digest

NOTE = ".demo.json"
NOISE_SD = float(np.hypot(PLACE_NOISE, VISIT_NOISE))
"""Standard deviation of log organic carbon (log g/kg) that nothing explains."""


def write_note(folder: Path, seed: int, tables: Sequence[str]) -> None:
    """Note the seed and the soil tables, by their content, in their folder."""
    note = {"seed": seed, "tables": {name: digest.of_file(folder / name) for name in tables}}
    (folder / NOTE).write_text(json.dumps(note), encoding="utf-8")


def attainable_r2(folder: Path, samples: pd.DataFrame) -> float | None:
    """R2 in g/kg of the noiseless expectation over some samples: no model can do better, but by chance.

    Args:
        folder: of soil tables.
        samples: file (of the soil table), longitude, latitude, year and observed (organic carbon, g/kg).

    Returns:
        None where the samples are not all of the demo's tables as it wrote them.
    """
    try:
        note = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        seed, tables = int(note["seed"]), dict(note["tables"])
        known = {name for name, of in tables.items() if digest.of_file(folder / name) == of}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if len(samples) < 2 or not set(samples["file"]) <= known:
        return None
    x, y = transform(WGS84, REFERENCE_CRS, samples["longitude"].tolist(), samples["latitude"].tolist())[:2]
    explained = Landscape(seed).log_carbon(np.asarray(x), np.asarray(y), samples["year"].to_numpy())
    return r2_of(samples["observed"].to_numpy(float), expected(explained))


def expected(log_carbon: np.ndarray) -> np.ndarray:
    """Mean organic carbon, g/kg, given its explainable logarithm: of a lognormal distribution."""
    return np.exp(log_carbon + NOISE_SD**2 / 2)


def r2_of(observed: np.ndarray, predicted: np.ndarray) -> float:
    """The coefficient of determination."""
    return float(1 - ((observed - predicted) ** 2).sum() / ((observed - observed.mean()) ** 2).sum())
