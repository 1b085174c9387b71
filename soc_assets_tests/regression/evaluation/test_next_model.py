"""Which recipe to train: the sentence where the leader can be registered, where it cannot, and where it is set."""

import numpy as np
import pandas as pd
import pytest

from soc_assets.regression.evaluation.next_model import COLUMNS, next_model
from soc_assets.regression.evaluation.scoring import COLUMNS as TABLE
from soc_assets.regression.metrics import scores
from soc_assets.settings.evaluation import Evaluation, Recipe

SETTINGS = Evaluation(draws=100, recipes=(Recipe(name='my "best"', model="extra_trees", features="point:1"),))
FOREST, NETWORK, CHOSEN = ("random_forest", "point"), ("mlp_documented", "embedding"), ("mlp_chosen", "chosen")
MEAN = ("mean", "coordinates")


def evaluated(noise: dict[tuple[str, str], float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Table and predictions of models whose errors have these standard deviations; 400 samples in 40 blocks."""
    rng = np.random.default_rng(3)
    observed, block = rng.gamma(4, 6, 400), np.repeat([f"b{number:02d}" for number in range(40)], 10)
    found, lines = [], []
    for (model, features), size in noise.items():
        predicted = (
            observed.mean() + np.zeros(400) if (model, features) == MEAN else observed + rng.normal(0, size, 400)
        )
        names = [f"s{number}" for number in range(400)]
        rows = pd.DataFrame({"sample_id": names, "unit": block, "observed": observed, "predicted": predicted})
        found.append(rows.assign(scheme="block", model=model, features=features)[COLUMNS])
        r2 = scores(observed, predicted).r2
        line = ("block", model, features, "pooled", "", "g/kg", "r2", r2, r2, r2, 400, 0, model == "random_forest")
        lines.append(dict(zip(TABLE, line, strict=True)))
    return pd.DataFrame(lines), pd.concat(found)


def test_leader_that_can_be_trained_is_named_with_its_setting_and_how_far_todays_recipe_is_behind():
    found = next_model(*evaluated({FOREST: 3, NETWORK: 8}), SETTINGS, "documented")
    head, _, rest = found.partition(". To train it: ")
    assert head.startswith("Best by block, beyond the interval of the next: random_forest on point (R2 0.9")
    setting, _, today = rest.partition(", then `soc run`. ")
    assert setting == 'recipe = "random_forest on point" in [training] of soc.toml'
    assert today.startswith("The recipe there now, mlp_documented on embedding (R2 0.")
    assert " is behind by 0." in today and today.endswith(").")
    low, high = (float(end) for end in today.rpartition("difference ")[2].rstrip(").").split(" to "))
    assert 0 < low < high


def test_order_within_the_interval_is_told_as_such_and_a_choice_by_its_setting():
    found = next_model(*evaluated({CHOSEN: 5.0, FOREST: 5.02}), SETTINGS, "tuned")
    leader = "mlp_chosen (R2" if 'recipe = "chosen" in' in found else "random_forest on point (R2"
    assert found.startswith(f"Best by block, within the interval of the next: {leader}")
    assert "The recipe there now" not in found  # it was not compared


@pytest.mark.parametrize(
    ("leader", "recipe"),
    [(FOREST, "random_forest on point"), (FOREST, "random_forest"), (CHOSEN, "chosen"), (NETWORK, "documented")],
)
def test_leader_that_is_set_already_needs_nothing(leader, recipe):
    found = next_model(*evaluated({leader: 3, MEAN: 0}), SETTINGS, recipe)
    assert found.endswith("). It is the recipe in [training] of soc.toml already: `soc run` trains it.")


def test_mean_that_leads_is_not_trained_and_the_best_that_can_be_is_behind_by_the_paired_interval():
    found = next_model(*evaluated({FOREST: 20, NETWORK: 30, MEAN: 0}), SETTINGS, "documented")
    assert "mean on coordinates (R2 0.000), which predicts the same everywhere and is not registered." in found
    assert "The best that can be trained is random_forest on point (R2 -" in found
    behind = found.partition("behind by ")[2]
    assert float(behind.split()[0]) > 1 and "(95 % interval of the difference " in behind
    assert 'To train it: recipe = "random_forest on point" in [training] of soc.toml' in found


def test_recipe_of_ones_own_is_quoted_as_toml_and_one_that_is_gone_is_not_recommended():
    own, gone = ('my "best"', "point:1"), ("former", "point")
    found = next_model(*evaluated({own: 3, gone: 2}), SETTINGS, "documented")
    assert "former on point (R2 0.9" in found and "which is not among the recipes of soc.toml any more" in found
    assert r'recipe = "my \"best\" on point:1" in [training]' in found


def test_nothing_to_train_is_said():
    table, predictions = evaluated({MEAN: 0})
    assert next_model(table, predictions, SETTINGS, "documented").endswith(
        "None of the models compared can be registered."
    )
