from dataclasses import replace

import numpy as np
import pytest
import torch

from soc_assets.errors import TrainingError
from soc_assets.regression import final
from soc_assets.regression.design.design import Design
from soc_assets.regression.design.gaps import Gaps
from soc_assets.regression.evaluation.fold import applicability_of
from soc_assets.regression.evaluation.plan import merged
from soc_assets.regression.final import fit_final, gaps_of, raw_features, recipe_candidates
from soc_assets.regression.models.applicability import Applicability
from soc_assets.regression.models.conformal import Calibration
from soc_assets.regression.models.documented import documented_interval
from soc_assets.regression.models.explain import group_importance
from soc_assets.regression.models.fitted import Options, fit_recipe
from soc_assets.regression.models.kriging import projected
from soc_assets.regression.models.mlp import SocMlp
from soc_assets.regression.models.recipes import MEAN
from soc_assets.regression.models.served import ServedDocumented, ServedRecipe
from soc_assets.settings import Training
from soc_assets.settings.evaluation import Evaluation, Recipe
from soc_assets_tests.regression.designs import make

TINY = {"hidden": (8, 4), "epochs": 5, "members": 2, "batch_size": 32, "pca": 5}
MLP = Recipe(name="m", **TINY)


def inner_of(fold: np.ndarray) -> np.ndarray:
    return merged(fold, 3)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(name="k", model="kriging", features="coordinates"),
        Recipe(name="g", model="gaussian_process", features="point:1+coordinates", target="box-cox"),
        Recipe(name="t", model="regression_kriging", features="point+coordinates", weight_decay=0.01),
        Recipe(name="f", model="regression_kriging", features="point+coordinates", trend="extra_trees", trees=2),
        Recipe(name="n", model="regression_kriging", features="point+coordinates", trend="mlp", **TINY),
    ],
    ids=lambda recipe: recipe.name,
)
@pytest.mark.parametrize("dense", [True, False])
def test_graph_of_a_model_of_space_says_what_the_fitted_model_says(recipe, dense, monkeypatch):
    monkeypatch.setattr(projected, "DENSE", 4096 if dense else 50)
    design = make(150)
    rows, fold, every = np.arange(120), np.arange(120) // 2 % 2, np.arange(150)
    model = fit_recipe(recipe, design, rows, inner_of(fold), Options())
    area = applicability_of(model, design, rows, inner_of(fold), 0)
    served = ServedRecipe(model, area, gaps_of(design, recipe.features, rows, ("embedding", "point"))).eval()
    x = torch.from_numpy(raw_features(design, recipe.features, every))
    exported = torch.export.export(served, (x[:2],), dynamic_shapes=({0: torch.export.Dim("n")},)).module()
    expected = model.predict(model.reduce(design, every))
    found = exported(x).detach().numpy()
    for column, values in enumerate((expected.mean, expected.lower, expected.upper)):
        np.testing.assert_allclose(found[:, column], values, rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize("target", ["none", "log1p", "box-cox"])
@pytest.mark.parametrize("features", ["point", "point:1+embedding", "embedding"])
def test_graph_says_what_the_fitted_model_says(target, features):
    design = make()
    design.matrices["point"][5, 1] = np.nan
    rows, fold = np.arange(200), np.arange(200) // 2 % 4
    recipe = Recipe(name="m", features=features, target=target, **TINY)
    model = fit_recipe(recipe, design, rows, inner_of(fold), Options())
    area = applicability_of(model, design, rows, inner_of(fold), 0)
    served = ServedRecipe(model, area, gaps_of(design, features, rows, ("embedding", "point"))).eval()
    every = np.arange(240)
    found = served(torch.from_numpy(raw_features(design, features, every))).detach().numpy()
    reduced = model.reduce(design, every)
    expected = model.predict(reduced)
    for column, values in enumerate((expected.mean, expected.lower, expected.upper, area.index(reduced))):
        np.testing.assert_allclose(found[:, column], values, rtol=2e-3, atol=2e-3)
    assert (found[:, 1] <= found[:, 2]).all()
    assert (found[:200, 3] < 1e-3).all()  # training samples themselves
    assert set(np.unique(found[:, 4])) <= {0.0, 1.0}


@pytest.mark.parametrize("target", ["none", "log1p"])
def test_graph_and_fitted_model_stop_at_the_same_most(target):
    design = make(150)
    rows, fold = np.arange(120), np.arange(120) // 2 % 4
    model = fit_recipe(Recipe(name="m", target=target, **TINY), design, rows, inner_of(fold), Options())
    assert model.target.most == design.samples["organic_carbon"][:120].max()  # not of rows that it was not given
    low = replace(model, target=replace(model.target, most=14.0))
    area = applicability_of(model, design, rows, inner_of(fold), 0)
    served = ServedRecipe(low, area, gaps_of(design, "point", rows, ())).eval()
    every = np.arange(150)
    found = served(torch.from_numpy(raw_features(design, "point", every))).detach().numpy()
    expected = low.predict(model.reduce(design, every))
    assert expected.mean.max() == expected.upper.max() == 14.0
    for column, values in enumerate((expected.mean, expected.lower, expected.upper)):
        np.testing.assert_allclose(found[:, column], values, rtol=2e-3, atol=2e-3)
        assert found[:, column].min() >= 0 and found[:, column].max() <= 14.0


def test_documented_network_and_its_interval_stop_at_the_most_of_the_training_split():
    network = SocMlp(1, ()).eval()  # a straight line
    with torch.no_grad():
        network.first.weight.fill_(1.0)
        network.first.bias.fill_(0.0)
    network.target_mean.fill_(20.0)
    network.target_scale.fill_(10.0)
    network.target_most.fill_(45.0)
    features = torch.tensor([[-3.0], [-1.5], [0.0], [2.0], [9.0]])
    area = Applicability.fit(np.arange(-2.0, 4)[:, None], np.ones(1), np.arange(6))
    calibration = Calibration((1.0, 3.0), ((1.0, 0.5), (0.5, 1.0)), 0.4, 0.9)
    found = ServedDocumented(network, calibration, area, Gaps.unknown(1))(features)[:, :3].detach().numpy()
    predicted = np.array([0.0, 5, 20, 40, 45])
    np.testing.assert_allclose(found[:, 0], predicted)
    np.testing.assert_allclose(network.predict(features.numpy()), predicted)
    log = np.log1p(predicted)
    below, above = (0.4 * np.interp(log, [1, 3], ends) for ends in ([1.0, 0.5], [0.5, 1.0]))
    np.testing.assert_allclose(found[:, 1], np.clip(np.expm1(log - below), 0, 45), rtol=1e-5)
    np.testing.assert_allclose(found[:, 2], np.clip(np.expm1(log + above), 0, 45), rtol=1e-5)
    assert found[:, 2].max() == 45.0
    stated = documented_interval(calibration, predicted, 45.0)
    np.testing.assert_allclose(found[:, 1:], np.column_stack(stated), rtol=1e-5)
    uncalibrated = ServedDocumented(network, None, area, Gaps.unknown(1))(features)[:, :3]
    torch.testing.assert_close(uncalibrated[:, 1:], torch.tensor([[0.0, 45.0]]).expand(5, 2))


def test_graph_is_exported_for_any_number_of_rows(tmp_path):
    design = make(120)
    rows, fold = np.arange(120), np.arange(120) // 2 % 4
    model = fit_recipe(Recipe(name="m", **TINY), design, rows, inner_of(fold), Options())
    area = applicability_of(model, design, rows, inner_of(fold), 0)
    served = ServedRecipe(model, area, gaps_of(design, "point", rows, ("embedding", "point"))).eval()
    x = torch.from_numpy(raw_features(design, "point", rows))
    exported = torch.export.export(served, (x[:2],), dynamic_shapes=({0: torch.export.Dim("n")},))
    torch.export.save(exported, tmp_path / "model.pt2")
    again = torch.export.load(tmp_path / "model.pt2").module()
    torch.testing.assert_close(again(x[:7]), served(x[:7]))


def test_model_without_an_interval_is_not_served():
    design = make(120)
    rows, fold = np.arange(120), np.arange(120) // 2 % 4
    bare = Recipe(name="bare", model="ridge", intervals=False)
    model = fit_recipe(bare, design, rows, inner_of(fold), Options())
    area = applicability_of(model, design, rows, inner_of(fold), 0)
    with pytest.raises(TrainingError, match="'bare' was fitted without a calibrated interval"):
        ServedRecipe(model, area, gaps_of(design, "point", rows, ()))


@pytest.mark.parametrize(
    ("recipes", "folds", "match"),
    [
        ([MEAN, Recipe(name="m", **TINY)], 4, "'mean' predicts the same everywhere"),
        ([Recipe(name="m", **TINY)], 1, "are in 1 fold, and an interval needs two"),
    ],
)
def test_what_cannot_be_served_is_refused_before_anything_is_fitted(recipes, folds, match, monkeypatch):
    def fitted(*args, **kwargs):
        raise AssertionError("something was fitted")

    monkeypatch.setattr(final, "fit_recipe", fitted)
    monkeypatch.setattr(final, "choose", fitted)
    with pytest.raises(TrainingError, match=match):
        fit_final(tuple(recipes), make(120), np.arange(120) % folds, inner_of, Options())


@pytest.mark.parametrize("name", ["random_forest", "gradient_boosting on point:1+embedding", "coordinates", "ridge"])
def test_recipe_compared_without_intervals_is_registered_as_it_is_with_one(name):
    """Registered predictions are those that were compared; the inner folds calibrate the interval beside them."""
    settings = Evaluation(feature_sets=("point", "point:1+embedding"))
    [recipe] = recipe_candidates(name, settings, None)
    recipe = recipe.model_copy(update={"trees": 60, "pca": 5})
    assert not recipe.intervals
    design, fold = make(200), np.arange(200) // 2 % 4
    fit = fit_final((recipe,), design, fold, inner_of, Options(level=0.8))
    assert fit.facts["kind"] == recipe.model and fit.facts["features"] == recipe.features
    compared = fit_recipe(recipe, design, np.arange(200), inner_of(fold), Options(level=0.8))
    expected = compared.predict(compared.reduce(design, np.arange(200)))
    found = fit.served(torch.from_numpy(raw_features(design, recipe.features, np.arange(200)))).numpy()
    np.testing.assert_allclose(found[:, 0], expected.mean, rtol=2e-6)
    unseen = fit.evaluation.predictions
    inside = (unseen["observed"] >= unseen["lower"]) & (unseen["observed"] <= unseen["upper"])
    assert inside.mean() == pytest.approx(0.8, abs=0.04)  # interpolated between two groups of 100: 0.81 on average


@pytest.mark.parametrize("most", [4096, 40])
def test_importance_is_that_of_a_sample_with_and_without_a_test_split(most, monkeypatch):
    monkeypatch.setattr(final, "_EXPLAINED", most)
    recipe, fold = Recipe(name="r", model="ridge", weight_decay=0.01), np.arange(160) // 2 % 4
    fit = fit_final((recipe,), make(160, noise=0.05), fold, inner_of, Options())
    looked_at = np.arange(160)
    if most < 160:
        looked_at = np.sort(np.random.default_rng(42).permutation(160)[:most])
    sums = group_importance(fit.model, make(160, noise=0.05), looked_at, 42)
    np.testing.assert_allclose(fit.importance["permuted"], sums["permuted"] / len(looked_at))


def test_choice_may_take_a_tree_and_the_documented_mlp_too():
    design = make(160, noise=0.05)
    training = Training(hidden=(8,), epochs=4, device="cpu")
    documented = Recipe(name="d", model="documented", features="point:1+embedding", target="none", pca=0)
    recipes = (documented, Recipe(name="trees", model="extra_trees", trees=60, intervals=False), MLP)
    fit = fit_final(recipes, design, np.arange(160) // 2 % 4, inner_of, Options(training=training))
    assert fit.facts["candidates"].keys() == {"d", "trees", "m"}
    assert (fit.facts["recipe"], fit.facts["kind"]) == ("trees", "extra_trees")
    alone = fit_final((documented,), design, np.arange(160) // 2 % 4, inner_of, Options(training=training))
    assert alone.facts["dissimilarity"].startswith("in 43 principal components of its standardised features (100.0%")
    raw = torch.from_numpy(raw_features(design, documented.features, np.arange(160)))
    found, expected = alone.served(raw).detach().numpy(), alone.model.predict(raw_of(alone, design))
    for column, values in enumerate((expected.mean, expected.lower, expected.upper)):
        np.testing.assert_allclose(found[:, column], values, rtol=1e-4)
    assert (found[:, 3] < 1e-3).all()
    far = alone.served(raw * 30).detach().numpy()
    assert (far[:, 4] == 0).all()


def raw_of(fit: final.RecipeFit, design: Design) -> np.ndarray:
    return fit.model.reduce(design, np.arange(len(design.samples)))


@pytest.mark.parametrize("filler", [np.nan, 0.0])
def test_graph_is_not_applicable_where_more_images_are_missing_than_in_training(filler):
    """Four of the bands and lags of the design are images of the point values; training lacks one of them at most."""
    design = make()
    lacks = {0: slice(0, 2), 1: slice(2, 4)}  # Elevation, LAI of lag 0
    design.matrices["point"][7, lacks[0]] = filler
    rows, fold = np.arange(200), np.arange(200) // 2 % 4
    model = fit_recipe(Recipe(name="m", **TINY), design, rows, inner_of(fold), Options())
    gaps = gaps_of(design, "point", rows, ("point",))
    assert gaps.most == 1
    served = ServedRecipe(model, applicability_of(model, design, rows, inner_of(fold), 0), gaps).eval()
    x = np.repeat(raw_features(design, "point", rows[:1]), 3, axis=0)
    x[1, lacks[0]] = filler
    x[2, lacks[0]] = x[2, lacks[1]] = filler
    found = served(torch.from_numpy(x)).detach().numpy()
    assert gaps.count(x).tolist() == [0, 1, 2]
    assert (found[:, 3] <= served.area.threshold.item()).all()  # the mean looks central
    assert found[:, 4].tolist() == [1, 1, 0]


def test_final_fit_never_trains_on_the_test_split_and_predicts_it_once():
    design = make()
    design.samples.loc[200:, "split"] = "test"
    fold = np.where(np.arange(240) < 200, np.arange(240) // 2 % 4, -1)
    recipes = (Recipe(name="a", **TINY), Recipe(name="b", **{**TINY, "epochs": 40}))
    fit = fit_final(recipes, design, fold, inner_of, Options())
    assert fit.facts["recipe"] == "b"  # five epochs are too few
    assert fit.evaluation.scores["test"].n == 40
    assert fit.evaluation.scores["test"].r2 > 0.4
    spoilt = make()
    spoilt.samples.loc[200:, "split"] = "test"
    spoilt.samples.loc[200:, "organic_carbon"] = 149.0
    again = fit_final(recipes, spoilt, fold, inner_of, Options())
    np.testing.assert_array_equal(again.evaluation.predictions["predicted"], fit.evaluation.predictions["predicted"])
    assert fit.evaluation.scores["train"].r2 < 0.9  # of the inner folds, not of samples that it was fitted on
    assert {"band", "lag", "window"} <= set(fit.importance["kind"])
    top = fit.importance[fit.importance["kind"] == "band"].set_index("group")["permuted"]
    assert top["Elevation"] > 0 and top["LAI"] > 0
    rising = fit.dependence[fit.dependence["band"] == "Elevation"]["predicted"].to_numpy()
    assert rising[-1] > rising[0]


def test_recipe_that_is_not_there_is_named_with_those_that_are():
    from soc_assets.errors import SettingsError

    assert [recipe.name for recipe in recipe_candidates("mlp", Evaluation(), None)] == ["mlp"]
    assert len(recipe_candidates("chosen", Evaluation(), Recipe(name="tuned"))) > 3
    with pytest.raises(SettingsError, match=r"'tuned' .* is not a known recipe; known are documented, chosen"):
        recipe_candidates("tuned", Evaluation(), None)
