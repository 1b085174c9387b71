"""Fits and features of earlier evaluations: known by what the last plan asked for, and removed when told."""

import os

import numpy as np
import pytest
from click.testing import CliRunner

from soc_assets.cli.main import main
from soc_assets.embedding.spec import Spec
from soc_assets.errors import SocWarning
from soc_assets.regression.design.design import columns_table
from soc_assets.regression.evaluation import kept
from soc_assets.regression.evaluation.engine import run_fits, stored
from soc_assets.regression.evaluation.fold import FoldFit
from soc_assets.regression.models.fitted import Options
from soc_assets.regression.models.recipes import MEAN, NAMED
from soc_assets_tests.regression.designs import make


def plan_of(*recipes, n=40):
    import numpy as np

    rows = np.arange(n)
    return [
        FoldFit("block", k, r.name, (r,), rows[rows % 2 != k], rows[rows % 2 != k] % 3, rows[rows % 2 == k])
        for k in (0, 1)
        for r in recipes
    ]


def names(item: kept.Kept) -> set[str]:
    return {path.stem for path in item.paths}


def test_fits_of_the_last_plan_stay_and_those_of_an_earlier_one_can_go(tmp_path):
    design, tiny = make(40), NAMED["mlp"].model_copy(update={"hidden": (2,), "epochs": 1, "members": 1})
    design.save(tmp_path / "inputs/of-another-view")
    first = run_fits(plan_of(MEAN, NAMED["ridge"]), design, tmp_path, Options(), 1)
    both = run_fits(plan_of(MEAN, tiny), design, tmp_path, Options(), 1)
    assert {(item.what, bool(item.in_use)) for item in kept.kept(tmp_path)} == {("fits", True), ("inputs", False)}
    again = run_fits(plan_of(MEAN, NAMED["ridge"]), make(40, seed=1), tmp_path, Options(), 1)  # other features
    found = {(item.what, bool(item.in_use)): item for item in kept.kept(tmp_path)}
    assert names(found["fits", True]) == {item.digest for item in (*both, *again)}
    assert names(found["fits", False]) == {item.digest for item in first} - {item.digest for item in both}
    assert found["fits", False].size == sum(
        stored(tmp_path, name).stat().st_size for name in names(found["fits", False])
    )
    with pytest.raises(ValueError, match="in use"):
        kept.remove(found["fits", True])
    for item in found.values():
        if not item.in_use:
            kept.remove(item)
    assert {(item.what, bool(item.in_use)) for item in kept.kept(tmp_path)} == {("fits", True)}
    assert not list((tmp_path / "inputs").iterdir())
    assert all(item.cached for item in run_fits(plan_of(MEAN, tiny), design, tmp_path, Options(), 1))


def test_windows_of_the_last_plan_stay_and_others_can_go(tmp_path):
    (tmp_path / "windows").mkdir()
    for name in ("window_16_new.npy", "window_16_new.parquet", "window_32_old.npy", "window_32_old.parquet"):
        (tmp_path / "windows" / name).write_bytes(b"windows")
    np.save(tmp_path / "windows/window_16_new.npy", np.zeros((40, 12 * 256), np.float32))
    recipe = NAMED["convolution"].model_copy(update={"epochs": 1, "members": 1})
    columns = columns_table([("window", "LAI", lag, 16) for lag in range(12) for _ in range(256)])
    matrix = np.load(tmp_path / "windows/window_16_new.npy", mmap_mode="r")
    run_fits(plan_of(recipe), make(40).with_group("window:16", matrix, columns), tmp_path, Options(), 1)
    found = {(item.what, bool(item.in_use)): names(item) for item in kept.kept(tmp_path)}
    assert found["windows", True] == {"window_16_new"}
    assert found["windows", False] == {"window_32_old"}


def test_nothing_is_known_of_fits_without_a_plan_and_they_stay(tmp_path):
    (tmp_path / "fits").mkdir()
    (tmp_path / "fits/0123.parquet").write_bytes(b"fit")
    [found] = kept.kept(tmp_path)
    assert found.in_use == "unknown until the next evaluation"
    assert kept.kept(tmp_path / "nothing") == []


def test_soc_clean_lists_them_with_their_size_and_removes_those_not_in_use(fresh, monkeypatch):
    results, spec = fresh.project.results, Spec({}, {}, "")
    monkeypatch.setattr(
        "soc_assets.embedding.inputs.known_embeddings", lambda project: type("Inputs", (), {"spec": spec})
    )
    kept.note_plan(results, "evaluation", ["used"], "features")
    for name in ("fits/used.parquet", "fits/old.parquet", "inputs/features/point.npy", "inputs/before/point.npy"):
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_bytes(bytes(2_000_000))
    listed = CliRunner().invoke(main, ["clean", "--config", str(fresh.config)])
    assert listed.exit_code == 0
    assert "used by the last evaluation" in listed.stdout and "2.0" in listed.stdout
    assert (results / "fits/old.parquet").is_file()
    done = CliRunner().invoke(main, ["clean", "--keep-current", "--yes", "--config", str(fresh.config)])
    assert "Removed 0 specs, 1 fits with their features (4.0 MB)" in done.stdout
    left = sorted(os.path.relpath(path, results) for path in results.rglob("*") if path.is_file())
    assert left == ["fits/used.parquet", "inputs/features/point.npy", "plans.json"]


def test_damaged_plan_counts_everything_as_in_use_and_the_next_evaluation_writes_it_anew(tmp_path):
    (tmp_path / "fits").mkdir()
    for name in ("0123", "4567"):
        (tmp_path / f"fits/{name}.parquet").write_bytes(b"fit")
    kept.note_plan(tmp_path, "evaluation", ["0123"], "features")
    plans = tmp_path / "plans.json"
    content = plans.read_bytes()
    for damaged in (b"", content[:20], bytes(len(content)), b"[1]", b'{"evaluation": {"fits": 3}}', b"\xff\xfe"):
        plans.write_bytes(damaged)
        with pytest.warns(SocWarning, match=r"plans\.json is damaged: every fit counts as in use"):
            [found] = kept.kept(tmp_path)
        assert names(found) == {"0123", "4567"} and found.in_use
    with pytest.warns(SocWarning, match="is damaged"):
        kept.note_plan(tmp_path, "evaluation", ["0123"], "features")
    assert plans.read_bytes() == content
