"""Recipes that read windows: what is refused, how long they take, and what makes another fit of them."""

import pytest
import torch
from pydantic import ValidationError

from soc_assets.errors import SocWarning, TrainingError
from soc_assets.regression.design.windows import require_windows
from soc_assets.regression.evaluation.engine import _trained
from soc_assets.regression.evaluation.fold import FoldFit
from soc_assets.regression.finetuning.cost import estimate, visited
from soc_assets.regression.finetuning.network import Transformer, WindowEncoder
from soc_assets.regression.models.fitted import Options
from soc_assets.regression.models.recipes import NAMED
from soc_assets.settings.evaluation import Evaluation, Recipe
from soc_assets_tests.regression.finetuning.made import design_of, parts, recipe_of, start_of, world_of


def test_what_takes_days_is_refused_and_the_rest_says_how_long(tmp_path):
    world = world_of(tmp_path, model="vit_base_patch8", stage="patch_embed")
    design, (rows, inner, _) = design_of(world.spec), parts()
    fits = [(recipe_of("finetune"), rows, inner), (NAMED["ridge"], rows, inner)]
    with pytest.raises(TrainingError, match=r"fine-tunes vit_base_patch8 .* days without a GPU. Set model = 'vit_tiny"):
        estimate(fits, design, start_of(world), "cpu")
    small = world_of(tmp_path / "small")
    with pytest.warns(SocWarning, match=r"starts from weights that are random \(seed 42\): nothing was learned before"):
        seconds, words = estimate(fits, design_of(small.spec), start_of(small), "cpu")
    assert seconds > 0
    assert words.startswith("1 fit learns from windows: at most about 0 min on cpu")
    assert estimate([(NAMED["ridge"], rows, inner)], design, None, "cpu") == (0, "")


def test_an_interval_or_a_choice_fits_the_inner_folds_too():
    rows, inner, _ = parts()
    assert visited(recipe_of("convolution"), inner) == len(rows)
    assert visited(recipe_of("convolution", intervals=True), inner) == 3 * len(rows)
    several = FoldFit("block", 0, "m", (recipe_of("convolution"), NAMED["ridge"]), rows, inner, rows)
    assert [recipe.intervals for recipe, *_ in _trained([(several, "")])] == [True, True]
    alone = FoldFit("block", 0, "m", (recipe_of("convolution"),), rows, inner, rows)
    assert [recipe.intervals for recipe, *_ in _trained([(alone, "")])] == [False]


@pytest.mark.parametrize(
    ("model", "features"),
    [("mlp", "window:16"), ("finetune", "point"), ("convolution", "embedding"), ("finetune", "point+window:16")],
)
def test_windows_are_for_those_who_read_them(model, features):
    with pytest.raises(ValidationError, match="finetune and convolution read one group of windows, which"):
        Recipe(name="m", model=model, features=features)


@pytest.mark.parametrize("side", [0, 12])
def test_windows_are_of_whole_tokens(side):
    with pytest.raises(ValidationError, match=f"on 'window:{side}': windows are 8, 16, 24, ... pixels wide"):
        Recipe(name="m", model="finetune", features=f"window:{side}")
    with pytest.raises(ValidationError):
        Evaluation(feature_sets=("window:16",))


def test_windows_wider_than_those_of_the_embedding_are_refused_before_anything_is_fitted():
    with pytest.raises(TrainingError, match=r"reads window:16, and image_size in .* is 8. Take a smaller window"):
        require_windows([NAMED["ridge"], NAMED["finetune"]], 8)
    require_windows([NAMED["finetune"]], 16)


def test_another_encoder_or_other_windows_are_another_fit(tmp_path):
    world, other = world_of(tmp_path), world_of(tmp_path / "other", weights_seed=7)
    design, (rows, inner, test) = design_of(world.spec), parts()
    changed = design_of(world.spec, signal=0.5)

    def digest(name, given, start):
        return FoldFit("block", 0, "m", (recipe_of(name),), rows, inner, test).digest(given, Options(start=start))

    first = digest("finetune", design, start_of(world))
    assert digest("finetune", design, start_of(other)) != first
    assert digest("finetune", changed, start_of(world)) != first
    assert digest("convolution", design, start_of(world)) == digest("convolution", design, start_of(other))


def test_width_of_the_summaries_is_that_of_the_slots(tmp_path):
    world = world_of(tmp_path, arrangement="stack")
    spec = world.spec
    encoder = WindowEncoder(Transformer(start_of(world), recipe_of("finetune"), 16), len(spec.slots))
    found = encoder(torch.zeros(2, len(spec.slots), spec.frames, 16, 16))
    assert found.shape == (2, 8 * len(spec.slots))
