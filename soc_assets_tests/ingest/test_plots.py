from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.ingest.plots import oc_histogram, sample_map, thumbnails


def colours(png: bytes, folder: Path) -> int:
    path = folder / "picture.png"
    path.write_bytes(png)
    pixels = (matplotlib.image.imread(path)[..., :3] * 255).astype("uint8")
    return len(np.unique(pixels.reshape(-1, 3), axis=0))


def test_thumbnails_show_a_picture_for_every_band(bands, region, tmp_path):
    assert colours(thumbnails(scan_rasters(bands, region).frame, bands), tmp_path) > 200


@pytest.mark.parametrize("carbon", [[5.0, 50.0, 0.0, 300.0], [12.0], [0.0]])
def test_sample_pictures_are_drawn_for_any_number_of_samples(carbon, tmp_path):
    samples = pd.DataFrame({"organic_carbon": carbon, "longitude": 11.5, "latitude": np.linspace(48, 49, len(carbon))})
    assert colours(oc_histogram(samples), tmp_path) > 5
    assert colours(sample_map(samples), tmp_path) > 50
