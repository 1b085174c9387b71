"""Which version becomes champion: better than what is simpler and than the champion, and worse than no baseline."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from soc_assets.regression.models.recipes import ranks
from soc_assets.settings.evaluation import Evaluation, Recipe
from soc_assets.tracking import champion
from soc_assets.tracking.champion import ALIAS, FEATURES_TAG, MODEL_TAG, promote

N = 400
TREES = (Recipe(name="trees", model="random_forest"), Recipe(name="boosted", model="gradient_boosting"))


class Registry:
    """A registry with one model; `promote` asks a project, a tracking, a client, a record: this is all of them."""

    def __init__(self, noise: dict[str, float], evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch):
        rng = np.random.default_rng(0)
        observed = rng.normal(20, 8, N)
        names = {"mean on coordinates": 0.0, **noise}
        parts = [self._rows(key, observed, spread, rng) for key, spread in names.items()]
        self.rows, self.settings = pd.concat(parts, ignore_index=True), SimpleNamespace(evaluation=evaluation)
        self.aliases, self.tags, self.stored, self.params = {}, {}, {}, {}
        self.model_name, self.artifacts = "soc_mlp", self
        monkeypatch.setattr(champion, "_evaluated", lambda project: self.rows)
        monkeypatch.setattr(champion, "_remembered", lambda client, name, version: self.stored[version])

    @staticmethod
    def _rows(key: str, observed: np.ndarray, spread: float, rng: np.random.Generator) -> pd.DataFrame:
        model, features = key.split(" on ")
        predicted = observed + rng.normal(0, spread, N) if spread else np.full(N, observed.mean())
        rows = {"sample_id": [f"s{n}" for n in range(N)], "unit": np.arange(N) // 4, "observed": observed}
        names = {"predicted": predicted, "model": model, "features": features, "key": key}
        return pd.DataFrame({**rows, **names, "baseline": model not in ("mlp", "mlp_chosen")})

    def register(self, version: str, key: str, kind: str | None) -> str:
        """Promote a version; returns the decision."""
        model, features = key.split(" on ")
        self.tags, self.model_version, self.run_id = {MODEL_TAG: model, FEATURES_TAG: features}, version, version
        of_fit = {"fit.kind": kind, "fit.features": "point" if features == "chosen" else features}
        self.params = of_fit if kind else {}
        return promote(self, self, self)

    def client(self):
        return self

    def get_run(self, run_id: str):
        return SimpleNamespace(data=SimpleNamespace(tags=self.tags))

    def get_registered_model(self, name: str):
        return SimpleNamespace(aliases=self.aliases)

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        self.aliases[alias] = version

    def set_model_version_tag(self, name: str, version: str, tag: str, words: str) -> None:
        self.decision = words

    def write(self, name: str, text: str) -> None:
        rows = self.rows[self.rows["key"] == f"{self.tags[MODEL_TAG]} on {self.tags[FEATURES_TAG]}"]
        assert text == rows[["sample_id", "unit", "observed", "predicted"]].to_csv(index=False)
        self.stored[self.model_version] = rows

    def remember(self) -> None:
        pass


NOISE = {
    "coordinates on coordinates": 7.0,
    "ridge on point": 5.0,
    "random_forest on point": 3.0,
    "gradient_boosting on point": 3.0,
    "mlp on point": 3.0,
}


def test_forest_that_wins_becomes_champion_beside_its_equals(monkeypatch):
    """Boosting is as good and as complex: nothing has to be better than itself, or than its equals."""
    registry = Registry(NOISE, Evaluation(), monkeypatch)
    said = registry.register("1", "random_forest on point", "random_forest")
    assert said.startswith("Became champion: by block folds the closest is")
    assert registry.aliases == {ALIAS: "1"} and registry.decision == said
    said = registry.register("2", "gradient_boosting on point", "gradient_boosting")
    assert said.startswith("Did not become champion") and "against the champion (version 1)" in said


def test_network_has_to_be_better_than_every_baseline(monkeypatch):
    registry = Registry(NOISE, Evaluation(), monkeypatch)
    for kind in ("mlp", None):  # earlier versions do not say
        said = registry.register("1", "mlp on point", kind)
        assert said.startswith("Did not become champion")
        assert 'on point"` in [training] registers that one.' in said
    better = Registry({**NOISE, "mlp on point": 1.0}, Evaluation(), monkeypatch)
    assert better.register("1", "mlp on point", "mlp").startswith("Became champion")


def test_linear_model_is_no_champion_where_a_forest_is_better(monkeypatch):
    registry = Registry(NOISE, Evaluation(), monkeypatch)
    said = registry.register("1", "ridge on point", "ridge")
    assert said.startswith("Did not become champion")
    assert "which is not simpler" in said and "registers that one" in said
    equal = Registry({**NOISE, "ridge on point": 3.0}, Evaluation(), monkeypatch)
    assert equal.register("1", "ridge on point", "ridge").startswith("Became champion")
    said = equal.register("2", "random_forest on point", "random_forest")
    assert said.startswith("Did not become champion")  # it can express more, and is not better


def test_forest_that_is_not_better_than_places_alone_is_no_champion(monkeypatch):
    registry = Registry({**NOISE, "coordinates on coordinates": 3.0}, Evaluation(), monkeypatch)
    said = registry.register("1", "random_forest on point", "random_forest")
    assert said.startswith("Did not become champion") and "the baseline coordinates on coordinates" in said
    assert registry.register("2", "coordinates on coordinates", "random_forest").startswith("Became champion")


def test_choice_among_trees_is_a_baseline_that_need_not_beat_itself(monkeypatch):
    evaluation = Evaluation(candidates=TREES)
    registry = Registry({**NOISE, "mlp_chosen on chosen": 3.0}, evaluation, monkeypatch)
    registry.rows.loc[registry.rows["model"] == "mlp_chosen", "baseline"] = True
    assert registry.register("1", "mlp_chosen on chosen", "random_forest").startswith("Became champion")


def test_worse_than_the_mean_is_told_without_advice_to_register_the_mean(monkeypatch):
    registry = Registry({"ridge on point": 12.0}, Evaluation(), monkeypatch)
    said = registry.register("1", "ridge on point", "ridge")
    assert said.startswith("Did not become champion") and "the baseline mean on coordinates" in said
    assert "registers that one" not in said


def test_ranks_of_all_that_is_compared():
    found = ranks(Evaluation(recipes=TREES))
    order = ["mean on coordinates", "coordinates on coordinates", "ridge on point", "trees on point", "mlp on point"]
    assert [found[key] for key in order] == [0, 1, 2, 3, 4]
    assert found["mlp_chosen on chosen"] == found["mlp_documented on embedding"] == 4
    assert ranks(Evaluation(candidates=TREES))["mlp_chosen on chosen"] == 3
