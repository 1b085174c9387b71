"""Encoders trained in the folds: their windows, what is trained of them, what stops them, and the served graph."""

from unittest import mock

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from soc_assets.embedding.encoder import architecture
from soc_assets.embedding.encoder.architecture import PATCH, middle_tokens
from soc_assets.embedding.layout import Layout
from soc_assets.embedding.sample_windows import SampleWindows
from soc_assets.errors import EmbeddingError
from soc_assets.rasters.steps import step_numbers, step_of
from soc_assets.regression.design.reduction import GroupReduction
from soc_assets.regression.evaluation.fold import FoldFit, applicability_of, run_fold
from soc_assets.regression.final import gaps_of, raw_features
from soc_assets.regression.finetuning.encoded import EncodedWindows
from soc_assets.regression.finetuning.fit import fit_encoder
from soc_assets.regression.finetuning.network import LowRank, Transformer
from soc_assets.regression.models.explain import group_importance
from soc_assets.regression.models.fitted import Options, fit_recipe
from soc_assets.regression.models.learners import MlpLearner
from soc_assets.regression.models.served import ServedRecipe
from soc_assets_tests.embedding.world import window_of
from soc_assets_tests.regression.finetuning.made import design_of, fitted_on, parts, recipe_of, start_of, world_of


@pytest.mark.parametrize("anchor", ["center", "token"])
@pytest.mark.parametrize(("size", "side"), [(96, 32), (96, 24), (48, 16), (16, 16), (32, 24)])
def test_middle_tokens_are_a_square_around_the_sample(size, side, anchor):
    first, tokens = middle_tokens(size, side, anchor)
    row, column = np.divmod(tokens, size // PATCH)
    assert len(tokens) == (side // PATCH) ** 2
    assert {*row} == {*column} == set(range(first, first + side // PATCH))
    pixel = architecture.anchor_index(size, anchor)
    assert first * PATCH <= pixel <= (first + side // PATCH) * PATCH  # at `center` the sample is at the tokens' corner
    assert abs(first * PATCH + side / 2 - pixel) <= PATCH / 2 or side == size


@pytest.mark.parametrize("normalise", ["band", "none"])
def test_middles_are_the_pixels_around_each_sample(tmp_path, normalise):
    world = world_of(tmp_path, image_size=32, normalise=normalise)
    world.samples.loc[2, "year"] = 2018  # there is none of the years before
    found = SampleWindows(world.spec, world.raster_index, 64).middles(world.samples, 16)
    layout = Layout(world.spec)
    assert found.shape == (4, len(layout.slots), 1, 16, 16)
    assert np.isnan(found[3]).all()  # in a corner, where most of the window is outside
    for number, slot in enumerate(layout.slots):
        for sample, row, column in ((0, 20, 20), (1, 30, 30), (2, 40, 45)):
            step = step_of(int(step_numbers(slot, world.samples)[sample]), slot.kind)
            image, mosaic = found[sample, number, 0], world.raster_index.mosaics.get((slot.name, step))
            if mosaic is None:
                assert np.isnan(image).all()
                assert (sample, slot.lag) in ((2, 1), (2, 2))
                continue
            pixels = window_of(mosaic, world.raster_index.grid, row - 8, column - 8, 16)
            statistics, known = world.spec.statistics[slot.name], ~np.isnan(pixels)
            assert known.any()
            relative = (pixels - statistics.mean) / (statistics.std if normalise == "band" else 1)
            assert_allclose(image[known], relative[known], atol=1e-4 * statistics.mean)
            assert_allclose(image[~known], 0, atol=1e-4 * statistics.mean)


def test_side_that_is_not_of_whole_tokens_is_refused(tmp_path):
    world = world_of(tmp_path)
    with pytest.raises(EmbeddingError, match="a square of 20 pixels: whole tokens of 8 are needed, at most 32 pixels"):
        SampleWindows(world.spec, world.raster_index, 64).middles(world.samples, 20)
    with pytest.raises(EmbeddingError, match=r"a square of 40 pixels.* Raise image_size in .embedding. of soc.toml"):
        SampleWindows(world.spec, world.raster_index, 64).middles(world.samples, 40)


@pytest.mark.parametrize("arrangement", ["expand", "stack"])
@pytest.mark.parametrize("tuned", ["last", "all", "lora"])
def test_before_training_the_tokens_are_those_of_the_encoder(tmp_path, arrangement, tuned):
    """On whole windows the backbone gives the means of the encoder's own tokens, scene by scene."""
    world = world_of(tmp_path, arrangement=arrangement, normalise="none")
    start, spec = start_of(world), world.spec
    side = 32
    images = np.random.default_rng(0).normal(size=(3, len(spec.slots), spec.frames, side, side)).astype(np.float32)
    backbone = Transformer(start, recipe_of("finetune", "window:32", tuned=tuned, last_blocks=2), side).eval()
    with torch.inference_mode():
        found = backbone.pooled(backbone.stem(torch.from_numpy(images))).numpy()
        encoder, layout = start.load(), Layout(spec)
        absolute = images + start.neutral[:, :, None, None]
        for scene in {layout.scene_of(band.name) for band in spec.bands}:
            for slots in np.stack(layout.scene_slots(scene), axis=1):
                frames = torch.from_numpy(absolute[:, slots].reshape(3, -1, side, side))
                expected = encoder.grouped(frames).mean(dim=2).numpy()
                assert_allclose(found[:, slots], expected, atol=2e-5)


def test_low_rank_updates_begin_at_nothing_and_merge_into_the_weights():
    torch.manual_seed(0)
    plain, tokens = torch.nn.Linear(12, 36), torch.randn(2, 5, 12)
    before = plain(tokens)
    layer = LowRank(plain, 3)
    assert_allclose(layer(tokens).detach(), before.detach(), atol=1e-7)
    with torch.no_grad():
        layer.up.normal_()
    changed = layer(tokens)
    assert_allclose(changed[..., 12:24].detach(), before[..., 12:24].detach(), atol=1e-6)  # keys stay
    assert not torch.allclose(changed[..., :12], before[..., :12])
    assert_allclose(layer.merged()(tokens).detach(), changed.detach(), atol=1e-5)


@pytest.mark.parametrize(
    ("tuned", "changed"),
    [
        ("last", {"blocks.2", "norm"}),
        ("all", {"embed", "blocks.0", "blocks.1", "blocks.2", "norm"}),
        ("lora", {"blocks.0", "blocks.1", "blocks.2"}),
    ],
)
def test_only_what_is_asked_for_is_trained(tmp_path, tuned, changed):
    world = world_of(tmp_path)
    recipe = recipe_of("finetune", tuned=tuned, rank=2)
    fit = fitted_on(design_of(world.spec), recipe, start_of(world))
    [encoded] = fit.reduction.groups
    assert isinstance(encoded, EncodedWindows)
    after, before = encoded.encoder.backbone.state_dict(), Transformer(start_of(world), recipe_of("finetune"), 16)
    names = [name for name, each in before.state_dict().items() if not torch.equal(each, after[name])]
    assert {".".join(name.split(".")[: 2 if name.startswith("blocks") else 1]) for name in names} == changed
    if tuned == "lora":
        assert all("attn.qkv.weight" in name for name in names)


def test_what_is_frozen_may_be_kept_or_not_and_gives_the_same(tmp_path):
    world = world_of(tmp_path)
    design, recipe = design_of(world.spec), recipe_of("finetune", dropout=0.0)
    kept = fitted_on(design, recipe, start_of(world))
    with mock.patch("soc_assets.regression.finetuning.train._KEPT_BYTES", 0):
        computed = fitted_on(design, recipe, start_of(world))
    rows = np.arange(20)
    assert_allclose(kept.reduction.apply(design, rows), computed.reduction.apply(design, rows), atol=0.02)  # half


@pytest.mark.parametrize("model", ["finetune", "convolution"])
def test_the_signal_in_the_windows_is_learned_and_served(tmp_path, model):
    world = world_of(tmp_path)
    design, start = design_of(world.spec, signal=3.0), start_of(world)
    rows, inner, test = parts()
    recipe = recipe_of(
        model, "window:16+coordinates", epochs=8, tuned="all", encoder_learning_rate=2e-3, intervals=True
    )
    model = fit_recipe(recipe, design, rows, inner, Options(start=start))
    found = model.predict(model.reduce(design, test))
    observed = design.samples["organic_carbon"].to_numpy()[test]
    assert np.corrcoef(np.log(found.mean), np.log(observed))[0, 1] > 0.6
    area = applicability_of(model, design, rows, inner, 0)
    served = ServedRecipe(model, area, gaps_of(design, recipe.features, rows, ("embedding", "point"))).eval()
    raw = torch.from_numpy(raw_features(design, recipe.features, test))
    exported = torch.export.export(served, (raw[:2],), dynamic_shapes=({0: torch.export.Dim("n", min=1)},)).module()
    answer = exported(raw).numpy()
    assert_allclose(answer[:, 0], found.mean, rtol=1e-4)
    assert_allclose(answer[:, 1:3], np.column_stack([found.lower, found.upper]), rtol=1e-3, atol=1e-3)
    assert_allclose(exported(raw[:1]).numpy(), answer[:1], rtol=1e-5)
    importance = group_importance(model, design, test, 0)
    what = importance[importance["kind"] == "what"].set_index("group")["permuted"]
    band = importance[importance["kind"] == "band"].set_index("group")["permuted"]
    assert what["window"] > 0
    assert band.idxmax() == world.spec.slots[0].name


@pytest.mark.parametrize("model", ["finetune", "convolution"])
def test_nothing_of_the_test_part_reaches_the_encoder(tmp_path, model):
    """Test rows become absurd in target and windows: predictions of the others stay the same."""
    world = world_of(tmp_path)
    design, spoilt = design_of(world.spec), design_of(world.spec)
    rows, inner, test = parts()
    spoilt.samples.loc[test, "organic_carbon"] = 149.0
    for matrix in spoilt.matrices.values():
        matrix[test] = 1e3
    recipe = recipe_of(model, "window:16+point")
    predicted = [
        run_fold(FoldFit("block", 0, "m", (recipe,), rows, inner, rows[:10]), given, Options(start=start_of(world)))
        for given in (design, spoilt)
    ]
    assert_array_equal(predicted[0].predictions["predicted"], predicted[1].predictions["predicted"])


def test_the_inner_fold_stops_it_and_the_best_epoch_is_kept(tmp_path):
    """Noise cannot be learned: the loss of the inner fold rises soon, and the weights before are kept."""
    world = world_of(tmp_path)
    design = design_of(world.spec, signal=0.0)
    recipe = recipe_of("convolution", epochs=40, patience=3, learning_rate=1e-2)
    fit = fitted_on(design, recipe)
    trained, best = fit.epochs
    assert trained == best + 3 < 40
    rows, inner, _ = parts()
    assert len(fit.observed) == (inner == 0).sum()
    again = fitted_on(design, recipe_of("convolution", epochs=40, patience=3, learning_rate=1e-2, validation_fold=1))
    assert len(again.observed) == (inner == 1).sum()
    ones = np.ones(len(rows))
    whole = fit_encoder(recipe_of("convolution"), design, rows, 0 * ones, ones, ones, None, 1, "cpu")
    assert len(whole.observed) == 18  # a fifth of 45 locations, of two samples each


def test_summaries_are_standardised_and_the_head_sees_them_as_it_was_trained(tmp_path):
    world = world_of(tmp_path)
    design = design_of(world.spec)
    fit = fitted_on(design, recipe_of("finetune", "window:16+point"), start_of(world))
    rows, _, _ = parts()
    encoded, points = fit.reduction.groups
    assert isinstance(points, GroupReduction)
    summaries = encoded.apply(design.matrices["window:16"], rows)
    assert_allclose(summaries.mean(axis=0), 0, atol=1e-4)
    assert_allclose(summaries.std(axis=0), 1, atol=1e-3)
    assert isinstance(fit.learner, MlpLearner)
    raw = summaries * encoded.spread + encoded.centre
    width = summaries.shape[1]
    assert_allclose((summaries - fit.learner.mean[:width]) / fit.learner.scale[:width], raw, atol=1e-5)
    alone = encoded.contribution(design.matrices["window:16"], rows, np.arange(16 * 16))
    each = width // len(world.spec.slots)
    assert_allclose(alone[:, :each], summaries[:, :each])
    assert not alone[:, each:].any()


def test_two_fits_are_the_same(tmp_path):
    world = world_of(tmp_path)
    design = design_of(world.spec)
    first, second = (fitted_on(design, recipe_of("finetune"), start_of(world)) for _ in range(2))
    assert_array_equal(first.predicted.value, second.predicted.value)
