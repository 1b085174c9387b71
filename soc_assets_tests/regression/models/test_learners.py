"""The registry of learners: every kind has its own, no other is taken for it, and a fit is known by what decides it."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest

from soc_assets.errors import TrainingError
from soc_assets.regression.evaluation.fold import FoldFit
from soc_assets.regression.evaluation.leaderboard import verdict
from soc_assets.regression.evaluation.plan import make_plan
from soc_assets.regression.evaluation.scoring import OutOfFold, score_table
from soc_assets.regression.models.fitted import Options
from soc_assets.regression.models.kinds import KINDS, fit_learner
from soc_assets.regression.models.learners import SklearnLearner
from soc_assets.regression.models.recipes import is_baseline
from soc_assets.settings.evaluation import ON_WINDOWS, Evaluation, ModelKind, Recipe
from soc_assets_tests.regression.designs import folds_of, make


def test_every_kind_of_the_settings_is_in_the_registry_and_no_other():
    assert set(KINDS) == set(get_args(ModelKind))
    every = {kind: Recipe(name="r").model_copy(update={"model": kind}) for kind in KINDS}
    assert {kind for kind, recipe in every.items() if not is_baseline(recipe)} == {"mlp", "documented", *ON_WINDOWS}
    assert {kind for kind, of in KINDS.items() if of.windows} == set(ON_WINDOWS)


@pytest.mark.parametrize(
    ("kind", "estimator"),
    [
        ("ridge", "Ridge"),
        ("random_forest", "RandomForestRegressor"),
        ("extra_trees", "ExtraTreesRegressor"),
        ("gradient_boosting", "HistGradientBoostingRegressor"),
    ],
)
def test_each_kind_fits_its_own_estimator(kind, estimator):
    x = np.random.default_rng(0).normal(size=(30, 2))
    found = fit_learner(Recipe(name="r", model=kind, trees=2), x, x[:, 0], np.ones(30), 0, "cpu")
    assert isinstance(found, SklearnLearner)
    assert type(found.estimator).__name__ == estimator


def test_a_kind_without_a_learner_is_an_error_and_nothing_else_is_fitted():
    x = np.zeros((30, 2))
    unknown = Recipe(name="own", model="ridge").model_copy(update={"model": "splines"})
    with pytest.raises(TrainingError, match=r"'own' asks for the model 'splines'; known are mean, kriging"):
        fit_learner(unknown, x, x[:, 0], np.ones(30), 0, "cpu")
    with pytest.raises(TrainingError, match="'splines'"):  # before the first fit
        make_plan(make(40), folds_of(make(40)), Evaluation(schemes=("block",), recipes=(unknown,)), "embedding")
    with pytest.raises(TrainingError, match="not fitted on reduced features"):
        fit_learner(Recipe(name="d", model="documented"), x, x[:, 0], np.ones(30), 0, "cpu")


class LaterRecipe(Recipe):
    """A recipe as a later release may know it."""

    skip: bool = False
    """A field that came later."""


def test_a_new_field_at_its_default_leaves_the_digests_of_finished_fits():
    design, rows = make(40), np.arange(40)

    def digest(recipe: Recipe) -> str:
        return FoldFit("block", 0, "r", (recipe,), rows[:30], rows[:30] % 3, rows[30:]).digest(design, Options())

    recipe = Recipe(name="r", model="ridge")
    assert digest(LaterRecipe(name="r", model="ridge")) == digest(recipe)
    assert digest(LaterRecipe(name="r", model="ridge", skip=True)) != digest(recipe)
    changed = recipe.model_dump() | {"name": "r", "model": "mlp"}
    other = {"target": "box-cox", "features": "embedding", "back": "plain", "activation": "relu", "hidden": (3,)}
    other |= {"trend": "mlp", "decay": 1.0, "tuned": "lora"}
    for field, value in recipe.model_dump(exclude={"name", "model"}).items():
        another = other.get(
            field, not value if isinstance(value, bool) else value / 2 if isinstance(value, float) else 7
        )
        assert digest(Recipe.model_validate(changed | {field: another})) != digest(Recipe.model_validate(changed)), (
            field
        )


def test_a_verdict_of_baselines_alone_says_so_and_which_is_best():
    design = make(60)
    oc = design.samples["organic_carbon"].to_numpy()
    rows = pd.DataFrame({"sample_id": design.samples["sample_id"], "observed": oc, "predicted": oc + 1, "plain": oc})
    rows = rows.assign(target=oc, transformed=oc, lower=np.nan, upper=np.nan, dissimilarity=np.nan, inside=True, fold=0)
    worse = rows.assign(predicted=oc[::-1])
    models = [
        OutOfFold("block", name, "point", frame, 0, (), 1.0, True) for name, frame in (("ridge", rows), ("x", worse))
    ]
    found = verdict(models, score_table(models, design, 100, 0), "block", design, 100, 0)
    assert found.words.startswith("Under block folds ridge on point (R2 0.9")
    assert found.words.endswith("is the best baseline; only baselines were compared.")
    failed = OutOfFold("block", "mlp", "point", rows, 1, ("out of memory",), 1.0)
    found = verdict([*models, failed], score_table([*models, failed], design, 100, 0), "block", design, 100, 0)
    assert found.words.endswith("is the best baseline; every other model failed in some fold.")
