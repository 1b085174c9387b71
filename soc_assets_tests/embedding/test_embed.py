"""Vectors and point values equal those worked out from the pixels, for every stage, pooling and arrangement."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from rasterio.transform import from_origin

from soc_assets.embedding.batch import write
from soc_assets.embedding.embed import Embedder
from soc_assets.embedding.encoder import architecture, precision
from soc_assets.embedding.encoder.encoder import load_encoder, settle_precision
from soc_assets.embedding.encoder.network import to_patches
from soc_assets.embedding.spec import find_spec, freeze
from soc_assets.embedding.spec_choices import choices_of
from soc_assets.embedding.windows import corners
from soc_assets.rasters.steps import Step
from soc_assets_tests.embedding.world import World, window_of
from soc_assets_tests.small_world import ORIGIN, write_raster


def test_vectors_are_the_mean_tokens_of_the_normalised_windows(world):
    _, frame = world.write()
    network = load_encoder(world.spec, None, 0, "cpu").weights.encoder
    statistics = world.spec.statistics["LAI"]
    mosaic = world.raster_index.mosaics["LAI", Step(2019)]
    pixels = window_of(mosaic, world.raster_index.grid, 12, 12)[None]
    image = torch.from_numpy((pixels - statistics.mean) / statistics.std).float()
    frames = image.unsqueeze(1).expand(-1, 12, -1, -1)
    expected = network.patch_embed(frames)[:, 0].mean(dim=1)
    stored = np.vstack(dict(frame["channel_time_embeddings"][0])["LAI_2019"])
    assert_allclose(stored, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"pooling": "center"}, (1, 768)),
        ({"pooling": "center", "anchor": "token"}, (1, 768)),
        ({"pooling": "mean_center"}, (1, 1536)),
        ({"pooling": "none"}, (4, 768)),
        ({"pooling": "max"}, (1, 768)),
    ],
)
def test_poolings_agree_with_the_tokens_themselves(tmp_path, options, shape):
    world = World(tmp_path, **options)
    _, frame = world.write()
    network = load_encoder(world.spec, None, 0, "cpu").weights.encoder
    rows, columns = corners(world.samples, world.raster_index.grid, 16, world.spec.choices["anchor"])
    mosaic = world.raster_index.mosaics["LAI", Step(2020)]
    statistics, grid = world.spec.statistics["LAI"], world.raster_index.grid
    pixels = np.stack([window_of(mosaic, grid, *corner) for corner in zip(rows[:3], columns[:3], strict=True)])
    images = torch.from_numpy((pixels - statistics.mean) / statistics.std).float()
    tokens = network.patch_embed.expanded(to_patches(images)).numpy()
    expected = np.stack([tokens[:, part].mean(axis=1) for part in world.spec.parts], axis=1).reshape(-1, *shape)
    expected = tokens.max(axis=1, keepdims=True) if world.spec.choices["pooling"] == "max" else expected
    for sample in (0, 2):  # of 2020
        stored = np.vstack(dict(frame["channel_time_embeddings"][sample])["LAI_2020"])
        assert_allclose(stored, expected[sample], atol=1e-5)


def test_encoder_stage_pools_the_normalised_tokens(tmp_path, small_base):
    world = World(tmp_path, stage="encoder", pooling="mean_center")
    written, frame = world.write()
    encoder = load_encoder(world.spec, None, 0, "cpu")
    mosaic, statistics = world.raster_index.mosaics["LAI", Step(2018)], world.spec.statistics["LAI"]
    pixels = window_of(mosaic, world.raster_index.grid, 12, 12)
    image = torch.from_numpy((pixels - statistics.mean) / statistics.std).float()
    tokens = encoder.weights.encoder(image.expand(1, 12, 16, 16)[:, :3]).numpy()
    expected = np.concatenate([tokens.mean(axis=1), tokens[:, [0, 1, 2, 3]].mean(axis=1)], axis=1)
    assert_allclose(np.vstack(dict(frame["channel_time_embeddings"][0])["LAI_2018"]), expected, rtol=1e-3, atol=1e-5)
    assert written.images == 3 + 3 * 3  # the fourth sample stands in a corner


def test_results_do_not_depend_on_how_many_images_go_at_once(tmp_path, small_base):
    world = World(tmp_path, stage="encoder")
    scenes = [np.random.default_rng(n).normal(size=(n, 1, 16, 16)).astype(np.float32) for n in (5, 1, 12, 3)]
    together = list(load_encoder(world.spec, None, 0, "cpu", images_at_once=100).stream(scenes))
    singly = list(load_encoder(world.spec, None, 0, "cpu", images_at_once=4).stream(scenes))
    assert [len(found) for found in singly] == [5, 1, 12, 3]
    for one, other in zip(together, singly, strict=True):
        assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_out_of_memory_halves_the_batch_and_loses_nothing(tmp_path, small_base, monkeypatch):
    world = World(tmp_path, stage="encoder")
    scenes = [np.random.default_rng(n).normal(size=(n, 1, 16, 16)).astype(np.float32) for n in (7, 9)]
    encoder = load_encoder(world.spec, None, 0, "cpu", images_at_once=16)
    expected = list(encoder.stream(scenes))
    grouped, sizes = encoder._network.grouped, []

    def at_most_three(images):
        sizes.append(len(images))
        if len(images) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return grouped(images)

    monkeypatch.setattr(encoder._network, "grouped", at_most_three)
    for one, other in zip(expected, encoder.stream(scenes), strict=True):
        assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert sizes[0] == 16
    assert encoder.images_at_once <= 3


def test_bfloat16_is_close_to_float32_and_its_cosine_reported(tmp_path, small_base):
    world = World(tmp_path, stage="encoder", precision="bfloat16")
    encoder = load_encoder(world.spec, None, 0, "cpu")
    assert encoder.precision.name == "bfloat16"
    assert encoder.precision.cosine >= 0.999
    assert "cosine 0.99" in str(encoder.precision)
    assert World(tmp_path, stage="encoder", precision="float32").spec.digest != world.spec.digest


def test_loading_measures_bfloat16_once_and_never_for_float32(tmp_path, small_base, monkeypatch):
    measured = []
    monkeypatch.setattr(precision, "_measure", lambda *_: measured.append(1) or (0.9999, 2.0))
    monkeypatch.setattr(precision, "_measured", {})
    world = World(tmp_path, stage="encoder", precision="bfloat16")
    for _ in range(3):
        network = load_encoder(world.spec, None, 0, "cpu")._network
        assert precision.precision_of(network, world.spec, "cpu").cosine == 0.9999
    assert len(measured) == 1
    plain = World(tmp_path, stage="encoder", precision="float32").spec
    assert precision.precision_of(network, plain, "cuda:0") == precision.Precision("float32")
    assert len(measured) == 1


def test_automatic_precision_is_settled_once_and_then_part_of_the_spec(tmp_path):
    world = World(tmp_path, stage="encoder")
    folder, choices = tmp_path / "settled", choices_of(world.settings, None)
    assert choices["precision"] == "auto"
    frozen = freeze(folder, choices, world.catalog, settle=lambda spec: "bfloat16")
    again = freeze(folder, choices, world.catalog, settle=lambda spec: pytest.fail("measured again"))
    assert frozen.choices["precision"] == again.choices["precision"] == "bfloat16"
    assert frozen.digest == again.digest
    assert find_spec(folder, {**choices, "precision": "float32"}) is None


def test_automatic_precision_is_float32_on_a_cpu(tmp_path, small_base):
    assert settle_precision(World(tmp_path, stage="encoder").spec, None, "cpu") == "float32"
    assert settle_precision(World(tmp_path / "linear").spec, None, "no device is asked") == "float32"


@pytest.mark.parametrize(
    ("cosine", "speedup", "chosen"), [(0.9995, 2.0, "bfloat16"), (0.998, 2.0, "float32"), (1.0, 1.0, "float32")]
)
def test_bfloat16_is_chosen_where_it_is_faster_and_agrees(monkeypatch, cosine, speedup, chosen):
    monkeypatch.setattr(precision, "measure_bfloat16", lambda *_: (cosine, speedup))
    assert precision.faster_precision(None, None, "cuda") == chosen


def test_compiled_network_gives_the_same_embeddings(tmp_path, small_base, monkeypatch):
    """Where there is no compiler it says so and goes on without; one block, without vectors, is compiled soonest."""
    from torch._inductor import config

    shallow = replace(architecture.ARCHITECTURES["vit_base_patch8"], depth=1)
    monkeypatch.setitem(architecture.ARCHITECTURES, "vit_base_patch8", shallow)
    world = World(tmp_path, stage="encoder")
    scenes = [np.random.default_rng(1).normal(size=(10, 1, 16, 16)).astype(np.float32)]
    plain = load_encoder(world.spec, None, 0, "cpu", images_at_once=4, compiling="never")
    with config.patch({"cpp.vec_isa_ok": False, "cpp_cache_precompile_headers": False}):
        compiled = load_encoder(world.spec, None, 0, "cpu", images_at_once=4, compiling="always")
        found = list(compiled.stream(scenes))
    for one, other in zip(plain.stream(scenes), found, strict=True):
        assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert plain.compiled is None
    assert compiled.compiled.words.startswith(("yes, ", "no, it failed: "))


def test_short_work_is_not_compiled_and_a_failing_compiler_stops_nothing(tmp_path, small_base, monkeypatch):
    world = World(tmp_path, stage="encoder")
    scenes = [np.random.default_rng(1).normal(size=(4, 1, 16, 16)).astype(np.float32)]
    short = load_encoder(world.spec, None, 0, "cpu", images_at_once=4, images_expected=1000)
    expected = next(short.stream(scenes))
    assert "s of work left" in short.compiled.words

    def fails(run):
        raise RuntimeError("no C++ compiler\nand a long story")

    monkeypatch.setattr(torch, "compile", fails)
    long = load_encoder(world.spec, None, 0, "cpu", images_at_once=4, images_expected=10**9)
    assert_allclose(next(long.stream(scenes)), expected)
    assert long.compiled.words == "no, it failed: no C++ compiler"


def test_stack_sees_the_bands_of_a_lag_as_frames(tmp_path, small_base):
    """Two bands stacked into one group of three frames (the last repeated), at both stages."""
    for stage in ("patch_embed", "encoder"):
        world = World(tmp_path / stage, stage=stage, arrangement="stack")
        world.add_band("NPP")
        written, frame = world.write()
        assert list(dict(frame["channel_time_embeddings"][0])) == ["group1_2020", "group1_2019", "group1_2018"]
        assert list(dict(frame["point_values"][0]))[:3] == ["Elevation", "LAI_2020", "LAI_2019"]
        frames = []
        for band in ("LAI", "NPP", "NPP"):
            pixels = window_of(world.raster_index.mosaics[band, Step(2019)], world.raster_index.grid, 12, 12)
            frames.append((pixels - world.spec.statistics[band].mean) / world.spec.statistics[band].std)
        network = load_encoder(world.spec, None, 0, "cpu").weights.encoder
        tokens = network.grouped(torch.from_numpy(np.stack(frames)[None]).float())
        stored = np.vstack(dict(frame["channel_time_embeddings"][0])["group1_2019"])
        assert_allclose(stored, tokens[0, 0].mean(dim=0, keepdim=True), rtol=1e-3, atol=1e-5)
        assert written.missing == 1 + 3  # the corner


def test_point_values_are_means_of_valid_pixels_round_the_sample(world):
    values = np.arange(32 * 32, dtype=np.float32).reshape(32, 32) + 1
    values[10, 10] = -1  # nodata, under the first sample
    write_raster(world.folder / "rasters/yearly/LAI/LAI_2020.tif", values, from_origin(*ORIGIN, 500, 500), nodata=-1)
    world.refresh()
    _, frame = world.write()
    statistics = world.spec.statistics["LAI"]
    mosaic = world.raster_index.mosaics["LAI", Step(2020)]
    around = window_of(mosaic, world.raster_index.grid, 20 - 12, 20 - 12, 25)
    expected = [np.nanmean(around[12 - k : 13 + k, 12 - k : 13 + k]) for k in (0, 1, 4, 12)]
    found = dict(frame["point_values"][0])["LAI_2020"]
    assert_allclose(found, (np.array(expected) - statistics.mean) / statistics.std, rtol=1e-4)
    corner = dict(frame["point_values"][3])  # its image is missing, its point is not
    assert np.isfinite(corner["LAI_2021"]).all()
    assert corner["LAI_2021"] is not None and frame["elevation_embedding"][3] is None


def test_float16_storage_is_within_its_error_and_reads_as_numbers(tmp_path):
    world = World(tmp_path)
    _, exact = world.write()
    world = World(tmp_path / "halves", storage="float16")
    _, halves = world.write()
    one, other = (np.vstack(frame["elevation_embedding"][0]).astype(float) for frame in (exact, halves))
    assert_allclose(other, one, rtol=6e-4, atol=1e-6)


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_windows_that_come_again_after_others_are_embedded_too(tmp_path, small_base, at_once):
    """A raster copied to the year after the next, by an embedder that keeps no results."""
    world = World(tmp_path, stage="encoder")
    shutil.copy(*(world.folder / f"rasters/yearly/LAI/LAI_{year}.tif" for year in (2019, 2021)))
    world.refresh()
    world.samples["year"] = 2021
    encoder = load_encoder(world.spec, None, 0, "cpu", images_at_once=at_once)
    write(world.batch(), world.home, world.spec, lambda: Embedder(world.spec, world.raster_index, encoder, 64))
    frame = pd.read_parquet(world.batch().path(world.home))
    for images in frame["channel_time_embeddings"][:3]:
        stored = {key: np.vstack(image) for key, image in dict(images).items() if image is not None}
        assert np.abs(stored["LAI_2019"]).min() > 0
        assert_allclose(stored["LAI_2021"], stored["LAI_2019"], atol=1e-5)
        assert not np.allclose(stored["LAI_2021"], stored["LAI_2020"], atol=1e-3)
