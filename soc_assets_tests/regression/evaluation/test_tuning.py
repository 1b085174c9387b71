import sqlite3
from contextlib import closing

import numpy as np
import pandas as pd
import pytest

from soc_assets.errors import SettingsError, SocWarning, TrainingError
from soc_assets.regression.evaluation import tuning
from soc_assets.regression.evaluation.plan import merged
from soc_assets.regression.evaluation.tuning import searched_sets, tune
from soc_assets.regression.models.fitted import Options
from soc_assets.runtime import process
from soc_assets.runtime.interrupts import Interrupted
from soc_assets.settings.evaluation import Evaluation, Recipe
from soc_assets_tests import spoil
from soc_assets_tests.regression.designs import make
from soc_assets_tests.reported import reported


def test_candidates_that_read_windows_are_not_searched():
    on_windows = Recipe(name="w", model="convolution", features="window:16+point")
    evaluation = Evaluation(candidates=(on_windows, Recipe(name="m", features="point:1")))
    assert searched_sets(evaluation) == ("point:1",)
    with pytest.raises(SettingsError, match=r"all of .*candidates.* read windows. Add one on features = 'point'"):
        searched_sets(Evaluation(candidates=(on_windows,)))


def test_search_resumes_prunes_and_finds_the_features_that_tell(tmp_path):
    design = make(120, noise=0.1)
    design.matrices["embedding"][:] = np.random.default_rng(0).normal(size=design.matrices["embedding"].shape)
    rows, inner = np.arange(100), merged(np.arange(100) // 2 % 3, 3)
    base = Recipe(name="m", members=1, batch_size=128)

    def search(trials: int):
        return tune(
            design,
            rows,
            inner,
            base,
            ("point", "embedding"),
            trials,
            tmp_path / "study.db",
            "one",
            Options(),
        )

    with reported() as said:
        first = search(4)
    assert len(first.trials) == 4
    assert [now.done for now in said] == [0, 1, 2, 3, 4]
    with reported() as said:
        again = search(9)  # five more, in the same study
    assert len(again.trials) == 9
    assert said[0].done == 4
    assert again.trials["number"].tolist() == list(range(9))
    assert again.recipe.features == "point"
    assert again.recipe.name == "tuned"
    assert again.r2 > 0.5
    assert again.r2 >= first.r2
    assert (again.trials["state"] == "PRUNED").any()
    assert not again.trials.iloc[4:].drop_duplicates(["dropout", "learning_rate"]).empty


def test_search_in_which_every_trial_fails_says_why_and_goes_on_when_it_is_mended(tmp_path, monkeypatch):
    design, rows = make(60), np.arange(60)

    def search():
        base = Recipe(name="m", members=1)
        return tune(design, rows, rows % 3, base, ("point",), 3, tmp_path / "study.db", "one", Options())

    def fails(*_):
        raise TrainingError("The training loss became nan in epoch 1.")

    with monkeypatch.context() as patched:
        patched.setattr(tuning, "_score", fails)
        with pytest.raises(TrainingError, match=r"None of the 3 trials .* 3 of them: The training loss became nan"):
            search()
        patched.setattr(tuning, "_score", lambda *_: float("nan"))
        with pytest.raises(TrainingError, match="3 of them: its R2 is not defined"):
            search()
    monkeypatch.setattr(tuning, "_score", lambda *_: 0.5)
    found = search()
    assert found.r2 == 0.5
    assert (found.trials["state"] == "COMPLETE").sum() == 3


def edit(path):
    """What no check of SQLite's notices."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE trial_params SET distribution_json = 'nothing'")


def test_damaged_file_of_a_search_is_set_aside_and_the_search_begins_anew(tmp_path, monkeypatch):
    design, rows, storage = make(20), np.arange(20), tmp_path / "hyperparameters.db"
    monkeypatch.setattr(tuning, "_score", lambda *_: 0.5)

    def search():
        return tune(design, rows, rows % 3, Recipe(name="m", members=1), ("point",), 1, storage, "one", Options())

    first = search()
    for damage in (spoil.cut, edit):
        damage(storage)
        with pytest.warns(
            SocWarning, match=r"hyperparameters\.db is damaged \(.*\): it is now hyperparameters\.db\.dam"
        ):
            again = search()
        assert again.recipe == first.recipe and search().trials["number"].tolist() == [0]
    assert [path.name for path in sorted(tmp_path.glob("*damaged*"))] == [
        "hyperparameters.db.damaged",
        "hyperparameters.db.damaged-2",
    ]


def test_search_never_looks_at_rows_that_it_was_not_given(tmp_path):
    values = []
    for seed, organic_carbon in ((0, None), (1, 149.0)):
        design = make(80)
        if organic_carbon:
            design.samples.loc[60:, "organic_carbon"] = organic_carbon
            design.matrices["point"][60:] = 1e6
        inner = merged(np.arange(60) // 2 % 3, 3)
        storage = tmp_path / f"{seed}.db"
        base = Recipe(name="m", members=1, batch_size=64)
        values.append(
            tune(design, np.arange(60), inner, base, ("point",), 2, storage, "one", Options()).trials["value"]
        )
    np.testing.assert_array_equal(values[0], values[1])


def test_search_that_was_interrupted_goes_on_as_if_it_had_not_been_and_leaves_no_trial_running(tmp_path, monkeypatch):
    """The process that ran the interrupted trial is gone."""
    design, rows = make(60), np.arange(60)
    monkeypatch.setattr(tuning, "_score", lambda recipe, *_: -abs(recipe.dropout - 0.3) - recipe.epochs / 1000)

    def search(trials: int, name: str):
        base = Recipe(name="m", members=1)
        found = tune(design, rows, rows % 3, base, ("point",), trials, tmp_path / f"{name}.db", "one", Options())
        return found.trials[found.trials["state"] != "FAIL"].drop(columns="number").reset_index(drop=True)

    undisturbed = search(14, "calm")
    search(11, "hit")
    with monkeypatch.context() as patched:
        patched.setattr(tuning, "_score", lambda *_: interrupted())
        patched.setattr(process, "marks", lambda: {**process_marks, process.BIRTH_TAG: "00000000-1"})
        with pytest.raises(Interrupted):
            search(14, "hit")
    pd.testing.assert_frame_equal(search(14, "hit"), undisturbed)
    states = tune(
        design, rows, rows % 3, Recipe(name="m"), ("point",), 14, tmp_path / "hit.db", "one", Options()
    ).trials
    assert states["state"].value_counts().to_dict() == {"COMPLETE": 14, "FAIL": 1}


process_marks = process.marks()


def interrupted() -> float:
    raise Interrupted
