import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from soc_assets.errors import TrainingError
from soc_assets.regression.design.data import FeatureTable, load_features
from soc_assets.regression.design.gaps import Gaps
from soc_assets.regression.evaluation.fit_scores import Evaluation, evaluate_fit
from soc_assets.regression.final import serve_documented
from soc_assets.regression.models.served import ServedDocumented
from soc_assets.regression.models.training import Fit, fit_mlp
from soc_assets.regression.report.fit_plots import loss_curve
from soc_assets.runtime.process import marks
from soc_assets.settings import Training
from soc_assets.tracking.run import RunRecord
from soc_assets.tracking.store import MlflowTracking
from soc_assets_tests.regression.tables import make_table, write_database

TRAINING = Training(hidden=(8, 4), epochs=3, learning_rate=1e-2, device="cpu")
PREDICT = """
import json, sys
import duckdb, mlflow, numpy as np
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
with duckdb.connect(sys.argv[3], read_only=True) as connection:
    rows = connection.sql("SELECT features FROM features ORDER BY sample_id").fetchall()
features = np.array([row[0] for row in rows], dtype=np.float32)
ours = [name for name in sys.modules if name.startswith("soc_assets")]
print(json.dumps([model.predict(features)[:, 0].tolist(), ours]))
"""


@dataclass
class Tracked:
    tracking: MlflowTracking
    record: RunRecord
    table: FeatureTable
    database: Path
    fit: Fit
    evaluation: Evaluation
    served: ServedDocumented

    @property
    def client(self) -> mlflow.MlflowClient:
        return mlflow.MlflowClient(self.tracking.uri)


@pytest.fixture(scope="module")
def tracked(tmp_path_factory) -> Tracked:
    """One real run, logged as the asset does it."""
    folder = tmp_path_factory.mktemp("with space")
    tracking = MlflowTracking(folder=str(folder / "mlruns"))
    database = write_database(folder / "soc.duckdb", make_table(80))
    table = load_features(database)
    params = {"training": TRAINING.model_dump(), "many": {f"p{i}": i for i in range(120)}, "long": "x" * 9000}
    with tracking.run("mlp_model", "digest-1", params, {"soc.features_digest": "f1", "soc.weights": "random"}) as run:
        fit = fit_mlp(table, TRAINING, on_epoch=run.log_epoch)
        evaluation = evaluate_fit(fit, table)
        figures = {"loss_curve": loss_curve(fit.history, fit.best_epoch)}
        served, _ = serve_documented(fit, table, evaluation, Gaps.unknown(table.n_features), 0)
        record = run.log_fit(fit, served, evaluation, figures, table.matrix[:1])
    return Tracked(tracking, record, table, database, fit, evaluation, served)


def logged_run(tracked: Tracked):
    return tracked.client.get_run(tracked.record.run_id)


def status_of_last_run(tracking: MlflowTracking, experiment: str) -> tuple[str, dict[str, str]]:
    client = mlflow.MlflowClient(tracking.uri)
    run = client.search_runs([client.get_experiment_by_name(experiment).experiment_id], max_results=1)[0]
    return run.info.status, run.data.tags


def test_finished_run_holds_parameters_tags_and_final_metrics(tracked):
    run = logged_run(tracked)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "mlp_model")
    assert run.data.params["training.hidden"] == "(8, 4)"
    assert run.data.params["many.p119"] == "119"
    assert run.data.params["fit.best_epoch"] == str(tracked.fit.best_epoch)
    assert run.data.tags["soc.inputs_digest"] == "digest-1"
    assert (run.data.tags["soc.features_digest"], run.data.tags["soc.weights"]) == ("f1", "random")
    assert run.data.tags["soc.version"]
    assert run.data.metrics["test_r2"] == pytest.approx(tracked.evaluation.scores["test"].r2)
    assert run.data.metrics["baseline_test_rmse"] == pytest.approx(tracked.evaluation.baseline["test"].rmse)


