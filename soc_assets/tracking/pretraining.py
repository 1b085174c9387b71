"""A pre-training in MLflow: settings, the loss curve, pictures."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from soc_assets.project import Project
from soc_assets.tracking.store import MlflowTracking


def log_pretraining(
    tracking: MlflowTracking,
    project: Project,
    inputs: str,
    curve: pd.DataFrame,
    facts: Mapping[str, Any],
    figures: Iterable[Path],
    dagster_run: str,
) -> str:
    """Log a finished pre-training; returns the id of its run.

    Args:
        tracking: MLflow as the project's settings say.
        project: settings and paths.
        inputs: digest of everything that decides the weights.
        curve: a row per evaluation.
        facts: model, sizes, device, seconds.
        figures: PNG files.
        dagster_run: id of the run that does this.
    """
    from mlflow.entities import Metric

    params = {"pretraining": project.settings.pretraining.model_dump(mode="json"), "made": dict(facts)}
    tags = {"soc.kind": "pretraining", "dagster.run_id": dagster_run}
    with tracking.run("pretrained_encoder", inputs, params, tags) as run:
        metrics = [
            Metric(name, float(row[name]), 0, int(row["step"]))
            for row in curve.to_dict("records")
            for name in curve.columns
            if name != "step"
        ]
        for start in range(0, len(metrics), 900):
            run.client.log_batch(run.run_id, metrics=metrics[start : start + 900])
        for figure in figures:
            run.client.log_artifact(run.run_id, str(figure), "figures")
        return run.run_id
