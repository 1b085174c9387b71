"""`normalise = "image"`: every window by its own range, worked out from its pixels alone."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from rasterio.transform import from_origin

from soc_assets.embedding.check import check_batch
from soc_assets.embedding.encoder.encoder import load_encoder
from soc_assets.embedding.encoder.network import to_patches
from soc_assets.embedding.tile_cache import TileCache
from soc_assets.embedding.windows import corners
from soc_assets.rasters.steps import Step
from soc_assets.rasters.tiles import Source
from soc_assets_tests.embedding.world import World, window_of
from soc_assets_tests.small_world import ORIGIN, PIXEL, reference_grid, write_raster

SIZE = 700


def scaled(pixels: np.ndarray) -> np.ndarray:
    """A window [h, w] with NaN as the setting defines it."""
    low, high = np.nanmin(pixels), np.nanmax(pixels)
    filled = np.where(np.isnan(pixels), np.nanmean(pixels), pixels)
    return (filled - low) / (high - low) if high > low else np.zeros_like(filled)


def changed(world: World, **rasters: np.ndarray) -> World:
    """The world with other rasters `LAI_2020` of 64 x 64 pixels of the reference grid; -9 are gaps."""
    for name, values in rasters.items():
        path = world.folder / f"rasters/yearly/{name.partition('_')[0]}/{name}.tif"
        write_raster(path, values.astype(np.float32), from_origin(*ORIGIN, PIXEL, PIXEL), nodata=-9)
    world.refresh()
    return world


def holed(seed: int = 4, share: float = 0.2) -> np.ndarray:
    """Far from zero beside its range, as elevation on a plain, and with holes."""
    stream = np.random.default_rng(seed)
    values = 2000 + stream.normal(0, 2, (64, 64)).cumsum(axis=0)
    return np.where(stream.random((64, 64)) < share, -9, values)


def windows_of(world: World, band: str, year: int) -> np.ndarray:
    """Pixels [n, 16, 16] around the samples, in double precision."""
    rows, columns = corners(world.samples, world.raster_index.grid, 16, world.spec.choices["anchor"])
    mosaic, grid = world.raster_index.mosaics[band, Step(year)], world.raster_index.grid
    found = [window_of(mosaic, grid, *corner) for corner in zip(rows, columns, strict=True)]
    return np.stack(found).astype(np.float64)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pooling": "center"},
        {"pooling": "center", "anchor": "token"},
        {"pooling": "mean_center"},
        {"pooling": "none"},
        {"pooling": "max"},
        {"stage": "encoder"},
        {"stage": "encoder", "pooling": "mean_center"},
    ],
)
def test_vectors_are_those_of_windows_scaled_one_by_one(tmp_path, small_base, options):
    world = changed(World(tmp_path, normalise="image", **options), LAI_2020=holed(), LAI_2019=np.full((64, 64), 7.0))
    _, frame = world.write()
    network = load_encoder(world.spec, None, 0, "cpu").weights.encoder
    spec = world.spec
    for year, sample in ((2020, 0), (2020, 2), (2019, 0), (2018, 2)):
        image = torch.from_numpy(scaled(windows_of(world, "LAI", year)[sample])).float()[None]
        if spec.choices["stage"] == "encoder":
            tokens = network.grouped(image[:, None])[0, 0].numpy()
        else:
            tokens = network.patch_embed.expanded(to_patches(image))[0].numpy()
        parts = (
            [tokens.max(axis=0)] if spec.choices["pooling"] == "max" else [tokens[part].mean(0) for part in spec.parts]
        )
        stored = np.vstack(dict(frame["channel_time_embeddings"][sample])[f"LAI_{year}"])
        assert_allclose(stored, np.stack(parts).reshape(spec.shape), rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("stage", ["patch_embed", "encoder"])
def test_stacked_bands_are_scaled_each_by_its_own_range_and_one_that_is_missing_is_zero(tmp_path, small_base, stage):
    world = World(tmp_path, stage=stage, arrangement="stack", normalise="image")
    world.add_band("NPP")
    changed(world, LAI_2020=holed(), NPP_2019=holed(5, 0.7), NPP_2020=holed(6))
    _, frame = world.write()
    network = load_encoder(world.spec, None, 0, "cpu").weights.encoder
    for year in (2020, 2019):  # too little of NPP is valid in 2019
        lai, npp = (scaled(windows_of(world, band, year)[0]) for band in ("LAI", "NPP"))
        npp = npp if year == 2020 else np.zeros((16, 16))
        tokens = network.grouped(torch.from_numpy(np.stack([lai, npp, npp])[None]).float())
        stored = np.vstack(dict(frame["channel_time_embeddings"][0])[f"group1_{year}"])
        assert_allclose(stored, tokens[0, 0].mean(dim=0, keepdim=True), rtol=1e-4, atol=2e-6)


def test_point_values_stay_standardised_by_band(tmp_path):
    found = {}
    for how in ("band", "image"):
        world = changed(World(tmp_path / how, normalise=how), LAI_2020=holed())
        _, frame = world.write()
        found[how] = np.array([list(dict(points).values()) for points in frame["point_values"][:3]], float)
    assert np.isfinite(found["band"]).any()
    assert_array_equal(found["image"], found["band"])


@pytest.mark.parametrize("image_size", [16, 48, 96])
def test_ranges_equal_those_of_windows_cut_one_by_one(tmp_path, image_size):
    stream = np.random.default_rng(0)
    values = stream.normal(300, 50, (SIZE, SIZE)).astype(np.float32)
    values[stream.random((SIZE, SIZE)) < 0.1] = -9999
    path = write_raster(tmp_path / "gaps.tif", values, from_origin(*ORIGIN, PIXEL, PIXEL), nodata=-9999)
    grid, source, half = reference_grid(SIZE), Source(path), image_size // 2
    rows, columns = stream.integers(-half, SIZE - half, (2, 60))  # beyond every edge and across tiles
    cache = TileCache(grid, image_size, "center", 64, ranged=True)
    for index in cache.windows_in_tiles(source, rows, columns, 300.0):
        pairs = zip(rows[index.members], columns[index.members], strict=True)
        windows = np.stack([window_of(source, grid, *corner, image_size) for corner in pairs]).astype(np.float64)
        expected = np.stack([scaled(window) for window in windows])
        gaps, ranges = cache.gap_blocks(index, 0, 0, image_size), cache.ranges(index, 300.0)
        assert_array_equal(gaps, np.isnan(windows))
        assert_allclose(ranges.apply(cache.blocks(index, 0, 0, image_size), gaps), expected, atol=2e-6)
        n = image_size // 8
        patches = expected.reshape(-1, n, 8, n, 8).mean(axis=(1, 3)).reshape(-1, 64)
        assert_allclose(ranges.apply(cache.mean_patches(index), cache.gap_patches(index)), patches, atol=2e-6)


@pytest.mark.parametrize("value", [7.0, 0.0, -3e5])
def test_window_of_one_value_is_zero_also_where_resampling_rounded_it(tmp_path, small_base, value):
    """Not noise between 0 and 1."""
    stream = np.random.default_rng(1)
    noise = np.float32(value) * (1 + stream.integers(-2, 3, (64, 64)) * np.float32(6e-8))
    other = stream.normal(value, 10, (64, 64))
    world = changed(World(tmp_path, stage="encoder", normalise="image"), LAI_2020=noise, LAI_2019=other)
    _, frame = world.write()
    network = load_encoder(world.spec, None, 0, "cpu").weights.encoder
    expected = network.grouped(torch.zeros(1, 1, 16, 16))[0, 0].mean(dim=0)
    stored = np.vstack(dict(frame["channel_time_embeddings"][0])["LAI_2020"])[0]
    assert_allclose(stored, expected, rtol=1e-4, atol=2e-6)


def test_windows_that_differ_in_level_alone_are_worth_a_warning_and_no_error(tmp_path):
    """Planes, which are the same in every window but for their level."""
    flat = {f"LAI_{year}": np.tile(np.arange(64.0)[:, None], 64) + year for year in range(2018, 2022)}
    world = changed(World(tmp_path, normalise="image"), **flat)
    world.write()
    found = check_batch(world.batch(), world.home, world.spec)
    assert {finding.severity for finding in found} == {"warning"}
    assert "keeps neither level nor range" in found[0].found
