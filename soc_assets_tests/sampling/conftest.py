"""Samples on a small reference grid, as the ingest stage would hand them over."""

import numpy as np
import pandas as pd
import pytest
from rasterio.crs import CRS
from rasterio.transform import from_origin

from soc_assets.geo.grid import Grid


@pytest.fixture
def grid() -> Grid:
    """200 x 300 pixels of 0.01 degrees, top left corner at 11 E, 49 N."""
    return Grid(CRS.from_epsg(4326), from_origin(11, 49, 0.01, 0.01), 300, 200)


@pytest.fixture
def samples() -> pd.DataFrame:
    """600 samples at 300 locations, each visited in two years; lognormal organic carbon."""
    rng = np.random.default_rng(7)
    longitude, latitude = np.tile(rng.uniform(11, 14, 300), 2), np.tile(rng.uniform(47, 49, 300), 2)
    year = pd.array(np.concatenate([rng.integers(2010, 2016, 300), rng.integers(2016, 2025, 300)]), dtype="Int32")
    return pd.DataFrame(
        {
            "sample_id": [f"s{i:04d}" for i in range(600)],
            "longitude": longitude.round(6),
            "latitude": latitude.round(6),
            "organic_carbon": np.exp(rng.normal(2.8, 0.9, 600)).round(1),
            "year": year,
        }
    )