def test_every_epoch_has_its_metrics(tracked):
    for name in ("train_loss", "validation_loss"):
        history = tracked.client.get_metric_history(tracked.record.run_id, name)
        assert [(m.step, m.value) for m in history] == [(r.epoch, getattr(r, name)) for r in tracked.fit.history]


def test_figures_and_predictions_are_artifacts_below_the_folder(tracked):
    artifacts = tracked.record.artifacts.folder
    assert artifacts.is_relative_to(Path(tracked.tracking.folder).resolve() / "artifacts")
    assert tracked.record.figures["loss_curve"].startswith(b"\x89PNG")
    stored = pd.read_csv(artifacts / "tables" / "predictions.csv")
    pd.testing.assert_frame_equal(stored, tracked.evaluation.predictions, check_dtype=False)


def test_registered_model_predicts_the_same_in_a_fresh_process_straight_from_the_features_view(tracked, tmp_path):
    command = [sys.executable, "-c", PREDICT, tracked.tracking.uri, tracked.record.model_uri, str(tracked.database)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    predicted, our_modules = json.loads(result.stdout.splitlines()[-1])
    np.testing.assert_allclose(predicted, tracked.evaluation.predictions["predicted"], rtol=1e-5)
    assert our_modules == []  # the graph needs no class of ours
    assert "WARN" not in result.stderr.upper()


def test_model_has_signature_and_input_example(tracked):
    folder = Path(tracked.tracking.folder) / "artifacts" / "models" / model_id(tracked) / "artifacts"
    model = mlflow.models.Model.load(str(folder))
    assert str(model.signature.inputs.inputs[0]) == "Tensor('float32', (-1, 12))"
    assert str(model.signature.outputs.inputs[0]) == "Tensor('float32', (-1, 5))"
    np.testing.assert_array_equal(model.load_input_example(str(folder)), tracked.table.matrix[[0, 0]])
    version = tracked.client.get_model_version("soc_mlp", tracked.record.model_version)
    assert version.run_id == tracked.record.run_id


def model_id(tracked: Tracked) -> str:
    return logged_run(tracked).outputs.model_outputs[0].model_id


def test_run_of_the_same_inputs_is_found_and_of_others_is_not(tracked):
    assert tracked.tracking.find_run("digest-1") == tracked.record
    assert tracked.tracking.find_run("digest-2") is None


def test_run_is_not_found_in_an_empty_folder_and_nothing_is_created(tmp_path):
    assert MlflowTracking(folder=str(tmp_path)).find_run("digest-1") is None
    assert list(tmp_path.iterdir()) == []


def test_run_whose_model_files_are_gone_is_not_found(tracked):
    folder = Path(tracked.tracking.folder) / "artifacts" / "models" / model_id(tracked)
    moved = shutil.move(folder, folder.with_suffix(".moved"))
    try:
        assert tracked.tracking.find_run("digest-1") is None
    finally:
        shutil.move(moved, folder)
    assert tracked.tracking.find_run("digest-1") == tracked.record


def test_run_whose_model_version_was_deleted_is_not_found(tracked):
    tracking = tracked.tracking.model_copy(update={"registered_model": "other"})
    with tracking.run("mlp_model", "digest-3", {}, {}) as run:
        record = run.log_fit(tracked.fit, tracked.served, tracked.evaluation, {}, tracked.table.matrix[:2])
    assert tracking.find_run("digest-3") == record
    tracked.client.delete_model_version("other", record.model_version)
    assert tracking.find_run("digest-3") is None


@pytest.mark.parametrize(("error", "status"), [(ValueError("broken"), "FAILED"), (KeyboardInterrupt(), "KILLED")])
def test_run_that_does_not_finish_says_so_and_is_not_found(tracked, error, status):
    tracking = tracked.tracking.model_copy(update={"experiment": f"ends {status}"})
    with pytest.raises(type(error)), tracking.run("mlp_model", "digest-4", {}, {}):
        raise error
    found, tags = status_of_last_run(tracking, f"ends {status}")
    assert found == status
    assert tags["soc.error"].startswith(type(error).__name__)
    assert tracking.find_run("digest-4") is None
    assert mlflow.active_run() is None


def test_run_of_a_process_that_is_gone_becomes_killed_when_the_next_one_starts(tracked):
    tracking = tracked.tracking.model_copy(update={"experiment": "orphans"})
    with tracking.run("first", "d", {}, {}):
        pass
    client = tracked.client
    experiment = client.get_experiment_by_name("orphans").experiment_id
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    own = {name.replace("/", "."): value for name, value in marks().items()}
    now = int(time.time() * 1000)
    runs = {
        name: client.create_run(experiment, start, tags={**own, **tags}).info.run_id
        for name, start, tags in [
            ("gone", now, {"soc.process": str(gone.pid)}),
            ("alive", now, {}),
            ("number taken over", now, {"soc.birth": "00000000-1"}),
            ("clock set since", 1000, {}),
            ("elsewhere", now, {"soc.process": str(gone.pid), "soc.machine": "00000000"}),
        ]
    }
    with tracking.run("second", "d", {}, {}):
        pass
    found = {name: client.get_run(run_id).info.status for name, run_id in runs.items()}
    assert found == {
        "gone": "KILLED",
        "alive": "RUNNING",
        "number taken over": "KILLED",
        "elsewhere": "RUNNING",
        "clock set since": "RUNNING",
    }


def test_tracking_uri_of_the_caller_is_left_alone(tracked):
    was_set = mlflow.is_tracking_uri_set()
    with tracked.tracking.run("mlp_model", "digest-5", {}, {}):
        assert mlflow.get_tracking_uri() == tracked.tracking.uri
    assert mlflow.is_tracking_uri_set() == was_set
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_two_processes_that_start_and_log_at_once_both_keep_every_epoch(tmp_path):
    log = """
import sys
from soc_assets.tracking.store import MlflowTracking
from soc_assets.regression.models.epochs import EpochReport
with MlflowTracking(folder=sys.argv[1]).run(sys.argv[2], sys.argv[2], {"a": 1}, {}) as run:
    for epoch in range(1, 11):
        run.log_epoch(EpochReport(epoch, 10, 1.0, 1.0, 1.0, 0.5, 1e-3, 0.1))
"""
    processes = [subprocess.Popen([sys.executable, "-c", log, str(tmp_path), name]) for name in ("one", "two")]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    client = mlflow.MlflowClient(MlflowTracking(folder=str(tmp_path)).uri)
    runs = client.search_runs([client.get_experiment_by_name("soc").experiment_id])
    assert {(run.info.run_name, run.info.status) for run in runs} == {("one", "FINISHED"), ("two", "FINISHED")}
    assert all(len(client.get_metric_history(run.info.run_id, "train_loss")) == 10 for run in runs)


def test_deleted_experiment_tells_how_to_go_on(tracked):
    tracking = tracked.tracking.model_copy(update={"experiment": "deleted"})
    with tracking.run("first", "d", {}, {}):
        pass
    tracked.client.delete_experiment(tracked.client.get_experiment_by_name("deleted").experiment_id)
    with (
        pytest.raises(TrainingError, match=r"'deleted' .* was deleted. Name another one"),
        tracking.run("b", "d", {}, {}),
    ):
        pass


def test_quotes_in_the_path_of_the_working_folder_break_no_statement_of_mlflow(tmp_path, monkeypatch):
    folder = tmp_path / 'it\'s "x"'
    folder.mkdir()
    monkeypatch.chdir(folder)
    tracking = MlflowTracking(folder=str(folder / "mlruns"))
    with tracking.run("mlp_model", "d", {}, {}):
        pass
    places = [experiment.artifact_location for experiment in tracking.client().search_experiments()]
    assert all(place.startswith((folder / "mlruns/artifacts").as_uri()) for place in places)
