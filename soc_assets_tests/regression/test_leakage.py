"""Features that score only when something is fitted on rows that it must not see."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesRegressor

from soc_assets.regression.evaluation.fold import FoldFit, run_fold
from soc_assets.regression.evaluation.plan import make_plan, merged
from soc_assets.regression.metrics import r_squared
from soc_assets.regression.models.fitted import Options, fit_recipe
from soc_assets.sampling.balance import balance
from soc_assets.settings import Sampling
from soc_assets.settings.evaluation import Evaluation, Recipe
from soc_assets_tests.regression.designs import folds_of, make

SMALL = {"hidden": (8,), "epochs": 3, "members": 2, "batch_size": 32, "pca": 5}


def fit_of(recipes, design, fold, number=0) -> FoldFit:
    train = np.flatnonzero(fold != number)
    return FoldFit("block", number, "m", tuple(recipes), train, merged(fold[train], 3), np.flatnonzero(fold == number))


@pytest.mark.parametrize("model", ["mlp", "ridge", "random_forest", "gradient_boosting", "documented"])
def test_nothing_of_the_test_part_reaches_a_fit(model):
    """Test rows become absurd in target and features: model, transform, residuals and intervals stay the same."""
    design, spoilt = make(), make()
    fold = np.arange(240) // 2 % 4
    test = fold == 0
    spoilt.samples.loc[test, "organic_carbon"] = 149.0
    spoilt.samples.loc[test, "location_id"] = "elsewhere"
    for matrix in spoilt.matrices.values():
        matrix[test] = 1e6
    recipe = Recipe(
        name="m", model=model, features="point+embedding", target="box-cox", balance=True, trees=10, **SMALL
    )
    recipe = recipe.model_copy(update={"target": "none"}) if model == "documented" else recipe
    fitted = [run_fold(fit_of([recipe], given, fold), given, Options()) for given in (design, spoilt)]
    assert fitted[0].facts["power"] == fitted[1].facts["power"]
    assert fitted[0].facts["calibration"] == fitted[1].facts["calibration"]
    fit = fit_of([recipe], design, fold)
    models = [fit_recipe(recipe, given, fit.train, fit.inner, Options()) for given in (design, spoilt)]
    reduced = models[0].reduce(design, fit.test)
    np.testing.assert_array_equal(models[1].reduce(design, fit.test), reduced)
    np.testing.assert_array_equal(models[0].predict(reduced).mean, models[1].predict(reduced).mean)


def test_features_that_only_name_a_sample_score_nothing_though_balancing_repeats_samples():
    """Noise tells nothing about carbon, but it names a sample: repeating samples before cutting folds would leak."""
    rng = np.random.default_rng(3)
    design = make(carbon=rng.lognormal(3, 0.9, 240))
    design.matrices["point"][:] = rng.normal(size=(240, 6))
    oc, fold = design.samples["organic_carbon"].to_numpy(), np.arange(240) // 2 % 4
    options = Options(sampling=Sampling(bins="width", n_bins=20))
    recipe = Recipe(
        name="m", model="extra_trees", features="point", balance=True, trees=40, min_leaf=1, intervals=False
    )
    predicted = np.empty(240)
    for number in range(4):
        fit = fit_of([recipe], design, fold, number)
        predicted[fit.test] = run_fold(fit, design, options).predictions["predicted"]
    assert r_squared(oc, predicted) < 0.05
    assert _balanced_before_the_folds(design.matrices["point"], oc, options.sampling) > 0.5  # the wrong order


def _balanced_before_the_folds(x: np.ndarray, oc: np.ndarray, sampling: Sampling) -> float:
    rows = np.repeat(np.arange(len(oc)), balance(oc, sampling, 0).multiplicity)
    fold, predicted = np.random.default_rng(0).permutation(len(rows)) % 4, np.empty(len(rows))
    for number in range(4):
        train, test = rows[fold != number], rows[fold == number]
        trees = ExtraTreesRegressor(40, random_state=0).fit(x[train], oc[train])
        predicted[fold == number] = trees.predict(x[test])
    return r_squared(oc[rows], predicted)


def test_visits_of_one_place_leak_under_random_folds_alone():
    """Two visits of a place share features and most of their carbon; only the scheme `random` separates them."""
    rng = np.random.default_rng(4)
    design = make(carbon=np.repeat(rng.lognormal(3, 0.9, 120), 2))
    design.matrices["point"][:] = np.repeat(rng.normal(size=(120, 6)), 2, axis=0)
    samples = design.samples["sample_id"]
    random = pd.DataFrame({"scheme": "random", "sample_id": samples, "fold": rng.permutation(240) % 4})
    recipe = Recipe(name="m", model="extra_trees", features="point", trees=40, min_leaf=1, intervals=False)
    only = Evaluation(schemes=("random", "block"), models=(), documented=False, chosen=False, recipes=(recipe,))
    plan = make_plan(design, pd.concat([random, folds_of(design)]), only, "embedding")
    observed, predicted = (dict.fromkeys(plan.folds) for _ in range(2))
    for scheme in plan.folds:
        found = [
            run_fold(fit, design, Options()).predictions
            for fit in plan.fits
            if (fit.scheme, fit.model) == (scheme, "m")
        ]
        observed[scheme], predicted[scheme] = (pd.concat(found)[name].to_numpy() for name in ("observed", "predicted"))
    assert r_squared(observed["random"], predicted["random"]) > 0.5
    assert r_squared(observed["block"], predicted["block"]) < 0.05


def test_inner_folds_choose_without_the_outer_test_part():
    """A candidate that is right only on the outer test part is not chosen."""
    design = make(noise=0.1)
    fold = np.arange(240) // 2 % 4
    test = fold == 0
    oc = design.samples["organic_carbon"].to_numpy()
    design.matrices["embedding"][:] = np.random.default_rng(0).normal(size=design.matrices["embedding"].shape)
    design.matrices["embedding"][test] = np.log(oc[test])[:, None]
    good, trap = (Recipe(name=f, model="ridge", features=f, pca=0, weight_decay=1e-2) for f in ("point", "embedding"))
    result = run_fold(fit_of([trap, good], design, fold), design, Options())
    assert result.facts["recipe"]["name"] == "point"
    assert result.facts["scores"]["point"] > 0.8 > result.facts["scores"]["embedding"]


def test_every_fit_of_a_plan_keeps_locations_apart_and_its_inner_folds_are_outer_ones():
    design = make()
    plan = make_plan(design, folds_of(design), Evaluation(schemes=("block",), documented=False), "embedding")
    location = design.samples["location_id"].to_numpy()
    fold = plan.folds["block"]
    for fit in plan.fits:
        assert not set(fit.train) & set(fit.test)
        assert not set(location[fit.train]) & set(location[fit.test])
        assert len(np.unique(fit.inner)) == 3
        of_outer = {int(outer): set(fit.inner[fold[fit.train] == outer]) for outer in np.unique(fold[fit.train])}
        assert all(len(parts) == 1 for parts in of_outer.values())
