"""A checkpoint decides how many frames make a group: the spec says so, and slots, vectors and files follow."""

from dataclasses import replace
from functools import partial
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose

from soc_assets.embedding.batch import write
from soc_assets.embedding.check import check_batch
from soc_assets.embedding.embed import Embedder
from soc_assets.embedding.encoder import architecture
from soc_assets.embedding.encoder.encoder import load_encoder
from soc_assets.embedding.inputs import freeze_spec
from soc_assets.embedding.layout import Layout
from soc_assets.embedding.manifest import write_manifest
from soc_assets.embedding.spec import Spec, find_spec, freeze
from soc_assets.embedding.spec_choices import choices_of, with_group_size
from soc_assets.errors import CheckpointError
from soc_assets.rasters.steps import Step
from soc_assets.storage import files
from soc_assets_tests.embedding.encoder.checkpoints import GOLDEN, TINY
from soc_assets_tests.embedding.world import World, window_of
from soc_assets_tests.small_world import project_of

CHECKPOINT = GOLDEN / "tiny_separate_pos_embed.pth"  # three frames in a group
BANDS = ("NPP", "NDVI", "ET")


@pytest.fixture(autouse=True)
def small_models():
    """The base model, and the huge one with its single group, of the size of the golden checkpoint."""
    small = {"vit_base_patch8": TINY, "vit_huge_patch8_128": replace(TINY, t_patch_size=12)}
    with mock.patch.dict(architecture.ARCHITECTURES, small):
        yield


def world_of(folder, **embedding) -> World:
    """A world of four yearly bands whose spec is frozen with the checkpoint."""
    options = {"model": "vit_huge_patch8_128", "stage": "encoder", "image_size": 32, "precision": "float32"}
    world = World(folder, **(options | embedding))
    for band in BANDS:
        world.add_band(band)
    world.spec = frozen(world)
    world.home = world.folder / "embeddings" / world.spec.digest
    return world


def frozen(world: World, **options) -> Spec:
    complete = partial(with_group_size, checkpoint=CHECKPOINT)
    folder = world.folder / "embeddings"
    return freeze(folder, choices_of(world.settings, CHECKPOINT), world.catalog, complete=complete, **options)


def written(world: World) -> pd.DataFrame:
    embedder = Embedder(world.spec, world.raster_index, load_encoder(world.spec, CHECKPOINT, 0, "cpu"), 64)
    found = write(world.batch(), world.home, world.spec, lambda: embedder)
    assert check_batch(world.batch(), world.home, world.spec) == []
    return pd.read_parquet(found.path)


@pytest.mark.parametrize("stage", ["patch_embed", "encoder"])
def test_stack_is_cut_into_groups_of_the_checkpoint(tmp_path, stage):
    """Four bands in two groups of three, and not in one of twelve."""
    world = world_of(tmp_path, arrangement="stack", stage=stage)
    assert (world.spec.choices["t_patch_size"], world.spec.frames, Layout(world.spec).seen_together) == (3, 3, 2)
    images = dict(written(world)["channel_time_embeddings"][1])
    assert [key for key in images if key.endswith("_2020")] == ["group1_2020", "group2_2020"]
    frames = []
    for band in ("LAI", *BANDS, "ET", "ET"):
        pixels = window_of(world.raster_index.mosaics[band, Step(2020)], world.raster_index.grid, 14, 14, 32)
        frames.append((pixels - world.spec.statistics[band].mean) / world.spec.statistics[band].std)
    network = load_encoder(world.spec, CHECKPOINT, 0, "cpu").weights.encoder
    tokens = network.grouped(torch.from_numpy(np.stack(frames)[None]).float())
    for number in (0, 1):
        stored = np.vstack(images[f"group{number + 1}_2020"])
        assert_allclose(stored, tokens[0, number].mean(dim=0, keepdim=True), rtol=1e-3, atol=1e-5)


def test_single_bands_are_as_with_the_model_of_that_group_size(tmp_path):
    """The official network of three frames gives the same numbers."""
    found = [
        written(world_of(tmp_path / model, model=model))["channel_time_embeddings"][1]
        for model in ("vit_huge_patch8_128", "vit_base_patch8")
    ]
    one, other = ({key: np.vstack(image) for key, image in images if image is not None} for images in found)
    assert one.keys() == other.keys() and len(one) >= 12
    for key in one:
        assert_allclose(one[key], other[key], rtol=1e-4, atol=1e-6)


def test_spec_says_the_group_size_only_where_it_is_not_the_models(tmp_path):
    world = world_of(tmp_path, model="vit_base_patch8")
    choices = choices_of(world.settings, CHECKPOINT)
    assert world.spec.choices == choices
    assert "t_patch_size" not in choices
    assert with_group_size(choices, None) is choices


def test_spec_is_found_again_without_reading_the_checkpoint(tmp_path):
    world = world_of(tmp_path)
    with mock.patch("soc_assets.embedding.encoder.weights.read_checkpoint", side_effect=AssertionError):
        found = find_spec(tmp_path / "embeddings", choices_of(world.settings, CHECKPOINT))
        assert found == world.spec == frozen(world)
        assert found.architecture.t_patch_size == 3
    again = frozen(world, refit=True)
    assert again.choices == world.spec.choices and again.created > world.spec.created


def test_automatic_precision_is_resolved_beside_the_group_size(tmp_path):
    world = world_of(tmp_path, precision="auto")
    spec = frozen(world, refit=True, settle=lambda spec: f"bfloat16 of {spec.frames}")
    assert (spec.choices["precision"], spec.choices["t_patch_size"]) == ("bfloat16 of 1", 3)
    assert find_spec(tmp_path / "embeddings", choices_of(world.settings, CHECKPOINT)) == spec


def test_project_freezes_the_group_size_of_its_checkpoint_and_documents_it(tmp_path):
    world = World(tmp_path / "world", model="vit_huge_patch8_128", image_size=32, checkpoint=str(CHECKPOINT))
    project = project_of(world.settings, tmp_path)
    files.write_table(project.catalog, world.catalog)
    spec = freeze_spec(project)
    assert spec.choices["t_patch_size"] == 3
    write_manifest(project.embeddings / spec.digest, spec, [])
    text = (project.embeddings / spec.digest / "documentation.md").read_text()
    assert "SpectralGPT `vit_huge_patch8_128`, groups of 3 frames as in the checkpoint, stage" in text


def test_spec_frozen_before_the_group_size_was_read_is_refused_with_the_cure(tmp_path):
    world = world_of(tmp_path)
    folder = tmp_path / "earlier"
    earlier = freeze(folder, choices_of(world.settings, CHECKPOINT), world.catalog)
    with pytest.raises(CheckpointError, match=r"of groups of 12 frames, and .* takes 3 together.*`soc refit`"):
        load_encoder(earlier, CHECKPOINT, 0, "cpu")
    complete = partial(with_group_size, checkpoint=CHECKPOINT)
    choices = choices_of(world.settings, CHECKPOINT)
    refitted = freeze(folder, choices, world.catalog, refit=True, complete=complete)
    assert find_spec(folder, choices) == refitted
    load_encoder(refitted, CHECKPOINT, 0, "cpu")
