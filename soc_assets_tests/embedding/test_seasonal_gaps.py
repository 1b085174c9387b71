"""A seasonal band with clouds (uint8, a CRS without a code) beside a yearly one: what is read, counted and embedded."""

import numpy as np
import pandas as pd
import pytest
import rasterio
import torch
from numpy.testing import assert_allclose
from rasterio.transform import from_origin
from rasterio.windows import Window

from soc_assets.embedding.encoder.encoder import load_encoder
from soc_assets.settings import SEASONS, Band
from soc_assets_tests.embedding.world import World
from soc_assets_tests.small_world import ORIGIN, PIXEL, UTM, reference_transform, samples_at, write_raster

SIZE, WINDOW, CLOUD = 64, 16, 255
NAMELESS = "+proj=tmerc +lat_0=0 +lon_0=9 +k=0.9996 +x_0=600000 +y_0=-100000 +ellps=GRS80 +units=m"
"""UTM 32 with a false origin of its own, 100 km east and south: no code, and the same pixels."""
NAMELESS_TRANSFORM = from_origin(ORIGIN[0] + 100_000, ORIGIN[1] - 100_000, PIXEL, PIXEL)
ROWS, COLUMNS = [20, 20, 30, 40], [20, 20, 44, 12]
PIXEL_OF_SAMPLE = WINDOW // 2


@pytest.fixture(scope="module")
def clouded(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, pd.DataFrame]:
    """NDVI of all seasons 2018 to 2020 but summer 2018, clouds of growing extent; NPP of 2017 to 2020."""
    folder = tmp_path_factory.mktemp("clouded")
    world = World(folder)
    rng = np.random.default_rng(4)
    for number in range(2018 * 4, 2021 * 4):
        year, season = number // 4, SEASONS[number % 4]
        if (year, season) != (2018, "summer"):
            values = rng.integers(0, 200, (SIZE, SIZE), dtype=np.uint8)
            values[rng.random((SIZE, SIZE)) < (number % 12) / 12] = CLOUD
            path = folder / f"rasters/seasonal/NDVI/NDVI_{year}_{season}.tif"
            write_raster(path, values, NAMELESS_TRANSFORM, NAMELESS, nodata=CLOUD)
    for year in range(2017, 2021):
        values = np.full((SIZE, SIZE), year, np.float32)
        write_raster(folder / f"rasters/yearly/NPP/NPP_{year}.tif", values, reference_transform(), UTM)
    bands = (Band(name="Elevation", kind="static"), Band(name="NDVI", kind="seasonal"), Band(name="NPP"))
    rasters = world.settings.rasters.model_copy(update={"bands": bands})
    study = world.settings.study.model_copy(update={"time_before": 5})
    world.settings = world.settings.model_copy(update={"rasters": rasters, "study": study})
    world.refresh()
    world.samples = samples_at(ROWS, COLUMNS, [2018, 2019, 2020, 2020], world.raster_index.grid)
    world.samples["season"] = ["winter", "winter", "summer", "autumn"]
    world.samples["season_year"] = pd.array([2019, 2019, 2020, 2020], "Int32")  # the first is of December 2018
    return world, world.write()[1]


def test_crs_of_the_rasters_has_no_code(clouded):
    world, _ = clouded
    assert world.catalog.loc[world.catalog["band"] == "NDVI", "crs"].str.startswith("PROJCS").all()


def test_december_reads_the_winter_of_the_next_year_and_the_yearly_band_of_its_own(clouded):
    keys = [list(dict(images)) for images in clouded[1]["channel_time_embeddings"]]
    seasons = ["2019_winter", "2018_autumn", "2018_summer", "2018_spring", "2018_winter"]
    for sample, year in ((0, 2018), (1, 2019)):
        expected = [f"NDVI_{season}" for season in seasons] + [f"NPP_{year - lag}" for lag in range(5)]
        assert keys[sample] == expected
    assert keys[3][:5] == [f"NDVI_2020_{season}" for season in reversed(SEASONS)] + ["NDVI_2019_autumn"]


def pixels_of(world: World, key: str, sample: int) -> np.ndarray | None:
    """The stored numbers [h, w] of a sample's window, read by rasterio alone; None where there is no raster."""
    band, _, step = key.partition("_")
    folder = {"NDVI": "seasonal", "NPP": "yearly"}[band]
    path = world.folder / f"rasters/{folder}/{band}/{band}_{step}.tif"
    if not path.is_file():
        return None
    window = Window.from_slices(
        *((at - PIXEL_OF_SAMPLE, at + PIXEL_OF_SAMPLE) for at in (ROWS[sample], COLUMNS[sample]))
    )
    with rasterio.open(path) as dataset:
        return dataset.read(1, window=window)


def test_valid_fraction_is_the_share_of_cloudless_pixels_and_decides_which_images_are_null(clouded):
    world, frame = clouded
    outcomes = set()
    for sample in range(4):
        fractions = dict(frame["valid_fraction"][sample])
        for key, image in dict(frame["channel_time_embeddings"][sample]).items():
            pixels = pixels_of(world, key, sample)
            share = 0 if pixels is None else (pixels != CLOUD).mean()
            assert fractions[key] == pytest.approx(share, abs=1e-6), key
            assert (image is None) == (share < 0.5), key
            outcomes.add("gap" if pixels is None else "null" if share < 0.5 else "whole" if share == 1 else "clouded")
    assert outcomes == {"gap", "null", "whole", "clouded"}


def test_clouds_take_the_mean_of_the_band_over_all_seasons(clouded):
    world, frame = clouded
    everything = []
    for path in (world.folder / "rasters/seasonal/NDVI").glob("*.tif"):
        with rasterio.open(path) as dataset:
            everything.append(dataset.read(1).astype(float))
    valid = np.array(everything)[np.array(everything) != CLOUD]
    statistics = world.spec.statistics["NDVI"]
    assert_allclose([statistics.mean, statistics.std], [valid.mean(), valid.std()], rtol=1e-6)
    network, compared = load_encoder(world.spec, None, 0, "cpu").weights.encoder, 0
    for sample in range(4):
        for key, image in dict(frame["channel_time_embeddings"][sample]).items():
            if image is not None and key.startswith("NDVI"):
                pixels = pixels_of(world, key, sample)
                assert pixels is not None
                filled = np.where(pixels == CLOUD, 0, (pixels.astype(float) - valid.mean()) / valid.std())
                frames = torch.from_numpy(filled)[None, None].float().expand(1, 12, WINDOW, WINDOW)
                expected = network.patch_embed(frames)[:, 0].mean(dim=1).detach()
                assert_allclose(np.vstack(image), expected, atol=1e-5)
                compared += 1
    assert compared >= 8
