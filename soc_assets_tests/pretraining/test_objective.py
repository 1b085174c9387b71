"""The objective against its definition, written out token by token; and the network against the official layout."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from soc_assets.embedding.encoder.architecture import ARCHITECTURES, Architecture
from soc_assets.embedding.encoder.network import to_patches as patches_of_a_band
from soc_assets.embedding.encoder.positions import interpolate_positions
from soc_assets.embedding.encoder.weights import load_weights, read_checkpoint
from soc_assets.errors import CheckpointError
from soc_assets.pretraining.checkpoint import frames_of_start, official_state, start_from, write_checkpoint
from soc_assets.pretraining.network import DecoderSizes, MaskedAutoencoder, from_patches, initialise, to_patches
from soc_assets.pretraining.objective import draw_mask, terms

GOLDEN = Path(__file__).parents[1] / "embedding" / "encoder" / "golden"
TINY = Architecture(image_size=32, width=48, depth=2, heads=3)


def tiny_model(seed=0):
    model = MaskedAutoencoder(TINY, DecoderSizes(24, 1, 3))
    initialise(model, seed)
    return model


def frames(n=3, count=12, size=32, seed=0):
    return torch.randn(n, count, size, size, generator=torch.Generator().manual_seed(seed))


def naive_loss(predicted, images, valid, masked, together=3):
    """L1 + L3 by loops over images, groups and places; predicted [n, groups, places, together * 64]."""
    n, count, size, _ = images.shape
    edge, groups = size // 8, max(1, count // together)
    masked = masked.reshape(n, groups, edge * edge)
    ones, threes = [], []
    for image in range(n):
        for place in range(edge * edge):
            row, column = 8 * (place // edge), 8 * (place % edge)
            guesses, truths, theres = [], [], []
            for group in range(groups):
                inside = [0] * together if count == 1 else range(group * together, (group + 1) * together)
                truth = torch.stack([images[image, f, row : row + 8, column : column + 8] for f in inside])
                there = torch.stack([valid[image, f, row : row + 8, column : column + 8] for f in inside])
                guess = predicted[image, group, place].reshape(together, 8, 8)
                if masked[image, group, place] and there.any():
                    ones.append(((guess - truth) ** 2)[there].mean())
                guesses.append(guess)
                truths.append(truth)
                theres.append(there)
            there = torch.stack(theres).all(dim=0)
            if groups > 1 and there.any():
                threes.append(((sum(guesses) - sum(truths)) ** 2)[there].mean())
    return sum(ones) / len(ones) + (sum(threes) / len(threes) if threes else 0)


@pytest.mark.parametrize("count", [1, 3, 12])
@pytest.mark.parametrize("gaps", [0.0, 0.4])
def test_the_loss_of_a_step_equals_the_definition(count, gaps):
    model, images = tiny_model(), frames(2, count)
    valid = torch.rand(images.shape, generator=torch.Generator().manual_seed(1)) >= gaps
    valid[0, 0, :8, :8] = gaps == 0  # a token without any value
    kept, masked = draw_mask(2, 16 * max(1, count // 3), 0.75, torch.Generator().manual_seed(2))
    cut, there = to_patches(images, 3), to_patches(valid, 3)
    with torch.no_grad():
        predicted = model(cut, kept)
    found = terms(predicted, cut, there, masked)
    expected = naive_loss(predicted, images, valid, masked)
    assert_allclose(found.mean(found.masked_tokens, found.places), expected, rtol=1e-5)


def test_the_loss_of_a_model_as_wide_as_the_official_one_equals_the_definition():
    architecture = replace(ARCHITECTURES["vit_base_patch8"], depth=2, image_size=32)
    model = MaskedAutoencoder(architecture, DecoderSizes.of("vit_base_patch8", depth=1))
    initialise(model, 0)
    images, valid = frames(1), torch.ones(1, 12, 32, 32, dtype=torch.bool)
    kept, masked = draw_mask(1, 64, 0.9, torch.Generator().manual_seed(0))
    with torch.no_grad():
        predicted = model(to_patches(images, 3), kept)
    found = terms(predicted, to_patches(images, 3), to_patches(valid, 3), masked)
    expected = naive_loss(predicted, images, valid, masked)
    assert_allclose(found.mean(found.masked_tokens, found.places), expected, rtol=1e-5)


def test_what_lies_under_gaps_does_not_count():
    predicted, images = torch.zeros(1, 4, 16, 192), frames(1)
    valid = torch.rand(images.shape, generator=torch.Generator().manual_seed(1)) > 0.3
    masked = torch.ones(1, 64, dtype=torch.bool)
    other = torch.where(valid, images, 1e6)
    found = [terms(predicted, to_patches(each, 3), to_patches(valid, 3), masked) for each in (images, other)]
    assert found[0].masked == found[1].masked
    assert found[0].summed == found[1].summed


def test_normalised_targets_have_unit_variance_and_no_sums_over_groups():
    images, valid = frames(1), torch.ones(1, 12, 32, 32, dtype=torch.bool)
    masked = torch.ones(1, 64, dtype=torch.bool)
    found = terms(torch.zeros(1, 4, 16, 192), to_patches(images * 7 + 3, 3), to_patches(valid, 3), masked, True)
    assert_allclose(found.masked / found.masked_tokens, 191 / 192, rtol=1e-5)  # the unbiased variance is 1
    assert not found.places


@pytest.mark.parametrize(("tokens", "ratio", "kept"), [(144, 0.75, 36), (144, 0.9, 14), (576, 0.9, 57), (4, 0.9, 1)])
def test_masks_are_uniform_and_of_the_documented_size(tokens, ratio, kept):
    visible, masked = draw_mask(4000, tokens, ratio, torch.Generator().manual_seed(0))
    assert visible.shape == (4000, kept)
    assert (masked.sum(dim=1) == tokens - kept).all()
    assert not masked.gather(1, visible).any()
    share = (~masked).float().mean(dim=0)
    assert_allclose(share, kept / tokens, atol=5 * np.sqrt(kept / tokens / 4000))


def test_patches_are_cut_as_the_official_code_does_and_put_back():
    images = frames(2, 6)
    cut = to_patches(images, 3)
    assert cut.shape == (2, 2, 16, 192)
    assert torch.equal(cut[1, 1, 5].view(3, 8, 8), images[1, 3:6, 8:16, 8:16])
    assert torch.equal(from_patches(cut, images.shape, 3), images)
    assert torch.equal(to_patches(images[:, :1], 3)[:, 0], patches_of_a_band(images[:, 0]))


def test_seen_tokens_are_those_of_the_official_encoder():
    """With every token kept it is the encoder of a checkpoint of the pre-training class."""
    model = tiny_model()
    before = model.state_dict()["decoder_pred.weight"].clone()
    assert not any("decoder" in note for note in start_from(model, GOLDEN / "tiny_separate_pos_embed.pth", TINY))
    assert not torch.equal(model.decoder_pred.weight, before)  # the decoder is taken, too
    with np.load(GOLDEN / "tiny_separate_pos_embed.npz") as golden:
        x, expected = torch.from_numpy(golden["x"]), golden["norm_tokens"]
    with torch.no_grad():
        found = model.encode(to_patches(x, 3), torch.arange(64).expand(len(x), 64))
    assert_allclose(found.reshape(expected.shape), expected, rtol=1e-5, atol=1e-5)


def test_a_checkpoint_has_the_official_keys_and_shapes_and_loads_as_an_encoder(tmp_path):
    model = MaskedAutoencoder(TINY, DecoderSizes(24, 2, 3))
    initialise(model, 3)
    write_checkpoint(tmp_path / "own.pth", model.state_dict(), {"model": "tiny"})
    official = read_checkpoint(GOLDEN / "tiny_separate_pos_embed.pth")
    depth = 1 + max(int(key.split(".")[1]) for key in official if key.startswith("decoder_blocks"))
    own = {key: value for key, value in read_checkpoint(tmp_path / "own.pth").items() if _block(key) < depth}
    assert {key: tuple(value.shape) for key, value in own.items()} == {
        key: tuple(value.shape) for key, value in official.items()
    }
    encoder = load_weights(TINY, tmp_path / "own.pth", 0, 32, "encoder").encoder
    x = frames(1)
    with torch.no_grad():
        tokens = model.encode(to_patches(x, 3), torch.arange(64)[None])
        assert_allclose(encoder(x)[0], tokens[0], rtol=1e-5, atol=1e-5)


def _block(key):
    return int(key.split(".")[1]) if key.startswith("decoder_blocks") else -1


def test_the_same_tensors_give_the_same_bytes(tmp_path):
    for name in ("a.pth", "b.pth"):
        write_checkpoint(tmp_path / name, tiny_model().state_dict(), {})
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "b.pth").read_bytes()


def test_a_joint_checkpoint_starts_with_positions_whose_sums_are_nearest():
    model = tiny_model()
    mask_token = model.mask_token.clone()
    notes = start_from(model, GOLDEN / "tiny_joint_pos_embed.pth", TINY)
    joint = read_checkpoint(GOLDEN / "tiny_joint_pos_embed.pth")["pos_embed"].view(4, 16, 48)
    sums = (model.pos_embed_temporal[0, :, None] + model.pos_embed_spatial).detach()
    fitted = joint.mean(dim=0) + joint.mean(dim=1, keepdim=True) - joint.mean(dim=(0, 1))
    assert_allclose(sums, fitted, atol=1e-6)
    assert any("the decoder begins with new weights" in note for note in notes)
    assert torch.equal(model.mask_token, mask_token)


def test_windows_of_another_size_keep_the_decoder_and_interpolate_its_positions():
    model = MaskedAutoencoder(replace(TINY, image_size=48), DecoderSizes(24, 1, 3))
    initialise(model, 0)
    assert not any("decoder" in note for note in start_from(model, GOLDEN / "tiny_separate_pos_embed.pth", TINY))
    published = read_checkpoint(GOLDEN / "tiny_separate_pos_embed.pth")
    assert torch.equal(model.decoder_embed.weight, published["decoder_embed.weight"])
    expected = interpolate_positions(published["decoder_pos_embed_spatial"], 1, 6)
    assert_allclose(model.decoder_pos_embed_spatial.detach(), expected)


def test_a_start_with_other_frames_in_a_group_makes_a_network_of_them(tmp_path):
    own = replace(TINY, t_patch_size=4)
    written = MaskedAutoencoder(own, DecoderSizes(24, 1, 3))
    initialise(written, 5)
    write_checkpoint(tmp_path / "four.pth", written.state_dict(), {})
    assert frames_of_start(tmp_path / "four.pth", TINY) == 4
    model = MaskedAutoencoder(own, DecoderSizes(24, 1, 3))
    start_from(model, tmp_path / "four.pth", TINY)
    for key, value in model.state_dict().items():
        assert_allclose(value, written.state_dict()[key], atol=1e-6)


def test_a_start_that_is_not_finite_is_refused_by_key(tmp_path):
    model = tiny_model()
    state = model.state_dict()
    state["blocks.1.mlp.fc1.weight"][3, 4] = torch.nan
    write_checkpoint(tmp_path / "nan.pth", state, {})
    with pytest.raises(CheckpointError, match=r"not finite in blocks\.1\.mlp\.fc1\.weight"):
        start_from(tiny_model(), tmp_path / "nan.pth", TINY)


def test_initial_weights_are_xavier_of_each_of_q_k_and_v():
    state = official_state(tiny_model().state_dict())
    bound = (6 / (48 + 48)) ** 0.5
    for name in "qkv":
        weight = state[f"blocks.0.attn.{name}.weight"]
        assert 0.95 * bound < weight.abs().max() <= bound
    assert 0.015 < state["pos_embed_temporal"].std() < 0.025
    assert not state["blocks.0.mlp.fc1.bias"].any()
