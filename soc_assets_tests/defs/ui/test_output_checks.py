"""Checks of what assets write: a spoilt file is named, stops what comes after, and is made again by the next run."""

import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import duckdb
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from soc_assets.cli import runner
from soc_assets.definitions import defs
from soc_assets.features import refresh
from soc_assets.integrity import tables
from soc_assets.regression.inputs import model_inputs
from soc_assets.storage import files, vouching
from soc_assets.tracking.store import tracking_of
from soc_assets_tests import spoil
from soc_assets_tests.same_rows import assert_same_rows
from soc_assets_tests.small_project import SmallProject

pytestmark = pytest.mark.usefixtures("undrawn", "unserved")

RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


@pytest.fixture
def made(finished, tmp_path, empty_instance) -> SmallProject:
    """A finished project of one's own, in an instance that knows its batches."""
    own = SmallProject(tmp_path / "project")
    shutil.copytree(finished.root, own.root, ignore=shutil.ignore_patterns(".dagster"))
    shutil.copytree(empty_instance, own.root / ".dagster")
    own.use()
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("batch", [f"batch_000{number}" for number in range(1, 5)])
    return own


def materialise(*assets: str, **options) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.get() as instance:
        return defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(name) for name in assets], raise_on_error=False, **options
        )


def failed(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    """Checks that failed, by name."""
    found = [event.asset_check_evaluation_data for event in result.all_events if "CHECK_EVAL" in event.event_type_value]
    return {evaluation.check_name: evaluation for evaluation in found if not evaluation.passed}


def materialised(result: dg.ExecuteInProcessResult) -> set[tuple[str, str | None]]:
    events = [event.materialization for event in result.get_asset_materialization_events()]
    return {(event.asset_key.to_user_string(), event.partition) for event in events}


def not_a_number(path: Path) -> None:
    spoil.edit_vectors(path, "channel_time_embeddings", lambda values: values.__setitem__((7, 100), np.nan))


def collapse(path: Path) -> None:
    spoil.edit_vectors(path, "elevation_embedding", lambda values: values.__setitem__(slice(None), values[0]))


def constant_columns(path: Path) -> None:
    def most(values: np.ndarray) -> None:
        values[:, :500] = 0.25

    spoil.edit_vectors(path, "elevation_embedding", most)


Damage = Callable[[Path], None]
FAULTS: list[dict[str, tuple[str, Damage, str]]] = [
    {
        "batch_0001": ("finite", not_a_number, "not finite"),
        "batch_0002": ("complete", spoil.drop_key, "24 keys, expected 25"),
        "batch_0003": ("spec", lambda path: spoil.set_metadata(path, soc_spec="0123456789"), "of the spec 0123456789"),
    },
    {
        "batch_0001": ("rank", collapse, "all the same, while the rasters differ"),
        "batch_0002": ("complete", spoil.flip_bytes, "cannot be read"),
        "batch_0003": ("constant_columns", constant_columns, "65% of Elevation"),
    },
]


@pytest.mark.parametrize("faults", FAULTS, ids=lambda faults: "-".join(check for check, _, _ in faults.values()))
def test_spoilt_batches_are_named_set_aside_and_computed_again(made, faults: dict[str, tuple[str, Damage, str]]):
    paths = made.batch_files()
    sound = {batch: pd.read_parquet(paths[batch]) for batch in faults}
    for batch, (_, damage, _) in faults.items():
        damage(paths[batch])
    result = materialise("embeddings", "features", tags=dict(zip(RANGE, ("batch_0001", "batch_0004"), strict=True)))
    assert not result.success
    wrong = failed(result)
    for batch, (check, _, words) in faults.items():
        said, path = wrong[check].description or "", paths[batch]
        assert (wrong[check].severity, wrong[check].blocking) == (dg.AssetCheckSeverity.ERROR, True)
        assert str(path) in said and words in said
        assert "`soc run` computes the batch again" in said
        assert not path.exists()
        assert path.with_name(path.name + ".wrong").is_file()
    assert materialised(result) == {("embeddings", "batch_0004")}  # not features
    states = {item.asset: item for item in runner.assess(made.project)}
    assert (states["embeddings"].done, states["embeddings"].total) == (1, 4)
    again = made.run("embeddings")
    assert (again.launched[-1], again.failures) == ("embed", [])
    for batch, before in sound.items():
        assert_same_rows(pd.read_parquet(paths[batch]), before)
        assert not paths[batch].with_name(paths[batch].name + ".wrong").exists()


def test_embeddings_that_are_computed_wrong_fail_again_and_say_what_to_mend(made, monkeypatch):
    from soc_assets.embedding.encoder.encoder import Encoder

    patches = Encoder.patches
    monkeypatch.setattr(Encoder, "patches", lambda self, pooled: patches(self, pooled * 0))
    made.batch_files()["batch_0004"].unlink()
    for _ in range(2):
        outcome = made.run()
        assert outcome.launched[-1] == "embed"
        [words] = outcome.failures
        assert words.startswith("embeddings: 1 of 1 batches failed.")
        assert "batch_0004_size_12.parquet: the embeddings of Elevation are all the same" in words
        assert "mend what it is made from: rasters (`soc check`), checkpoint or [embedding]" in words


def balanced(made: SmallProject) -> pd.DataFrame:
    return made.table("balanced")


def spoil_table(made: SmallProject, name: str, frame: pd.DataFrame) -> None:
    """Write a table of the samples as a fault of the code would: balanced.parquet, written last, vouches for it."""
    path, last = made.project.samples(name), made.project.samples("balanced")
    files.write_table(path, frame, files.read_metadata(path))
    if path != last:
        vouched = vouching.vouch(last, tables.siblings_of(made.project, "balanced_samples"))
        files.write_table(last, balanced(made), {**files.read_metadata(last), **vouched})


def leak_into_test(made: SmallProject) -> None:
    table = balanced(made)
    table.loc[0, "location_id"] = table.loc[table["split"] != table.loc[0, "split"], "location_id"].iloc[0]
    spoil_table(made, "balanced", table)


def leak_between_folds(made: SmallProject) -> None:
    """Two samples of the small project share a place."""
    shared = balanced(made).groupby("location_id").filter(lambda part: len(part) > 1)["sample_id"].to_list()
    folds = made.table("folds")
    assert len(shared) == 2
    twin = (folds["scheme"] == "location") & (folds["sample_id"] == shared[0])
    folds.loc[twin, "fold"] = (folds.loc[twin, "fold"] + 1) % 5
    assert twin.any()
    spoil_table(made, "folds", folds)


def fold_for_test(made: SmallProject) -> None:
    folds, table = made.table("folds"), balanced(made)
    folds.loc[0, "sample_id"] = table.loc[table["split"] == "test", "sample_id"].iloc[0]
    spoil_table(made, "folds", folds)


def test_spoilt_split_stops_the_run_and_is_made_again(made):
    """All that `check_tables` finds is in sampling/test_check.py."""
    sound = balanced(made)
    leak_between_folds(made)
    fold_for_test(made)
    leak_into_test(made)
    result = materialise("balanced_samples", "features")
    wrong = failed(result)
    for check, words in {
        "no_location_in_two_splits": ("1 locations are in two splits or more", "folds or more (for example"),
        "tables": ("test samples have a fold (1, for example",),
    }.items():
        assert (wrong[check].severity, wrong[check].blocking) == (dg.AssetCheckSeverity.ERROR, True)
        said = wrong[check].description or ""
        assert str(made.project.data / "samples") in said
        assert all(part in said for part in words)
    assert "features" not in {name for name, _ in materialised(result)}
    assert {item.asset: item.state for item in runner.assess(made.project)}["balanced_samples"] == "stale"
    assert made.run("balanced_samples") == runner.Outcome(["prepare"], [])
    pd.testing.assert_frame_equal(balanced(made), sound)


def replace_view(made: SmallProject, query: str) -> None:
    """The view `features` with another query, over `inner`, what it was."""
    with duckdb.connect(made.project.database) as connection:
        [sql] = connection.execute("SELECT sql FROM duckdb_views() WHERE view_name = 'features'").fetchone()
        inner = sql.removeprefix("CREATE VIEW features").strip().rstrip(";")
        inner = inner[inner.index("AS") + 2 :]
        connection.execute(f"CREATE OR REPLACE VIEW features AS {query.format(inner=inner)}")


def test_spoilt_database_stops_the_model_and_is_built_again(made):
    """A view over three of four batches with longer vectors, in a database that says it was built from all.

    All that `check_database` finds is in features/test_check.py.
    """
    assert made.run("features").failures == []
    refresh.ensure(made.project)  # the copied views read where they were built
    of_others = "sample_id NOT IN (SELECT sample_id FROM samples WHERE batch = 'batch_0004')"
    replace_view(made, f"SELECT * REPLACE (features[1:19000] AS features) FROM ({{inner}}) WHERE {of_others}")
    result = materialise("features", "mlp_model")
    wrong = failed(result)
    for check, words in {
        "count_equals_embeddings": "12 of 60 embedded samples of the study are not in the view",
        "vectors": "vectors have 19,000 to 19,000 features, expected 19,968",
    }.items():
        assert (wrong[check].severity, wrong[check].blocking) == (dg.AssetCheckSeverity.ERROR, True)
        assert words in (wrong[check].description or "")
        assert str(made.project.database) in (wrong[check].description or "")
    assert "mlp_model" not in {name for name, _ in materialised(result)}
    assert {item.asset: item.state for item in runner.assess(made.project)}["features"] == "stale"
    assert made.run("features") == runner.Outcome(["learn"], [])
    assert made.query("SELECT count(*) AS n FROM features WHERE len(features) = 19968")["n"].item() == 60


def test_scores_that_cannot_be_true_fail_the_run_and_the_next_trains_again(made):
    assert made.run().failures == []
    tracking = tracking_of(made.project)
    before = tracking.find_run(model_inputs(made.project))
    assert before is not None
    MlflowClient(tracking.uri).log_metric(before.run_id, "test_r2", 1.7, step=1)
    result = materialise("mlp_model")
    wrong = failed(result)["metrics_sane"]
    assert (wrong.severity, wrong.blocking) == (dg.AssetCheckSeverity.ERROR, True)
    assert "its R2 on the test split is 1.7, and cannot exceed 1" in (wrong.description or "")
    assert before.run_id in (wrong.description or "")
    assert materialised(result) == set()
    assert tracking.find_run(model_inputs(made.project)) is None
    assert MlflowClient(tracking.uri).get_run(before.run_id).info.status == "FAILED"
    assert made.run() == runner.Outcome(["learn"], [])
    after = tracking.find_run(model_inputs(made.project))
    assert after is not None
    assert after.run_id != before.run_id


def test_model_no_better_than_the_mean_is_a_warning_that_blocks_nothing(made):
    assert made.run().failures == []
    tracking = tracking_of(made.project)
    record = tracking.find_run(model_inputs(made.project))
    assert record is not None
    MlflowClient(tracking.uri).log_metric(record.run_id, "test_rmse", 99, step=1)
    result = materialise("mlp_model")
    assert result.success
    found = failed(result)
    assert found["better_than_mean"].severity == dg.AssetCheckSeverity.WARN
    words = found["better_than_mean"].description or ""
    assert "RMSE is 99.00 g/kg" in words
    assert "learnt nothing (embeddings: random (seed 42))" in words
