"""What is lost, damaged or left over is noticed and mended, and nothing stale is called fresh."""

import re
import shutil

import dagster as dg
import pandas as pd
import pytest

from soc_assets.cli import runner
from soc_assets.definitions import defs
from soc_assets.errors import SocWarning
from soc_assets_tests.command_line import soc
from soc_assets_tests.small_project import SmallProject

pytestmark = pytest.mark.usefixtures("undrawn", "unserved")


@pytest.fixture(scope="module")
def built(templates, tmp_path_factory) -> SmallProject:
    """A project up to its features; each test leaves it as it was."""
    return templates.copy("with features", tmp_path_factory.mktemp("repairs") / "project")


def table(made: SmallProject, name: str) -> pd.DataFrame:
    return pd.read_parquet(made.project.samples(name))


def states(made: SmallProject) -> dict[str, str]:
    return {item.asset: item.state for item in runner.assess(made.use())}


def test_locations_that_leave_the_study_and_come_back_keep_their_split(built, monkeypatch):
    before = table(built, "balanced").set_index("sample_id")["split"]
    monkeypatch.setenv("SOC_STUDY__YEAR_FROM", "2014")
    assert built.run("balanced_samples").failures == []
    assert len(table(built, "balanced")) < len(before)
    monkeypatch.delenv("SOC_STUDY__YEAR_FROM")
    assert built.run("features").failures == []
    pd.testing.assert_series_equal(table(built, "balanced").set_index("sample_id")["split"], before)


def test_deleted_splits_are_put_back_and_not_drawn_anew(built):
    before = built.project.samples("splits").read_bytes()
    built.project.samples("splits").unlink()
    assert "fresh" not in (states(built)["balanced_samples"], states(built)["features"])
    with pytest.warns(SocWarning, match=r"splits\.parquet is missing, its copy .* is whole: it was put right"):
        assert built.run("features") == runner.Outcome([], [])
    assert built.project.samples("splits").read_bytes() == before


def test_deleted_tables_are_made_again(built):
    """Each that is gone is noticed by itself; one run makes all of them."""
    names = ("rejected", "samples", "balanced", "excluded", "folds")
    before = {name: table(built, name) for name in names}
    for name in names:
        path, aside = built.project.samples(name), built.root / "aside"
        path.rename(aside)
        assert "fresh" not in (states(built)["balanced_samples"], states(built)["features"]), name
        aside.rename(path)
    for name in names:
        built.project.samples(name).unlink()
    assert built.run("features").failures == []
    for name in names:
        pd.testing.assert_frame_equal(table(built, name), before[name])
    assert states(built)["features"] == "fresh"


def test_damaged_batch_is_noticed_by_the_status_and_mended(built):
    path = sorted(built.project.embeddings.glob("*/batch_*"))[1]
    whole = path.read_bytes()
    path.write_bytes(whole[:500])
    with pytest.warns(SocWarning, match=f"{path.name} is damaged"):
        assert states(built)["embeddings"] == "stale"
    with pytest.warns(SocWarning, match="is damaged"):
        assert built.run("features").failures == []
    assert built.query("SELECT count(*) AS n FROM features")["n"].item() == 60


def test_file_left_over_from_a_batch_of_another_size_is_not_read(built):
    path = sorted(built.project.embeddings.glob("*/batch_*"))[0]
    built.use()
    left_over = path.with_name("batch_0001_size_99.parquet")
    shutil.copy(path, left_over)
    for asset in ("embeddings", "features"):
        with dg.DagsterInstance.get() as instance:
            tags = {"dagster/asset_partition_range_start": "batch_0001"}
            tags["dagster/asset_partition_range_end"] = "batch_0001"
            job = defs.resolve_job_def("embed" if asset == "embeddings" else "learn")
            selection = [dg.AssetKey(asset)]
            tags = tags if asset == "embeddings" else None
            assert job.execute_in_process(instance=instance, asset_selection=selection, tags=tags).success
    assert not left_over.exists()
    assert built.query("SELECT count(*) AS n FROM features")["n"].item() == 60


def test_model_is_not_trained_on_features_older_than_the_embeddings(built, monkeypatch):
    monkeypatch.setenv("SOC_FEATURES__MISSING", "null")
    built.use()
    with dg.DagsterInstance.get() as instance:
        result = defs.resolve_job_def("learn").execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey("mlp_model")], raise_on_error=False
        )
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "materialise it first" in failure.step_failure_data.error.cause.message


@pytest.mark.parametrize("gone", ["a.csv", "b.csv"])
def test_soil_table_that_is_taken_out_leaves_batches_with_fewer_samples_or_none(with_features, gone):
    built = with_features
    built.use()
    (built.root / "data/soil" / gone).unlink()
    said = soc("run", "--to", "features", at=built)
    assert said.exit_code == 0, said.output
    assert re.search(
        rf"3\d samples of the last run are no longer there \(3\d of {gone}\)", " ".join(said.output.split())
    )
    sizes = [len(pd.read_parquet(path, columns=["sample_id"])) for path in built.batch_files().values()]
    left = set(table(built, "balanced")["sample_id"])
    assert sum(sizes) == len(left) == 30
    found = built.query("SELECT sample_id FROM features")["sample_id"]
    assert set(found) == left
    assert set(states(built).values()) <= {"fresh", "missing"}
    assert built.run("features").launched == []
