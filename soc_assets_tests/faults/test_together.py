"""Two runs of the same at once: one result, no error, nothing lost."""

import dagster as dg
import pandas as pd
import pytest
from mlflow import MlflowClient

from soc_assets.cli import runner
from soc_assets.tracking.store import tracking_of
from soc_assets_tests.faults import processes
from soc_assets_tests.same_rows import assert_same_rows
from soc_assets_tests.small_project import BATCHES, SmallProject, write_project

pytestmark = pytest.mark.slow

EMBEDDINGS = dg.AssetKey("embeddings")


def embedded(instance: dg.DagsterInstance) -> pd.DataFrame:
    """Batch and whether it was cached, of every time that Dagster was told of one."""
    records = instance.fetch_materializations(EMBEDDINGS, limit=100).records
    found = [record.asset_materialization for record in records]
    rows = [(each.partition, each.metadata["cached"].value) for each in found if each]
    return pd.DataFrame(rows, columns=["batch", "cached"])


def test_two_first_runs_at_once_give_what_one_gives(tmp_path, finished):
    """Not even the Dagster instance is there when they begin."""
    made = write_project(tmp_path / "project")
    both = [processes.soc(made, "run") for _ in range(2)]
    for code, words in [processes.ended(each) for each in both]:
        assert code == 0, words
    assert_one_result(made, finished)
    with dg.DagsterInstance.get() as instance:
        assert instance.event_log_storage.get_concurrency_info("gpu").claimed_slots == []
        told = embedded(instance)
        runs = {run.status for run in instance.get_runs()}
    assert told.groupby("batch")["cached"].agg(lambda each: (~each).sum()).to_dict() == dict.fromkeys(BATCHES, 1)
    assert runs == {dg.DagsterRunStatus.SUCCESS}


def assert_one_result(made: SmallProject, expected: SmallProject) -> None:
    assert made.batch_files().keys() == BATCHES.keys()
    assert_same_rows(made.embeddings(), expected.embeddings())
    assert {item.state for item in runner.assess(made.use())} == {"fresh"}
    assert list(made.root.rglob("*.tmp")) == []
    with dg.DagsterInstance.get() as instance:
        assert instance.get_materialized_partitions(EMBEDDINGS) == set(BATCHES)
    client = MlflowClient(tracking_of(made.project).uri)
    [experiment] = [found for found in client.search_experiments() if found.name == "soc"]
    trained = client.search_runs([experiment.experiment_id])
    assert [run.info.status for run in trained] == ["FINISHED"]


def test_two_dagster_runs_of_the_same_batch_compute_it_once(dev, prepared):
    batch = {"dagster/partition": "batch_0002"}
    both = [dev.launch("embed", batch) for _ in range(2)]
    dev.wait(lambda: all(dev.run(run)["status"] in ("SUCCESS", "FAILURE") for run in both))
    assert [dev.run(run)["status"] for run in both] == ["SUCCESS", "SUCCESS"]
    assert dev.device_held_by() == []
    assert list(prepared.batch_files()) == ["batch_0002"]
    prepared.use()
    with dg.DagsterInstance.get() as instance:
        told = embedded(instance)
    assert sorted(told["cached"]) == [False, True]
    assert set(told["batch"]) == {"batch_0002"}
