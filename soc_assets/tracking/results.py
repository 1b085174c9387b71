"""Predictions and MLflow's runs as Parquet in `data/results/`, which the views `predictions` and `runs` read."""

from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from soc_assets.integrity.invariants import of_predictions
from soc_assets.project import Project
from soc_assets.storage import files
from soc_assets.storage.vouching import vouch, warn_of, wrong
from soc_assets.tracking.run import RunRecord
from soc_assets.tracking.store import MlflowTracking, tracking_of

if TYPE_CHECKING:
    from mlflow.entities import Run

_SCORES = ("test_r2", "test_rmse", "test_mae", "validation_r2")
_RUN = "soc.mlflow_run"  # key of the run in the metadata of the predictions
_TEXT, _TIME = pa.string(), pa.timestamp("us")
_RUNS = pa.schema(
    [
        *((name, _TEXT) for name in ("run_id", "name", "status")),
        *((name, _TIME) for name in ("started", "ended")),
        *((name, _TEXT) for name in ("model", "weights", "spec", "inputs")),
        *((name, pa.float64()) for name in _SCORES),
        ("metrics", pa.map_(_TEXT, pa.float64())),
        ("params", pa.map_(_TEXT, _TEXT)),
    ]
)


def write_results(project: Project, tracking: MlflowTracking, record: RunRecord) -> None:
    """Write the predictions of a run, and all runs of the experiment."""
    stored = BytesIO(record.artifacts.read("tables/predictions.csv") or b"")
    predictions = pd.read_csv(stored, dtype={"sample_id": str, "split": str})
    predictions.insert(0, "model", record.model_uri)
    predictions.insert(0, "run_id", record.run_id)
    path, runs = project.results / "predictions.parquet", project.results / "runs.parquet"
    files.write_table(runs, pa.Table.from_pylist([_row(*run) for run in tracking.all_runs()], _RUNS))
    files.write_table(path, predictions, {_RUN: record.run_id, **vouch(path, [runs])})


def fresh_record(project: Project, inputs: str) -> RunRecord | None:
    """The run of these inputs whose model and predictions are intact on disk, or None."""
    record, path = tracking_of(project).find_run(inputs), project.results / "predictions.parquet"
    if record is None or not path.is_file():
        return None
    if not warn_of(wrong(path), f"{files.cure_of(path)} The model itself is not trained again."):
        return None
    known = files.read_metadata(path).get(_RUN)
    if known is None:  # of an earlier version
        rows = files.known_table(path, ["run_id", "sample_id"])
        known = None if rows is None or next(of_predictions(rows), "") else next(iter(rows["run_id"]), record.run_id)
    return record if known == record.run_id else None


def _row(run: "Run", model: str | None) -> dict[str, object]:
    tags, metrics = run.data.tags, dict(run.data.metrics)
    return {
        "run_id": run.info.run_id,
        "name": run.info.run_name,
        "status": run.info.status,
        "started": _time(run.info.start_time),
        "ended": _time(run.info.end_time),
        "model": model,
        "weights": tags.get("soc.weights"),
        "spec": tags.get("soc.spec"),
        "inputs": tags.get("soc.inputs_digest"),
        **{name: metrics.get(name) for name in _SCORES},
        "metrics": sorted(metrics.items()),
        "params": sorted(run.data.params.items()),
    }


def _time(milliseconds: int | None) -> datetime | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).replace(tzinfo=None)
