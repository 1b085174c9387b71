"""Small designs with a known signal: point values of two bands and a lagged one, an embedding, and folds."""

import numpy as np
import pandas as pd

from soc_assets.regression.design.design import Design, columns_table, make_design

POINT = [("point", "Elevation", None, 1), ("point", "Elevation", None, 9)]
POINT += [("point", "LAI", lag, window) for lag in (0, 1) for window in (1, 9)]


def make(n: int = 240, seed: int = 0, noise: float = 0.25, embedding: int = 40, carbon=None) -> Design:
    """log organic carbon = 2.8 + 0.5 Elevation - 0.4 LAI of lag 0 + noise; places in 100 km squared."""
    rng = np.random.default_rng(seed)
    point = rng.normal(size=(n, len(POINT))).astype(np.float32)
    signal = 0.5 * point[:, 0] - 0.4 * point[:, 2]
    oc = np.exp(2.8 + signal + rng.normal(0, noise, n)) if carbon is None else carbon
    vectors = (point[:, [0, 2]] @ rng.normal(size=(2, embedding)) + rng.normal(0, 0.5, (n, embedding))).astype(
        np.float32
    )
    x, y = rng.uniform(0, 100e3, (2, n))
    samples = pd.DataFrame(
        {
            "sample_id": [f"s{number:04d}" for number in range(n)],
            "location_id": [f"l{number // 2:04d}" for number in range(n)],
            "split": "train",
            "longitude": 10 + x / 75e3,
            "latitude": 48 + y / 111e3,
            "year": pd.array(rng.integers(2012, 2016, n), "Int32"),
            "source": np.where(np.arange(n) % 2, "LfU", "LUCAS"),
            "organic_carbon": oc,
            "multiplicity": 1,
            "weight": 1.0,
            "x": x,
            "y": y,
            "block": [f"{int(b // 25e3)},{int(a // 25e3)}" for a, b in zip(x, y, strict=True)],
            "region": np.where(y > 90e3, None, np.where(x < 50e3, "west", "east")),
        }
    )
    half = embedding // 2
    vector = [("embedding", band, None, 0) for band in ("Elevation", "LAI") for _ in range(half)]
    return make_design(
        samples,
        {"embedding": vectors, "point": point},
        {"embedding": columns_table(vector), "point": columns_table(POINT)},
    )


def folds_of(design: Design, n_folds: int = 4, scheme: str = "block") -> pd.DataFrame:
    """Folds by location."""
    fold = pd.factorize(design.samples["location_id"])[0] % n_folds
    return pd.DataFrame({"scheme": scheme, "sample_id": design.samples["sample_id"], "fold": fold})
