import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from soc_assets.errors import SocWarning
from soc_assets.regression.design.design import Design
from soc_assets.regression.evaluation import engine
from soc_assets.regression.evaluation.bootstrap import Difference
from soc_assets.regression.evaluation.engine import run_fits, stored
from soc_assets.regression.evaluation.fold import FoldResult
from soc_assets.regression.evaluation.leaderboard import _sentence, leaderboard, verdict
from soc_assets.regression.evaluation.plan import make_plan, merged
from soc_assets.regression.evaluation.scoring import out_of_fold, score_table
from soc_assets.regression.models.fitted import Options
from soc_assets.settings.evaluation import Evaluation, Recipe
from soc_assets.storage import files
from soc_assets_tests import spoil
from soc_assets_tests.regression.designs import folds_of, make
from soc_assets_tests.reported import reported

SETTINGS = Evaluation(
    schemes=("block",),
    models=("ridge",),
    feature_sets=("point", "embedding"),
    documented=False,
    recipes=(Recipe(name="net", hidden=(8,), epochs=20, members=2, batch_size=64, learning_rate=1e-2),),
    candidates=(
        Recipe(name="few", hidden=(8,), epochs=2, members=1, features="point:1"),
        Recipe(name="many", hidden=(8,), epochs=20, members=2, batch_size=64, learning_rate=1e-2),
    ),
    draws=100,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def found(folder):
    design = make()
    plan = make_plan(design, folds_of(design), SETTINGS, "embedding")
    done = run_fits(plan.fits, design, folder, Options(), workers=2)  # in processes
    models = out_of_fold(done)
    return design, plan, done, models, score_table(models, design, 100, 0)


def test_plan_lists_every_fit_before_it_starts(found):
    table = found[1].table()
    assert set(table["model"]) == {"mean", "coordinates", "ridge", "net", "mlp_chosen"}
    assert (table["folds"] == 4).all()
    assert len(found[1].fits) == table["folds"].sum() == 24


def test_what_is_finished_is_not_fitted_again(found, folder, monkeypatch):
    design, plan, done, *_ = found
    assert not any(item.cached or item.error for item in done)
    one = stored(folder, done[7].digest)
    one.unlink()  # as if the run had been killed before it
    fitted = []
    run_fold = engine.run_fold
    monkeypatch.setattr(engine, "run_fold", lambda fit, *rest: fitted.append(fit) or run_fold(fit, *rest))
    again = run_fits(plan.fits, design, folder, Options(), workers=1)
    assert fitted == [plan.fits[7]]
    assert [item.cached for item in again] == [number != 7 for number in range(len(again))]
    pd.testing.assert_frame_equal(again[7].result.predictions, done[7].result.predictions)


def test_digest_follows_what_decides_a_fit_and_nothing_else(found):
    design, plan, *_ = found
    fit, options = plan.fits[4], Options()
    before = fit.digest(design, options)
    assert fit.digest(make(), options) == before
    assert fit.digest(make(seed=1), options) != before
    assert fit.digest(design, Options(seed=1)) != before
    assert plan.fits[5].digest(design, options) != before


def test_fit_that_fails_is_counted_and_cannot_win(tmp_path, found):
    design = found[0]
    broken = SETTINGS.model_copy(update={"recipes": (Recipe(name="net", features="point:7"),), "chosen": False})
    plan = make_plan(design, folds_of(design), broken, "embedding")
    fits = [fit for fit in plan.fits if fit.model != "coordinates"]
    with pytest.raises(Exception, match="windows"):
        fits[-1].digest(design, Options())
    bad = SETTINGS.recipes[0].model_copy(update={"learning_rate": 1e18, "dropout": 0.0})
    plan = make_plan(design, folds_of(design), broken.model_copy(update={"recipes": (bad,)}), "embedding")
    with reported() as said:
        done = run_fits(plan.fits, design, tmp_path, Options(), 1)
    models = out_of_fold(done)
    [net] = [item for item in models if item.model == "net"]
    assert net.failed == 4
    assert "learning_rate" in net.errors[0]
    table = score_table(models, design, 100, 0)
    board = leaderboard(table, "block")
    assert board.iloc[-1][["model", "failed"]].tolist() == ["net", 4]
    assert np.isnan(board.iloc[-1]["r2"])
    assert any("net on point failed" in now.message for now in said)


def test_long_table_has_scopes_intervals_and_both_scales(found):
    table = found[4]
    assert {"pooled", "fold", "fold_mean", "oc_stratum", "year", "source", "applicability"} <= set(table["scope"])
    pooled = table[(table["model"] == "net") & (table["scope"] == "pooled") & (table["metric"] == "r2")]
    assert set(pooled["scale"]) == {"g/kg", "transformed"}
    assert ((pooled["low"] < pooled["value"]) & (pooled["value"] < pooled["high"])).all()
    assert set(table.loc[table["metric"] == "r2_log", "scale"]) == {"g/kg"}  # logarithms are of g/kg
    assert set(table.loc[table["metric"] == "medae", "scale"]) == {"g/kg", "transformed"}
    strata = table[(table["model"] == "net") & (table["scope"] == "oc_stratum") & (table["metric"] == "rmse")]
    assert strata["n"].sum() <= 240
    assert set(strata["part"]) <= {"0-15", "15-30", "30-50", "50-150"}


def test_intervals_cover_what_they_promise(found):
    table = found[4]
    row = table[(table["model"] == "mlp_chosen") & (table["scope"] == "pooled") & (table["metric"] == "coverage")]
    assert row["value"].iloc[0] == pytest.approx(0.9, abs=0.08)  # 240 samples
    assert row["low"].iloc[0] < row["value"].iloc[0] < row["high"].iloc[0]


def test_verdict_says_who_wins_and_whether_for_sure(found):
    design, _, _, models, table = found
    said = verdict(models, table, "block", design, 100, 0)
    assert said.best.model in ("net", "mlp_chosen")
    assert said.baseline.model == "ridge"
    assert ("A BASELINE" in said.words) == said.baseline_wins
    weak = [item for item in models if item.baseline or item.model == "nothing"]
    alone = verdict(weak, table[table["baseline"]], "block", design, 100, 0)
    assert alone.baseline_wins
    flipped = [
        *[item for item in models if item.baseline],
        next(item for item in models if item.model == "net").__class__(
            "block", "bad", "point", next(i for i in models if i.model == "mean").rows, 0, (), 0.0, False
        ),
    ]
    lost = verdict(flipped, score_table(flipped, design, 100, 0), "block", design, 100, 0)
    assert lost.words.startswith("A BASELINE WINS under block folds: ridge on")
    assert lost.difference is not None and lost.difference.worse


def test_baseline_ahead_within_the_interval_does_not_win(found):
    models = [next(item for item in found[3] if item.model == name) for name in ("net", "ridge")]
    board = leaderboard(found[4], "block")
    words = [
        _sentence(*models, Difference(-0.003, low, high), board, "block") for low, high in ((-0.025, 0.016), (-2, -1))
    ]
    assert words[0].startswith("A BASELINE LEADS, WITHIN THE INTERVAL, under block folds: ridge on point")
    assert "by 0.003 (95 % interval of the difference -0.016 to 0.025)" in words[0]
    assert words[1].startswith("A BASELINE WINS under block folds: ridge on point")


def test_partial_dependence_is_stored_with_fits_of_the_primary_scheme_and_changes_no_digest(found, folder):
    design, plan, done, *_ = found
    options = Options()
    kept = {(item.fit.model, item.fit.features): item.result.dependence for item in done}
    ridge = kept["ridge", "point"]
    assert set(ridge["band"]) == {"Elevation", "LAI"} and ridge["lag"].isna().sum() == 9
    assert len(kept["mlp_chosen", "chosen"]) and kept["ridge", "embedding"].empty and kept["mean", "coordinates"].empty
    bare = [replace(fit, dependence=False) for fit in plan.fits]
    assert [fit.digest(design, options) for fit in bare] == [item.digest for item in done]
    again = engine.known_fit(folder, done[2].digest)
    assert again is not None and done[2].result is not None
    pd.testing.assert_frame_equal(again.dependence, done[2].result.dependence)
    former = replace(done[2].result, dependence=pd.DataFrame())
    engine.store_fit(folder, "former", former)
    path = stored(folder, "former")
    metadata = files.read_metadata(path)
    record = json.loads(metadata["soc.fit"])
    del record["dependence"]  # as an earlier release wrote it
    files.write_table(path, former.predictions, {**metadata, "soc.fit": json.dumps(record)})
    opened = engine.known_fit(folder, "former")
    assert opened is not None and opened.dependence.empty


def test_design_comes_back_from_disk_as_it_was(found, tmp_path):
    design = found[0]
    design.save(tmp_path)
    again = Design.load(tmp_path)
    assert again.digests == design.digests
    np.testing.assert_array_equal(again.matrices["point"], design.matrices["point"])
    pd.testing.assert_frame_equal(again.samples, design.samples)


@pytest.mark.parametrize("damage", [*spoil.DAMAGES.values(), Path.unlink], ids=[*spoil.DAMAGES, "deleted"])
def test_design_of_which_a_byte_has_changed_is_not_used(tmp_path, damage):
    design = make(40)
    design.save(tmp_path)
    assert Design.is_saved(tmp_path)
    for name in ("point.npy", "embedding.parquet", "samples.parquet"):
        content = (tmp_path / name).read_bytes()
        damage(tmp_path / name)
        assert not Design.is_saved(tmp_path), name
        (tmp_path / name).write_bytes(content)


def test_fit_that_is_damaged_or_of_another_name_is_fitted_again(tmp_path):
    result = FoldResult(
        pd.DataFrame({"sample_id": ["a", "b"], "predicted": [1.0, 2.0]}), pd.DataFrame(), {"seconds": 1.0}
    )
    engine.store_fit(tmp_path, "one", result)
    path = stored(tmp_path, "one")
    content, known = path.read_bytes(), engine.known_fit(tmp_path, "one")
    assert known is not None
    pd.testing.assert_frame_equal(known.predictions, result.predictions)
    for damage in spoil.DAMAGES.values():
        damage(path)
        with pytest.warns(SocWarning, match=r"one\.parquet is damaged\. `soc run --to evaluation` makes it again"):
            assert engine.known_fit(tmp_path, "one") is None
        path.write_bytes(content)
    stored(tmp_path, "two").write_bytes(content)
    with pytest.warns(SocWarning, match=r"two\.parquet is not the fit that its name says: it is fitted again"):
        assert engine.known_fit(tmp_path, "two") is None
    assert engine.known_fit(tmp_path, "three") is None


def test_folds_are_merged_into_parts_of_nearly_equal_size():
    fold = np.repeat([3, 5, 8, 9], [40, 30, 20, 10])
    assert np.bincount(merged(fold, 2)).tolist() == [50, 50]
    assert len(np.unique(merged(fold, 9))) == 4
