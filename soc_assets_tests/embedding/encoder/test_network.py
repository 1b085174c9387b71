"""Parity of the encoder with the official code, from files that it computed (golden/), and with a naive transformer."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from soc_assets.embedding.encoder.architecture import ARCHITECTURES, anchor_index, pooled_tokens
from soc_assets.embedding.encoder.checkpoint import read_checkpoint
from soc_assets.embedding.encoder.network import to_patches
from soc_assets.embedding.encoder.positions import interpolate_positions, positions_of_groups
from soc_assets.embedding.encoder.weights import load_weights
from soc_assets.errors import CheckpointError
from soc_assets_tests.embedding.encoder.checkpoints import GOLDEN, TINY, golden


def tiny(name: str, **options):
    arguments = {"seed": 0, "image_size": 32, "stage": "encoder"} | options
    return load_weights(TINY, GOLDEN / f"tiny_{name}_pos_embed.pth", **arguments)


@pytest.mark.parametrize("layout", ["joint", "separate"])
def test_normalised_tokens_equal_the_official_ones(layout):
    expected = golden(f"tiny_{layout}_pos_embed")
    encoder = tiny(layout).encoder
    assert_allclose(encoder(torch.from_numpy(expected["x"])), expected["norm_tokens"], rtol=1e-5, atol=1e-5)


def test_patch_tokens_positions_and_blocks_equal_the_official_ones():
    expected = golden("tiny_joint_pos_embed")
    encoder = tiny("joint").encoder
    tokens = encoder.patch_embed(torch.from_numpy(expected["x"]))
    assert_allclose(tokens, expected["patch_tokens"], rtol=1e-5, atol=1e-6)
    tokens = tokens.flatten(1, 2) + encoder.pos_embed
    assert_allclose(tokens, expected["tokens_in"], rtol=1e-5, atol=1e-6)
    for index, block in enumerate(encoder.blocks):
        tokens = block(tokens)
        assert_allclose(tokens, expected[f"block{index}"], rtol=1e-5, atol=1e-5)


def test_logits_follow_from_the_tokens_by_the_official_pooling():
    """The official head norms the mean of all tokens but the first, although there is no class token."""
    expected = golden("tiny_joint_pos_embed")
    state = read_checkpoint(GOLDEN / "tiny_joint_pos_embed.pth")
    encoder = tiny("joint").encoder
    tokens = torch.from_numpy(expected["tokens_in"])
    for block in encoder.blocks:
        tokens = block(tokens)
    logits = encoder.norm(tokens[:, 1:].mean(dim=1)) @ state["head.weight"].T + state["head.bias"]
    assert_allclose(logits, expected["logits"], rtol=1e-5, atol=1e-5)


def test_separate_positions_are_joined_and_not_left_at_zero():
    expected = golden("tiny_separate_pos_embed")["pos_embed"]
    assert_allclose(tiny("separate").encoder.pos_embed, expected, rtol=1e-6)
    assert np.abs(expected).max() > 0


def test_report_names_what_was_loaded_and_what_was_ignored():
    report = tiny("separate").report
    assert "blocks.1.attn.qkv.weight" in report["loaded"]
    assert "mask_token" in report["ignored"]
    assert all(key.startswith(("decoder", "mask_token")) for key in report["ignored"])


def test_positions_are_interpolated_bicubically_like_the_official_code():
    expected = golden("pos_embed_interpolation")
    result = interpolate_positions(torch.from_numpy(expected["source"]), groups=1, grid=6)
    assert_allclose(result, expected["target_6x6"], rtol=1e-5, atol=1e-6)


def test_checkpoint_for_another_grid_is_interpolated_and_reported():
    loaded = tiny("joint", image_size=48)
    assert loaded.report["interpolated"] == ["pos_embed"]
    assert loaded.encoder.grouped(torch.zeros(1, 1, 48, 48)).shape == (1, 1, 36, 48)


def saved(path: Path, layout: str, **positions: torch.Tensor) -> Path:
    """A golden checkpoint with other positions."""
    state = read_checkpoint(GOLDEN / f"tiny_{layout}_pos_embed.pth")
    torch.save({"model": state | positions}, path)
    return path


def test_joint_positions_of_one_group_serve_images_of_one_group_and_no_others(tmp_path):
    whole = read_checkpoint(GOLDEN / "tiny_joint_pos_embed.pth")["pos_embed"]  # [1, 4 groups x 16, 48]
    path = saved(tmp_path / "one.pth", "joint", pos_embed=whole[:, :16])
    image = torch.from_numpy(golden("tiny_joint_pos_embed")["x"][:, :1])
    for size in (32, 48):
        windows = torch.nn.functional.interpolate(image, size=(size, size))
        expected = tiny("joint", image_size=size).encoder.grouped(windows)
        found = load_weights(TINY, path, 0, size, "encoder", seen_together=1).encoder
        assert_allclose(found.grouped(windows), expected, rtol=1e-5, atol=1e-6)
    assert torch.isnan(found.pos_embed[:, 36:]).all()  # not zeros, which nobody would notice
    with pytest.raises(CheckpointError, match=r"16 positions of 1 group of 4 x 4; the model has 4 groups.*expand"):
        load_weights(TINY, path, 0, 32, "encoder", seen_together=2)


@pytest.mark.parametrize("groups", [2, 3, 16])
def test_joint_positions_of_another_number_of_groups_are_refused_with_both_numbers(tmp_path, groups):
    path = saved(tmp_path / "more.pth", "joint", pos_embed=torch.ones(1, groups * 16, 48))
    with pytest.raises(CheckpointError, match=rf"{groups} groups of 4 x 4; the model has 4 groups \(12 frames, 3 in"):
        load_weights(TINY, path, 0, 32, "encoder", seen_together=1)


@pytest.mark.parametrize("rows", [1, 2, 16])
def test_separate_positions_have_a_row_for_every_group(tmp_path, rows):
    path = saved(tmp_path / "rows.pth", "separate", pos_embed_temporal=torch.ones(1, rows, 48))
    with pytest.raises(CheckpointError, match=rf"pos_embed_temporal has {rows} rows?, .* the model has 4 groups"):
        load_weights(TINY, path, 0, 32, "encoder", seen_together=1)


@pytest.mark.parametrize(
    ("model", "tokens", "grid", "used", "kept"),
    [
        ("vit_base_patch8", 4 * 144, 12, 4, True),
        ("vit_base_patch8", 4 * 256, 12, 4, True),  # continued at 128 pixels
        ("vit_base_patch8_128", 4 * 144, 16, 4, True),
        ("vit_base_patch8", 4 * 400, 12, 4, True),  # of images of 160 pixels
        ("vit_base_patch8", 144, 12, 1, True),
        ("vit_base_patch8", 144, 6, 1, True),  # windows of 48 pixels: still not four groups of 6 x 6
        ("vit_base_patch8_128", 144, 16, 1, True),
        ("vit_base_patch8", 256, 12, 1, True),
        ("vit_huge_patch8_128", 256, 16, 1, True),
        ("vit_base_patch8", 144, 12, 2, False),
        ("vit_base_patch8", 256, 12, 2, False),
        ("vit_base_patch8", 16 * 144, 12, 1, False),
        ("vit_huge_patch8_128", 4 * 256, 16, 1, False),  # not one group of 32 x 32
        ("vit_base_patch8", 150, 12, 1, False),
    ],
)
def test_the_number_of_groups_is_read_from_the_size_of_known_images(model, tokens, grid, used, kept):
    architecture, joint = ARCHITECTURES[model], torch.ones(1, tokens, 2)
    if kept:
        found = positions_of_groups(joint, architecture, Path("c.pth"), grid, used)
        assert found.shape[1] % architecture.groups == 0
        assert not torch.isnan(found[:, : found.shape[1] // architecture.groups * used]).any()
    else:
        with pytest.raises(CheckpointError, match=f"{tokens} positions"):
            positions_of_groups(joint, architecture, Path("c.pth"), grid, used)


def test_a_single_band_equals_three_equal_frames():
    encoder = tiny("joint").encoder
    image = torch.from_numpy(golden("tiny_joint_pos_embed")["x"][:, 0])
    frames = image.unsqueeze(1).expand(-1, 3, -1, -1)
    assert_allclose(
        encoder.patch_embed.expanded(to_patches(image)), encoder.patch_embed(frames)[:, 0], rtol=1e-4, atol=1e-5
    )
    assert_allclose(encoder.grouped(image.unsqueeze(1))[:, 0], encoder(frames), rtol=1e-4, atol=1e-5)


def written_out(state: dict[str, torch.Tensor], x: torch.Tensor, depth: int, heads: int) -> list[torch.Tensor]:
    """Tokens after each block of a transformer in the plainest words: separate q, k, v and an explicit softmax."""

    def norm(x, prefix):
        x = (x - x.mean(-1, keepdim=True)) / torch.sqrt(x.var(-1, unbiased=False, keepdim=True) + 1e-6)
        return x * state[f"{prefix}.weight"] + state[f"{prefix}.bias"]

    def linear(x, prefix):
        return x @ state[f"{prefix}.weight"].T + state[f"{prefix}.bias"]

    results, size = [], x.shape[-1] // heads
    for index in range(depth):
        block = f"blocks.{index}"
        q, k, v = linear(norm(x, f"{block}.norm1"), f"{block}.attn.qkv").chunk(3, dim=-1)
        parts = [slice(start, start + size) for start in range(0, size * heads, size)]
        mixed = [torch.softmax(q[..., s] @ k[..., s].transpose(1, 2) / size**0.5, dim=-1) @ v[..., s] for s in parts]
        x = x + linear(torch.cat(mixed, dim=-1), f"{block}.attn.proj")
        hidden = torch.nn.functional.gelu(linear(norm(x, f"{block}.norm2"), f"{block}.mlp.fc1"))
        x = x + linear(hidden, f"{block}.mlp.fc2")
        results.append(x)
    return [*results, norm(x, "norm")]


def test_encoder_equals_a_transformer_written_out():
    expected = golden("tiny_joint_pos_embed")
    tokens = written_out(tiny("joint").encoder.state_dict(), torch.from_numpy(expected["tokens_in"]), depth=2, heads=3)
    for found, name in zip(tokens, ("block0", "block1", "norm_tokens"), strict=True):
        assert_allclose(found, expected[name], rtol=1e-4, atol=1e-5)


def test_base_model_equals_a_transformer_written_out():
    encoder = load_weights(ARCHITECTURES["vit_base_patch8"], None, 5, 96, "encoder").encoder
    images = torch.randn(1, 1, 96, 96, generator=torch.Generator().manual_seed(0))
    tokens = encoder.patch_embed.expanded(to_patches(images[:, 0])) + encoder.pos_embed[:, :144]
    *_, expected = written_out(encoder.state_dict(), tokens, depth=12, heads=12)
    found = encoder.grouped(images)[:, 0]
    assert found.shape == (1, 144, 768)
    assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layer", [1, 2])
def test_encoder_stops_at_a_block(layer):
    expected = golden("tiny_joint_pos_embed")
    loaded = tiny("joint", layer=layer)
    assert len(loaded.encoder.blocks) == layer
    found = loaded.encoder(torch.from_numpy(expected["x"]))
    assert_allclose(found, expected["block0"] if layer == 1 else expected["norm_tokens"], rtol=1e-5, atol=1e-5)


def test_safetensors_are_read_like_the_pickled_file(tmp_path):
    from safetensors.torch import save_file

    save_file(read_checkpoint(GOLDEN / "tiny_joint_pos_embed.pth"), tmp_path / "tiny.safetensors")
    loaded = load_weights(TINY, tmp_path / "tiny.safetensors", 0, 32, "encoder")
    expected = golden("tiny_joint_pos_embed")
    assert_allclose(loaded.encoder(torch.from_numpy(expected["x"])), expected["norm_tokens"], rtol=1e-5, atol=1e-5)


def test_key_that_nobody_knows_is_an_error(tmp_path):
    state = read_checkpoint(GOLDEN / "tiny_joint_pos_embed.pth")
    torch.save({"model": state | {"adapter.weight": torch.zeros(1)}}, tmp_path / "more.pth")
    with pytest.raises(CheckpointError, match=r"unknown keys adapter\.weight"):
        load_weights(TINY, tmp_path / "more.pth", 0, 32, "encoder")


def test_random_weights_are_the_same_every_time_and_follow_the_seed():
    first, again, other = (
        load_weights(ARCHITECTURES["vit_base_patch8"], None, seed, 96, "patch_embed") for seed in (42, 42, 7)
    )
    assert first.sha256 == again.sha256 != other.sha256
    assert first.label == "random (seed 42)"


def test_patch_embedding_alone_has_the_weights_of_the_whole_encoder():
    part = load_weights(TINY, None, 3, 32, "patch_embed").encoder
    whole = load_weights(TINY, None, 3, 32, "encoder").encoder
    assert len(part.blocks) == 0
    assert torch.equal(part.patch_embed.proj.weight, whole.patch_embed.proj.weight)


def test_missing_checkpoint_names_the_file_and_the_setting(tmp_path):
    with pytest.raises(CheckpointError, match=r"nowhere\.pth does not exist.*\[embedding\]"):
        load_weights(TINY, tmp_path / "nowhere.pth", 0, 32, "encoder")


def test_checkpoint_of_another_width_is_refused():
    with pytest.raises(CheckpointError, match=r"48 wide.*768"):
        load_weights(ARCHITECTURES["vit_base_patch8"], GOLDEN / "tiny_joint_pos_embed.pth", 0, 96, "encoder")


def test_checkpoint_without_a_block_is_refused_and_the_key_named(tmp_path):
    state = read_checkpoint(GOLDEN / "tiny_joint_pos_embed.pth")
    torch.save({"model": {k: v for k, v in state.items() if "blocks.1.mlp.fc2" not in k}}, tmp_path / "part.pth")
    with pytest.raises(CheckpointError, match=r"lacks blocks\.1\.mlp\.fc2"):
        load_weights(TINY, tmp_path / "part.pth", 0, 32, "encoder")


def test_pickle_that_would_run_code_is_refused(tmp_path):
    class Malicious:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "owned",))

    torch.save({"model": Malicious(), "args": argparse.Namespace()}, tmp_path / "bad.pth")
    with pytest.raises(CheckpointError, match="refused"):
        load_weights(TINY, tmp_path / "bad.pth", 0, 32, "encoder")
    assert not (tmp_path / "owned").exists()


def test_center_is_the_four_tokens_that_meet_at_the_sample():
    assert anchor_index(96, "center") == 48
    assert anchor_index(96, "token") == 52
    (center,) = pooled_tokens(96, "center", "center")
    assert [divmod(int(token), 12) for token in center] == [(5, 5), (5, 6), (6, 5), (6, 6)]
    (token,) = pooled_tokens(96, "center", "token")
    assert [divmod(int(t), 12) for t in token] == [(6, 6)]


def test_architectures_have_the_documented_sizes():
    base, huge = ARCHITECTURES["vit_base_patch8"], ARCHITECTURES["vit_huge_patch8_128"]
    assert (base.groups, base.grid**2, base.width) == (4, 144, 768)
    assert (huge.groups, huge.grid**2, huge.width) == (1, 256, 1280)
    assert replace(huge, image_size=96).grid == 12
