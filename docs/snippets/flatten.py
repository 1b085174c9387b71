"""From embedding files to one vector per sample with nothing but pandas and numpy; start it in the project's folder.

What was corrected in the snippet that came with the original data:
- channel_time_embeddings is a list of (key, image) pairs when pandas reads it: dict() makes it a dict;
- an image is 1 x 768, or None where the raster is missing: np.vstack and ravel flatten it, zeros stand for None;
- Elevation has a column of its own and is not among the yearly bands: five bands, not six;
- steps are lags before the sample's own year, not fixed calendar years, which left most of the vector zero.
As it was written, the snippet gave 23,041 objects per sample; this gives 19,968 numbers.
"""

from pathlib import Path

import numpy as np
import pandas as pd

BANDS = ["LAI", "LST", "MODIS_NPP", "SoilEvaporation", "TotalEvapotranspiration"]
LAGS = range(5)  # time_before = 5; with first_lag = 1 it is range(1, 6)
ZEROS = np.zeros(768, np.float32)

files = sorted(Path("data/embeddings").glob("*/batch_*_size_*.parquet"))  # several specs? name one folder for *
frame = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)


def flatten(row: pd.Series) -> np.ndarray:
    """Elevation, then band by band, the most recent year first: 26 images of 768."""
    images = dict(row["channel_time_embeddings"])
    steps = [images[f"{band}_{row['year'] - lag}"] for band in BANDS for lag in LAGS]
    every = [row["elevation_embedding"], *steps]
    return np.concatenate([ZEROS if image is None else np.vstack(image).ravel() for image in every])


features = np.vstack([flatten(row) for _, row in frame.iterrows()])  # [samples, 19968]
print(f"{len(frame)} samples x {features.shape[1]} features, organic carbon {frame['organic_carbon'].mean():.1f} g/kg")
