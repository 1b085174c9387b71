"""Windows: which are drawn, what is hidden of them, and that draws can be repeated."""

from collections import Counter

import numpy as np
import pytest
import rasterio
import torch

from soc_assets.errors import RasterError, SettingsError
from soc_assets.pretraining.augment import augmented, gaps_filled
from soc_assets.pretraining.inputs import read_region
from soc_assets.pretraining.region import Block, region_of
from soc_assets.pretraining.windows import WindowSampler, _balanced, _stratified


def sampler_of(small):
    return WindowSampler(read_region(small.project), 64, 1)


def test_a_draw_can_be_repeated_and_every_step_has_its_own(unlabelled):
    first, again = (sampler_of(unlabelled).training(7, 12) for _ in range(2))
    assert np.array_equal(first.images, again.images)
    assert first.names == again.names
    assert not np.array_equal(first.images, sampler_of(unlabelled).training(8, 12).images)
    part = sampler_of(unlabelled).training(7, 12, slice(4, 9))
    assert np.array_equal(part.images, first.images[4:9])


def test_bands_are_drawn_equally_often_and_each_at_all_its_steps(unlabelled):
    sampler = sampler_of(unlabelled)
    names = Counter(name for step in range(40) for name in sampler.training(step, 12).names)
    by_band = Counter()
    for name, count in names.items():
        by_band[name.split("_")[0]] += count
    assert set(by_band) == {"Elevation", "LAI", "LST", "MODIS", "SoilEvaporation", "TotalEvapotranspiration"}
    assert max(by_band.values()) - min(by_band.values()) <= 40  # two in twelve, give or take one in each of 40 draws
    assert {name for name in names if name.startswith("LST")} == {f"LST_{year}" for year in range(2008, 2016)}


def test_the_held_out_rectangle_is_hidden_from_training_and_alone_is_scored(unlabelled):
    sampler = sampler_of(unlabelled)
    region = sampler.region
    other = WindowSampler(region_of(region.spec, region.raster_index, 0.1, seed=2), 64, 1)
    assert other.region.held_out != region.held_out
    seen, elsewhere = sampler.training(0, 64), other.training(0, 64)
    hidden = ~seen.seen & elsewhere.seen
    assert hidden.any()  # a window that reaches into one rectangle but not the other
    assert not seen.images[hidden].any()
    assert np.array_equal(seen.valid, seen.seen)
    [held] = sampler.held_out(32)
    assert held.valid.any(axis=(1, 2, 3)).all()
    assert (held.valid & ~held.seen).sum() == 0
    assert (held.seen & ~held.valid).any()  # what is around it may be looked at


def test_a_changed_pixel_of_the_rectangle_does_not_reach_training(unlabelled):
    before = [sampler_of(unlabelled).training(step, 32) for step in range(3)]
    block = sampler_of(unlabelled).region.held_out
    values = np.random.default_rng(0).normal(500, 50, (64, 64)).astype(np.float32)
    path = unlabelled.root / "data/rasters/static/Elevation.tif"
    with rasterio.open(path, "r+") as dataset:
        band = dataset.read(1)
        band[block.top : block.bottom, block.left : block.right] = values[
            block.top : block.bottom, block.left : block.right
        ]
        dataset.write(band, 1)
    # the catalog, and with it the statistics, stay as they were
    after = [sampler_of(unlabelled).training(step, 32) for step in range(3)]
    for one, two in zip(before, after, strict=True):
        assert np.array_equal(one.images, two.images)


def test_windows_with_hardly_a_valid_pixel_are_not_drawn(unlabelled):
    unlabelled.config.write_text(unlabelled.config.read_text() + "\n[rasters]\nmin_valid_fraction = 0.9\n")
    windows = sampler_of(unlabelled).training(0, 48)
    assert (windows.seen.reshape(48, -1).mean(axis=1) >= 0.9).all()


def test_where_nothing_is_valid_the_error_says_what_to_change(unlabelled):
    sampler = sampler_of(unlabelled)
    sampler._limit = 1.01
    with pytest.raises(RasterError, match="min_valid_fraction"):
        sampler.training(0, 4)


