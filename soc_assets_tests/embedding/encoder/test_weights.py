"""What of a checkpoint is required, what is refused, and the group size that its projection decides."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from soc_assets.embedding.encoder.network import to_patches
from soc_assets.embedding.encoder.weights import frames_per_group, load_weights
from soc_assets.errors import CheckpointError
from soc_assets_tests.embedding.encoder.checkpoints import GOLDEN, TINY, assert_official, golden, loaded, official

HUGE = replace(TINY, t_patch_size=12)  # one group, as vit_huge_patch8_128 has


def saved(folder, content):
    torch.save({"model": content}, folder / "checkpoint.pth")
    return folder / "checkpoint.pth"


@pytest.mark.parametrize("kind", ["weight", "bias"])
@pytest.mark.parametrize("name", ["q", "k", "v"])
def test_query_key_and_value_of_unequal_shape_are_refused_with_the_shapes(tmp_path, name, kind):
    state, key = official(), f"blocks.1.attn.{name}.{kind}"
    state[key] = state[key][:24, :12] if kind == "weight" else state[key][:24]
    with pytest.raises(CheckpointError, match=rf"unequal shape \(.*blocks\.1\.attn\.{name}\.{kind} \[24"):
        loaded(saved(tmp_path, state))


def test_query_without_key_is_refused(tmp_path):
    state = official()
    del state["blocks.0.attn.k.weight"]
    with pytest.raises(CheckpointError, match=r"blocks\.0\.attn\.k\.weight missing beside"):
        loaded(saved(tmp_path, state))


@pytest.mark.parametrize("positions", [None, torch.zeros(7), torch.zeros(1, 5, 48)])
def test_stage_patch_embed_asks_for_the_projection_alone(tmp_path, positions):
    state = {key: value for key, value in official().items() if key.startswith("patch_embed.")}
    if positions is not None:
        state |= {"pos_embed": positions, "blocks.7.attn.q.weight": torch.zeros(3)}
    weights = loaded(saved(tmp_path, state), "patch_embed")
    expected = golden("tiny_joint_pos_embed")
    tokens = weights.encoder.patch_embed(torch.from_numpy(expected["x"]))
    np.testing.assert_allclose(tokens, expected["patch_tokens"], rtol=1e-5, atol=1e-6)
    assert weights.report["loaded"] == ["patch_embed.proj.bias", "patch_embed.proj.weight"]
    assert weights.report["ignored"] == sorted(set(state) - set(weights.report["loaded"]))
    assert torch.isnan(weights.encoder.pos_embed).all()


def test_stage_patch_embed_refuses_what_would_change_its_tokens(tmp_path):
    state = official() | {"patch_embed.norm.weight": torch.ones(48)}
    with pytest.raises(CheckpointError, match=r"unknown keys patch_embed\.norm\.weight"):
        loaded(saved(tmp_path, state), "patch_embed")
    del state["patch_embed.norm.weight"], state["patch_embed.proj.bias"]
    with pytest.raises(CheckpointError, match=r"lacks patch_embed\.proj\.bias"):
        loaded(saved(tmp_path, state), "patch_embed")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    "key", ["patch_embed.proj.weight", "blocks.0.attn.v.bias", "blocks.1.mlp.fc1.weight", "norm.bias", "pos_embed"]
)
def test_numbers_that_are_not_finite_are_named_with_their_count(tmp_path, key, bad):
    state = official()
    state[key] = state[key].clone()
    state[key].view(-1)[3:5] = bad
    with pytest.raises(CheckpointError, match=rf"not finite.* in {key} \(2 of {state[key].numel():,}\)"):
        loaded(saved(tmp_path, state))


def test_only_tensors_in_use_must_be_finite(tmp_path):
    nan, state = torch.full((48,), torch.nan), official("separate")
    state |= {"mask_token": nan, "norm.weight": nan, "blocks.1.norm1.weight": nan}
    state["pos_embed_temporal"][:, 1:] = torch.nan
    path = saved(tmp_path, state)
    first = loaded(path, layer=1, seen_together=1)
    assert torch.isfinite(first.encoder.pos_embed[:, :16]).all()
    loaded(path, "patch_embed")
    with pytest.raises(CheckpointError, match=r"pos_embed_temporal \(48 of 96\)"):
        loaded(path, layer=1, seen_together=2)
    with pytest.raises(CheckpointError, match=r"blocks\.1\.norm1\.weight \(48 of 48\), norm\.weight"):
        loaded(path, seen_together=1)


@pytest.mark.parametrize("layout", ["joint", "separate"])
def test_group_size_is_that_of_the_projection(layout):
    """The published huge model was pre-trained with three frames in a group; its fine-tuning class has twelve."""
    path = GOLDEN / f"tiny_{layout}_pos_embed.pth"
    weights = loaded(path, architecture=HUGE)
    assert (weights.encoder.architecture.t_patch_size, weights.encoder.architecture.groups) == (3, 4)
    assert_official(weights, layout)
    assert "groups of 3 frames, as in its projection (the model's own are of 12)" in weights.report["notes"]
    assert frames_per_group(path, HUGE) == 3
    assert not any("groups of" in note for note in loaded(path).report["notes"])


def test_group_of_twelve_frames_is_followed_too(tmp_path):
    state = official()
    state["patch_embed.proj.weight"] = state["patch_embed.proj.weight"].repeat(1, 1, 4, 1, 1) / 4
    state["pos_embed"] = state["pos_embed"][:, :16]
    encoder = loaded(saved(tmp_path, state)).encoder
    assert encoder.architecture.groups == 1
    image = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    expected = loaded(GOLDEN / "tiny_joint_pos_embed.pth").encoder.grouped(image)
    np.testing.assert_allclose(encoder.grouped(image), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        encoder.patch_embed.expanded(to_patches(image[:, 0])),
        encoder.patch_embed(image.expand(-1, 12, -1, -1))[:, 0],
        rtol=1e-4,
        atol=1e-5,
    )


def test_images_of_more_groups_than_the_file_has_are_refused(tmp_path):
    state = official()
    state["patch_embed.proj.weight"] = torch.zeros(48, 1, 5, 8, 8)
    state["pos_embed"] = state["pos_embed"][:, :32]
    path = saved(tmp_path, state)
    assert loaded(path, seen_together=2).encoder.architecture.groups == 2
    with pytest.raises(CheckpointError, match=r"takes 5 frames together, which makes 2 groups.*fills 3"):
        loaded(path, seen_together=3)


@pytest.mark.parametrize("shape", [(48, 3, 16, 16), (48, 1, 3, 16, 16), (48, 1, 13, 8, 8), (48,)])
def test_projection_of_another_model_is_refused_by_its_shape(tmp_path, shape):
    state = official() | {"patch_embed.proj.weight": torch.zeros(shape)}
    for stage in ("patch_embed", "encoder"):
        with pytest.raises(CheckpointError, match=rf"has the shape \[{', '.join(map(str, shape))}\]"):
            loaded(saved(tmp_path, state), stage)


@pytest.mark.parametrize("key", ["pos_embed_spatial", "pos_embed_temporal"])
@pytest.mark.parametrize("shape", [(48,), (1, 16, 47), (2, 16, 48)])
def test_positions_of_a_strange_shape_are_refused(tmp_path, key, shape):
    state = official("separate") | {key: torch.zeros(shape)}
    with pytest.raises(CheckpointError, match=rf"{key} has the shape \[{', '.join(map(str, shape))}\]"):
        loaded(saved(tmp_path, state))


def test_random_weights_say_nothing_of_a_file():
    report = load_weights(TINY, None, 0, 32, "patch_embed").report
    assert report == {"loaded": [], "ignored": [], "interpolated": [], "notes": []}
