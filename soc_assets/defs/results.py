"""Predictions and MLflow's runs as Parquet in `data/results/`, which the views `predictions` and `runs` read."""

from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from soc_assets import files
from soc_assets.defs.tracked_run import RunRecord
from soc_assets.defs.tracking import MlflowTracking
from soc_assets.project import Project

if TYPE_CHECKING:
    from mlflow.entities import Run

_SCORES = ("test_r2", "test_rmse", "test_mae", "validation_r2")
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
    files.write_table(project.data / "results" / "predictions.parquet", predictions)
    rows = [_row(*run) for run in tracking.all_runs()]
    files.write_table(project.data / "results" / "runs.parquet", pa.Table.from_pylist(rows, _RUNS))


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