def test_the_held_out_rectangle_lies_where_the_rasters_are_valid(unlabelled):
    """Only the left third of every raster has values: nearly any rectangle drawn at random has none."""
    for path in unlabelled.root.glob("data/rasters/**/*.tif"):
        with rasterio.open(path, "r+") as dataset:
            dataset.nodata = -9999
            values = dataset.read(1)
            values[:, values.shape[1] // 3 :] = -9999
            dataset.write(values, 1)
    assert unlabelled.run("raster_catalog").failures == []
    sampler = sampler_of(unlabelled)
    [held] = sampler.held_out(16)
    assert sampler.region.held_out.left < 64 // 3
    assert held.valid.any(axis=(1, 2, 3)).all()


def test_raw_values_are_refused(unlabelled):
    unlabelled.set('model = "vit_tiny_patch8"', 'model = "vit_tiny_patch8"\nnormalise = "none"')
    with pytest.raises(SettingsError, match="normalise = 'none'"):
        read_region(unlabelled.project)


def test_an_image_may_be_scaled_by_its_own_range(unlabelled):
    unlabelled.set('model = "vit_tiny_patch8"', 'model = "vit_tiny_patch8"\nnormalise = "image"')
    windows = sampler_of(unlabelled).training(0, 24)
    for image, seen in zip(windows.images[:, 0], windows.seen[:, 0], strict=True):
        assert image[seen].min() == 0
        assert image[seen].max() == 1
    hidden = torch.from_numpy(windows.images), torch.from_numpy(windows.seen)
    filled = gaps_filled(*hidden)
    gappy = int((~hidden[1]).sum(dim=(1, 2, 3)).argmax())
    there = hidden[1][gappy, 0]
    assert (~there).any()
    assert torch.allclose(filled[gappy, 0][~there], hidden[0][gappy, 0][there].mean(), atol=1e-6)
    assert torch.equal(filled[hidden[1]], hidden[0][hidden[1]])


def test_bands_of_a_lag_are_seen_together_where_they_are_stacked(unlabelled):
    unlabelled.set('model = "vit_tiny_patch8"', 'model = "vit_tiny_patch8"\narrangement = "stack"')
    sampler = sampler_of(unlabelled)
    shapes = Counter(sampler.training(step, 4).images.shape[1] for step in range(30))
    assert set(shapes) == {1, 6}  # Elevation alone; five bands, the last twice, in two groups of three
    assert shapes[6] > shapes[1]
    one, six = sampler.held_out(16)
    assert one.images.shape[1] == 1
    assert six.images.shape[1] == 6
    assert np.array_equal(six.images[:, 4], six.images[:, 5])
    assert all(name.startswith("together_") for name in six.names)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 64, 101])
def test_places_are_stratified(n):
    within = Block(10, 20, 10 + 300, 20 + 200)
    rows, columns = _stratified(np.random.default_rng(0), within, n)
    assert len(rows) == n
    assert ((rows >= 10) & (rows < 310) & (columns >= 20) & (columns < 220)).all()
    halves = Counter((rows < 160).tolist())
    assert abs(halves[True] - n / 2) <= max(1, n**0.5)


@pytest.mark.parametrize(("count", "n"), [(1, 5), (3, 7), (10, 4), (10, 40)])
def test_numbers_are_balanced(count, n):
    found = np.bincount(_balanced(np.random.default_rng(0), count, n), minlength=count)
    assert found.sum() == n
    assert found.max() - found.min() <= 1


def test_crops_and_flips_keep_values_and_gaps_in_place():
    generator = torch.Generator().manual_seed(0)
    rows = torch.arange(32.0).view(1, 1, 32, 1).expand(40, 1, 32, 32).contiguous()
    valid = torch.ones(rows.shape, dtype=torch.bool)
    valid[:, :, :, :16] = False
    images, there = augmented(rows * valid, valid, 0.5, generator, 40, slice(0, 40))
    # a plane stays a plane: neighbouring rows differ by the same step, upwards or downwards, wherever both are valid
    steps = (images[:, :, 1:] - images[:, :, :-1])[there[:, :, 1:] & there[:, :, :-1]]
    inner = steps[steps != 0].abs()
    assert (inner <= 1.001).all()
    assert inner.median() > 0.6
    assert (images >= 0).all()
    assert (images <= 31).all()
    assert not images[~there].any()


def test_without_crops_windows_are_only_flipped():
    images = torch.randn(20, 2, 16, 16, generator=torch.Generator().manual_seed(1))
    valid = images > -1
    found, there = augmented(images, valid, 1.0, torch.Generator().manual_seed(0), 20, slice(0, 20))
    ways = [lambda x: x, lambda x: x.flip(1), lambda x: x.flip(2), lambda x: x.flip(1, 2)]
    used = [[torch.equal(way(images[n]), found[n]) for way in ways].index(True) for n in range(20)]
    assert set(used) == {0, 1, 2, 3}
    assert all(torch.equal(ways[way](valid[n]), there[n]) for n, way in enumerate(used))
