"""Which recipe to train after an evaluation, as a sentence: the best of the leaderboard that can be registered.

It is worked out from the tables on disk whenever it is shown, as [training] may have changed since the evaluation.
"""

import json
from dataclasses import dataclass

import pandas as pd

from soc_assets.project import Project
from soc_assets.regression.evaluation.bootstrap import Difference, Draws, paired_difference
from soc_assets.regression.evaluation.leaderboard import leaderboard
from soc_assets.regression.models.recipes import CHOSEN, DOCUMENTED, MEAN, registrable
from soc_assets.settings.evaluation import Evaluation
from soc_assets.storage import files

COLUMNS = ["scheme", "model", "features", "sample_id", "unit", "observed", "predicted"]
"""Of the table of out-of-fold predictions, those that are needed."""
_Key = tuple[str, str]  # model and features, as in the leaderboard


@dataclass(frozen=True)
class _Scores:
    """Models of one scheme, best first, and what tells how far apart two are."""

    r2: dict[_Key, float]
    predictions: pd.DataFrame
    draws: int
    seed: int

    def ahead(self, first: _Key, second: _Key) -> Difference:
        """The paired difference of their R2 over the samples that both predict."""
        one, other = (self._of(key) for key in (first, second))
        both = one.merge(other[["sample_id", "predicted"]], on="sample_id", suffixes=("", "_second"))
        observed, better, worse = (both[name].to_numpy(float) for name in ("observed", "predicted", "predicted_second"))
        return paired_difference(observed, better, worse, Draws.of(both["unit"].to_numpy(), self.seed, self.draws))

    def named(self, key: _Key) -> str:
        """A model with its score."""
        return f"{_name(key)} (R2 {self.r2[key]:.3f})"

    def _of(self, key: _Key) -> pd.DataFrame:
        found = self.predictions
        return found[(found["model"] == key[0]) & (found["features"] == key[1])]


def next_model(table: pd.DataFrame, predictions: pd.DataFrame, evaluation: Evaluation, recipe: str) -> str:
    """Which recipe is best under the primary scheme and how to train it; "" where no model has a score.

    Args:
        table: the long table of scores.
        predictions: out of fold, with `COLUMNS`.
        evaluation: the settings.
        recipe: that of [training].

    Raises:
        SettingsError: `models` of the settings names an unknown recipe.
    """
    scheme = evaluation.primary
    board = leaderboard(table, scheme).dropna(subset=["r2"])
    keys = list(board[["model", "features"]].itertuples(index=False, name=None))
    if not keys:
        return ""
    of_scheme = predictions[predictions["scheme"] == scheme]
    scores = _Scores(dict(zip(keys, board["r2"].tolist(), strict=True)), of_scheme, evaluation.draws, evaluation.seed)
    settings = {key: found for key in keys if (found := _setting(key, evaluation))}
    leader, trained = keys[0], next((key for key in keys if key in settings), None)
    head = f"Best by {scheme}{_beyond(scores, keys)}: {scores.named(leader)}"
    if trained is None:
        return f"{head}. None of the models compared can be registered."
    if trained != leader:
        head = f"{head}, which {_why_not(leader)}. The best that can be trained is {_behind(scores, trained, leader)}"
    now = _key_of(recipe, evaluation, keys)
    if now == trained:
        return f"{head}. It is the recipe in [training] of soc.toml already: `soc run` trains it."
    cure = f"To train it: recipe = {json.dumps(settings[trained], ensure_ascii=False)} in [training] of soc.toml"
    return f"{head}. {cure}, then `soc run`.{_today(scores, trained, now)}"


def next_model_of(project: Project) -> str:
    """`next_model` of the evaluation on disk; "" where its tables are not there.

    Raises:
        TableError: one of them is damaged.
    """
    table, predictions = (project.results / f"{name}.parquet" for name in ("evaluation", "out_of_fold"))
    if not (table.is_file() and predictions.is_file()):
        return ""
    settings = project.settings
    read = files.read_table(table), files.read_table(predictions, COLUMNS)
    return next_model(*read, settings.evaluation, settings.training.recipe)


def _beyond(scores: _Scores, keys: list[_Key]) -> str:
    """Whether the leader is surely ahead of the next one."""
    if len(keys) < 2:
        return ""
    return f", {'beyond' if scores.ahead(keys[0], keys[1]).better else 'within'} the interval of the next"


def _behind(scores: _Scores, key: _Key, leader: _Key) -> str:
    return f"{scores.named(key)}, behind by {_interval(scores.ahead(leader, key))}"


def _today(scores: _Scores, trained: _Key, now: _Key | None) -> str:
    """How far the recipe of the settings is behind, where it was compared."""
    if now is None:
        return ""
    return f" The recipe there now, {scores.named(now)}, is behind by {_interval(scores.ahead(trained, now))}."


def _interval(difference: Difference) -> str:
    return f"{difference.value:.3f} (95 % interval of the difference {difference.low:.3f} to {difference.high:.3f})"


def _why_not(key: _Key) -> str:
    if key[0] == MEAN.name:
        return "predicts the same everywhere and is not registered"
    return "is not among the recipes of soc.toml any more"


def _setting(key: _Key, evaluation: Evaluation) -> str | None:
    """What `recipe` in [training] calls a model of the leaderboard; None where it cannot be registered."""
    special = {CHOSEN: "chosen", DOCUMENTED.name: "documented"}
    if key[0] in special:
        return special[key[0]]
    name = " on ".join(key)
    found = registrable(evaluation).get(name)
    return None if found is None or found.model == MEAN.model else name


def _key_of(recipe: str, evaluation: Evaluation, keys: list[_Key]) -> _Key | None:
    """What the leaderboard calls the recipe of [training]; None where it was not compared."""
    special = {"chosen": CHOSEN, CHOSEN: CHOSEN, "documented": DOCUMENTED.name}
    if recipe in special:
        return next((key for key in keys if key[0] == special[recipe]), None)
    found = registrable(evaluation).get(recipe)
    return next((key for key in keys if found and key == (found.name, found.features)), None)


def _name(key: _Key) -> str:
    return key[0] if key[1] == "chosen" else " on ".join(key)
