"""The three chained jobs: what is launched, where it stops, and how a failure is told."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import torch
import yaml

from soc_assets.cli import runner
from soc_assets.cli.failed import failed_assets
from soc_assets.cli.instance import fail_orphaned_runs
from soc_assets.definitions import defs
from soc_assets.defs.partitions import contiguous_ranges
from soc_assets.pipeline.assets import ASSETS
from soc_assets.runtime import gpus
from soc_assets.runtime.process import MACHINE_TAG, PROCESS_TAG, marks
from soc_assets_tests.small_project import SmallProject, write_project

pytestmark = pytest.mark.usefixtures("undrawn", "unserved")


@pytest.fixture
def bare(tmp_path) -> SmallProject:
    """A project without a Dagster instance."""
    return write_project(tmp_path / "project")


def test_process_and_children_use_the_projects_settings_and_instance(bare):
    runner.use_project(bare.project, bare.config)
    assert os.environ["SOC_CONFIG"] == str(bare.config)
    assert os.environ["DAGSTER_HOME"] == str(bare.root / ".dagster")
    shipped = Path(runner.__file__).parents[1] / "defs/dagster.yaml"
    assert (bare.root / ".dagster/dagster.yaml").read_text() == shipped.read_text()
    with dg.DagsterInstance.get() as instance:
        assert instance.root_directory == str(bare.root / ".dagster")
        assert instance.telemetry_enabled is False


def test_instance_settings_of_the_user_are_kept(bare):
    own = bare.root / ".dagster/dagster.yaml"
    own.parent.mkdir()
    own.write_text("telemetry:\n  enabled: false\n")
    runner.use_project(bare.project, bare.config)
    assert own.read_text() == "telemetry:\n  enabled: false\n"


def test_instance_named_by_the_environment_is_used(bare, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "elsewhere"))
    bare.run("raster_catalog")
    assert (tmp_path / "elsewhere/history").is_dir()
    assert not (bare.root / ".dagster").exists()


def test_runs_belong_to_the_code_location_and_are_not_started_again_by_the_daemon(fresh):
    fresh.run("raster_catalog")
    with dg.DagsterInstance.get() as instance:
        [run] = instance.get_runs()
        assert "create_run_for_job" not in vars(instance)
    assert run.remote_job_origin.location_name == run.tags["dagster/code_location"] == "soc_assets"
    selector = run.remote_job_origin.repository_origin.get_selector()
    assert (selector.repository_name, run.remote_job_origin.job_name) == (defs.get_repository_def().name, "prepare")
    assert run.tags["dagster/max_retries"] == "0"
    workspace = yaml.safe_load((Path(runner.__file__).parents[1] / "defs/workspace.yaml").read_text())
    assert workspace["load_from"][0]["python_module"]["location_name"] == "soc_assets"


def test_jobs_are_announced_in_order_and_stop_at_the_asset_wanted(fresh, caplog):
    caplog.set_level(logging.INFO, runner.__name__)

    def announced() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == runner.__name__]

    project = fresh.use()
    outcome = runner.run(project, "soil_samples")
    assert (announced(), outcome.launched) == (["job prepare"], ["prepare"])
    assert project.samples("samples").is_file()
    assert not project.samples("balanced").exists()
    assert [item.state for item in runner.assess(project)] == ["fresh", "fresh", "missing", *3 * ["missing"]]
    outcome = runner.run(project, "embeddings")
    assert announced() == ["job prepare", "job prepare", "job embed"]
    assert len(fresh.batch_files()) == 4
    assert runner.run(project, "embeddings") == runner.Outcome([], [])
    assert not project.database.exists()
    assert not project.mlruns.exists()


def test_what_the_stages_log_stands_in_the_log_of_the_run_and_once(fresh):
    fresh.run("balanced_samples")
    with dg.DagsterInstance.get() as instance:
        [run] = instance.get_runs()
        said = [record.user_message for record in instance.all_logs(run.run_id)]
    assert [words for words in said if "filters of [study]" in words] == [
        "step 1 of 9: filters of [study] on 62 samples"
    ]


def test_failure_stops_the_chain_and_is_the_users_words(with_a_catalog):
    fresh = with_a_catalog
    for path in (fresh.root / "data/soil").iterdir():
        path.write_text("GPS_LONG,GPS_LAT\n1,2\n")
    outcome = fresh.run()
    assert outcome.launched == ["prepare"]
    [words] = outcome.failures
    assert words.startswith("soil_samples: No soil table in")
    assert "no column for organic_carbon" in words
    assert "Error" not in words
    assert failed_assets(fresh.project) >= {"soil_samples"}


def test_error_that_is_nobodys_fault_keeps_its_kind_and_says_where_to_read_more(with_a_catalog, monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr("soc_assets.defs.assets.ingest.build_samples", broken)
    [words] = with_a_catalog.run("soil_samples").failures
    assert words == "soil_samples: ZeroDivisionError: a fault of ours (the Dagster UI has the traceback)"


def test_failed_assets_are_those_whose_last_run_failed(with_a_catalog, monkeypatch):
    fresh = with_a_catalog
    fresh.use()
    assert failed_assets(fresh.project) == set()
    with monkeypatch.context() as patch:
        patch.setattr("soc_assets.defs.assets.ingest.build_samples", lambda *args, **kwargs: 1 / 0)
        assert fresh.run("soil_samples").failures != []
    assert "soil_samples" in failed_assets(fresh.project)
    assert fresh.run("soil_samples").failures == []
    assert failed_assets(fresh.project) == set()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("", []),
        ("abcdef", ["abc", "def"]),
        ("acd", ["a", "cd"]),
        ("bcdef", ["bcd", "ef"]),
        ("f", ["f"]),
    ],
)
def test_due_batches_are_run_in_contiguous_stretches(wanted, expected):
    assert contiguous_ranges(list("abcdef"), set(wanted), longest=3) == [list(part) for part in expected]


def test_killed_run_does_not_keep_the_device(fresh):
    """A `soc run` that was killed while it held the pool: the next one ends it and frees its slot."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    runner.use_project(fresh.project, fresh.config)
    with dg.DagsterInstance.get() as instance:
        tags = {**marks(), PROCESS_TAG: str(ended.pid)}
        started = dg.DagsterRunStatus.STARTED
        dead = instance.create_run_for_job(defs.resolve_job_def("prepare"), tags=tags, status=started)
        other = {**tags, MACHINE_TAG: "00000000"}  # of a container with the same host name
        alive = instance.create_run_for_job(defs.resolve_job_def("prepare"), tags=other, status=started)
        storage = instance.event_log_storage
        storage.initialize_concurrency_limit_to_default("gpu")
        storage.claim_concurrency_slot("gpu", dead.run_id, "embeddings")
        assert len(storage.get_concurrency_info("gpu").claimed_slots) == 1
        fail_orphaned_runs(instance)
        assert storage.get_concurrency_info("gpu").claimed_slots == []
        assert instance.get_run_by_id(dead.run_id).status == dg.DagsterRunStatus.FAILURE
        assert instance.get_run_by_id(alive.run_id).status == started


