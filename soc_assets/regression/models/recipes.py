"""The named recipes: baselines, an MLP by current practice, and the candidates to choose from.

A recipe says what is fitted; fitting is in `soc_assets.regression.models.fitted`.
"""

from collections.abc import Sequence
from typing import Any

from soc_assets.errors import SettingsError, TrainingError
from soc_assets.regression.models.kinds import PLACE, kind_of
from soc_assets.settings.evaluation import ON_WINDOWS, Evaluation, Recipe

_ON_WINDOWS: dict[str, Any] = {
    "features": "window:16",
    "epochs": 20,
    "batch_size": 32,
    "learning_rate": 1e-3,
    "weight_decay": 0.05,
    "hidden": (64,),
    "members": 3,
    "intervals": False,
}
NAMED = {
    "kriging": Recipe(name="kriging", model="kriging", features="coordinates"),
    "regression_kriging": Recipe(
        name="regression_kriging", model="regression_kriging", features="point+coordinates", weight_decay=1e-2
    ),
    "gaussian_process": Recipe(name="gaussian_process", model="gaussian_process", features="point+coordinates"),
    "ridge": Recipe(name="ridge", model="ridge", weight_decay=1e-2, intervals=False),
    "random_forest": Recipe(name="random_forest", model="random_forest", max_features=0.33, intervals=False),
    "extra_trees": Recipe(name="extra_trees", model="extra_trees", max_features=0.33, intervals=False),
    "gradient_boosting": Recipe(name="gradient_boosting", model="gradient_boosting", min_leaf=20, intervals=False),
    "mlp": Recipe(name="mlp"),
    "finetune": Recipe(name="finetune", model="finetune", **_ON_WINDOWS),
    "convolution": Recipe(name="convolution", model="convolution", **_ON_WINDOWS),
}
MEAN = Recipe(name="mean", model="mean", features="coordinates", target="none", intervals=False)
COORDINATES = Recipe(name="coordinates", model="random_forest", features="coordinates", intervals=False)
DOCUMENTED = Recipe(name="mlp_documented", model="documented", features="embedding", target="none", pca=0, balance=True)
CHOSEN = "mlp_chosen"


def is_baseline(recipe: Recipe) -> bool:
    """Whether it is one that the MLP has to beat: anything that is not a network."""
    return not kind_of(recipe).network


def rank_of(recipe: Recipe) -> int:
    """How much a recipe can express: nothing, the place alone, something linear, trees, a network."""
    kind = kind_of(recipe)
    return kind.rank if kind.network or recipe.features != "coordinates" else min(kind.rank, PLACE)


def ranks(evaluation: Evaluation) -> dict[str, int]:
    """The rank of every model that is compared, by its name; a choice has that of the highest it may choose."""
    every = compared(evaluation, "embedding")
    chosen = max(rank_of(recipe) for recipe in candidates(evaluation))
    return {f"{recipe.name} on {recipe.features}": rank_of(recipe) for recipe in every} | {
        f"{CHOSEN} on chosen": chosen
    }


def require_servable(recipes: Sequence[Recipe], inner_folds: int) -> None:
    """Refuse, before anything is fitted, what no served model can be made of.

    Raises:
        TrainingError: one is the mean, or there are too few inner folds to calibrate intervals.
    """
    for recipe in recipes:
        if recipe.model == MEAN.model:
            raise TrainingError(
                f"The recipe {recipe.name!r} predicts the same everywhere: it is there to be compared with and is not "
                "registered. Name another one as `recipe` in [training] of soc.toml, and take it out of "
                "[[evaluation.candidates]] where one of them is to be chosen."
            )
    if inner_folds < 2:
        raise TrainingError(
            f"The samples that may be trained on are in {inner_folds} fold, and an interval needs two to be "
            "calibrated. Choose another scheme as `primary` in [evaluation] of soc.toml, or a smaller `block_size` in "
            "[sampling]."
        )


def candidates(evaluation: Evaluation) -> tuple[Recipe, ...]:
    """The recipes that the choice inside each training part is made from."""
    if evaluation.candidates:
        return evaluation.candidates
    mlp, weak = NAMED["mlp"], {"weight_decay": 0.1}
    sets = [(features, {}) for features in evaluation.feature_sets]
    others = [("point:1:3:9", {}), ("point", weak)]
    every = {(features, *options): (features, options) for features, options in [*sets, *others]}
    return tuple(
        mlp.model_copy(
            update={"name": f"mlp {features}{' weak decay' if options else ''}", "features": features, **options}
        )
        for features, options in every.values()
    )


def compared(evaluation: Evaluation, documented_features: str) -> list[Recipe]:
    """Every recipe that is compared, in order; the choice itself is not one.

    Args:
        evaluation: the settings.
        documented_features: the feature set of [features], for the documented MLP.

    Raises:
        SettingsError: a model is not a named recipe.
    """
    for name in evaluation.models:
        if name not in NAMED:
            raise SettingsError(
                f"models in [evaluation] of soc.toml names {name!r}; known are {', '.join(NAMED)}. Recipes of your own "
                "go to [[evaluation.recipes]]."
            )
    sets = evaluation.feature_sets
    named = [
        NAMED[name].model_copy(update={"features": features})
        for name in evaluation.models
        for features in _feature_sets_of(NAMED[name], sets)
    ]
    documented = [DOCUMENTED.model_copy(update={"features": documented_features})] if evaluation.documented else []
    return [MEAN, COORDINATES, *named, *documented, *evaluation.recipes]


def _feature_sets_of(recipe: Recipe, sets: Sequence[str]) -> list[str]:
    """A model of space is compared once: on the place alone, or on the first feature set and the place.

    One that learns from windows is compared on them alone, and beside the point values.
    """
    if kind_of(recipe).windows:
        return [recipe.features, f"{recipe.features}+point"]
    if not kind_of(recipe).spatial:
        return list(sets)
    return [
        recipe.features if recipe.features == "coordinates" else f"{sets[0].removesuffix('+coordinates')}+coordinates"
    ]


def registrable(evaluation: Evaluation) -> dict[str, Recipe]:
    """What [training] recipe may name: every recipe compared, as the leaderboard calls it, and every candidate.

    `random_forest on point+embedding` is the recipe on that feature set; a name alone is the last recipe of that name
    in soc.toml, or a named one on point values.
    """
    windows = [
        NAMED[name].model_copy(update={"features": features})
        for name in ON_WINDOWS
        for features in _feature_sets_of(NAMED[name], ())
    ]
    every = [*compared(evaluation.model_copy(update={"documented": False}), ""), *candidates(evaluation), *windows]
    own = [*NAMED.values(), COORDINATES, MEAN, *evaluation.recipes, *candidates(evaluation), NAMED["mlp"]]
    return {f"{recipe.name} on {recipe.features}": recipe for recipe in every} | {recipe.name: recipe for recipe in own}
