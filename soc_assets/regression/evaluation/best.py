"""The recipe that is looked at more closely: the best of the leaderboard whose further fits are affordable."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from soc_assets.regression.evaluation.engine import Done
from soc_assets.regression.evaluation.fold import FoldFit, decisive
from soc_assets.regression.evaluation.leaderboard import leaderboard
from soc_assets.regression.models.recipes import MEAN
from soc_assets.regression.words import fit_words
from soc_assets.settings.evaluation import Recipe

_SHARE, _SECONDS = 0.2, 120.0  # of the time of all fits, or processor seconds, whichever is more


@dataclass(frozen=True)
class Best:
    """A recipe, and why it is this one.

    Attributes:
        recipe: what is fitted.
        model: its name in the leaderboard.
        features: its features there, `chosen` of a choice.
        words: a sentence.
    """

    recipe: Recipe
    model: str
    features: str
    words: str


def best_recipe(done: Sequence[Done], table: pd.DataFrame, scheme: str, fits: float) -> Best | None:
    """The best model without a failed fold whose further fits take at most a fifth of the time that all fits took.

    Two minutes are affordable in any case. A choice counts as the recipe that it made most often. The mean is left out,
    which learns nothing from more samples; None where there is nothing else.

    Args:
        done: every fit of the evaluation.
        table: the long table.
        scheme: whose leaderboard and fits count.
        fits: how many further fits there would be, counted in fits of a whole training part.
    """
    every = [(item.fit, item.result) for item in done if item.result]
    limit = max(_SECONDS, _SHARE * sum(result.facts["seconds"] for _, result in every))
    found: list[tuple[float, Best]] = []
    board = leaderboard(table, scheme).dropna(subset=["r2"])
    for model, features in board.loc[board["failed"] == 0, ["model", "features"]].itertuples(index=False):
        of_model = [
            (fit, result) for fit, result in every if (fit.scheme, fit.model, fit.features) == (scheme, model, features)
        ]
        recipes = of_model[0][0].recipes
        often = Counter(result.facts["recipe"]["name"] for _, result in of_model).most_common(1)[0][0]
        recipe = next(recipe for recipe in recipes if recipe.name == often)
        if recipe.model == MEAN.model:
            continue
        each = sum(result.facts["seconds"] for _, result in of_model) / len(of_model) / len(recipes)
        found.append((fits * each, Best(recipe, model, features, _words(recipe, model, features))))
        if fits * each <= limit:
            break
    if not found:
        return None
    affordable = found[-1][0] <= limit
    best = found[-1][1] if affordable else min(found, key=lambda item: item[0])[1]
    (first_seconds, first), *_ = found
    if best is first:
        return best
    minutes = f"{fits:.0f} more fits of it would take {first_seconds / 60:.0f} minutes"
    dear = f"{fit_words(first.model, first.features)} is ahead of it, but {minutes}."
    return replace(best, words=f"{best.words} {dear}")


def whole_fits(best: Best, done: Sequence[Done], scheme: str) -> dict[int, FoldFit]:
    """The fits of the evaluation that are already of this recipe on whole training parts, by fold."""
    return {
        item.fit.number: item.fit
        for item in done
        if item.fit.scheme == scheme
        and len(item.fit.recipes) == 1
        and decisive(item.fit.recipes[0]) == decisive(best.recipe)
    }


def _words(recipe: Recipe, model: str, features: str) -> str:
    if features != "chosen":
        return f"The recipe is {fit_words(model, features)}."
    return f"The recipe is {recipe.name}, chosen most often in the inner folds."