@pytest.mark.parametrize("to", ["raster_catalog", "soil_samples", "balanced_samples"])
def test_nothing_is_asked_about_what_comes_after_the_last_asset_wanted(finished, monkeypatch, to):
    def must_not(*_: object) -> None:
        raise AssertionError("asked about embeddings or models")

    monkeypatch.setattr("soc_assets.pipeline.freshness.known_embeddings", must_not)
    monkeypatch.setattr(runner, "_model_state", must_not)
    found = runner.assess(finished.project, to)
    assert [item.asset for item in found] == list(ASSETS[: ASSETS.index(to) + 1])
    assert all(item.fresh for item in found)


def test_model_is_not_asked_for_where_features_are_the_last_wanted(finished, monkeypatch):
    monkeypatch.setattr(runner, "_model_state", None)  # calling it would fail
    assert [item.asset for item in runner.assess(finished.project, "features")][-1] == "features"


def test_no_step_of_a_run_asks_for_devices_while_they_are_hidden(prepared, monkeypatch):
    """CUDA looks once in a process, and all steps of `soc run` share one: a GPU hidden then stays hidden."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # a pretended GPU
    monkeypatch.setattr(gpus, "_mine", [])
    seen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(seen.append(os.environ["CUDA_VISIBLE_DEVICES"])))
    prepared.set('image_size = 16\ndevice = "cpu"', 'image_size = 16\nstage = "encoder"\nlayer = 1')
    assert prepared.run("embeddings").failures == []
    assert len(seen) >= 2, "for the precision of the new spec, and for the encoder"
    assert set(seen) == {"0"}
