"""An evaluation in MLflow: one parent run with the scores and figures, and a child run for every fit.

What one run of a model holds is in `soc_assets.tracking.run`, where runs are kept in `soc_assets.tracking.store`.
"""

import time
from math import isfinite
from typing import TYPE_CHECKING, Any

from soc_assets.features.sql.database import read_info
from soc_assets.project import Project
from soc_assets.regression.evaluation.compare import Compared
from soc_assets.regression.evaluation.engine import Done
from soc_assets.regression.evaluation.leaderboard import leaderboard
from soc_assets.regression.metrics import scores
from soc_assets.storage.access import local_copy
from soc_assets.tracking.store import MlflowTracking

if TYPE_CHECKING:
    from mlflow import MlflowClient

_MOST_METRICS = 900  # MLflow takes 1,000 a batch


def log_evaluation(
    tracking: MlflowTracking, project: Project, compared: Compared, words: dict[str, str], inputs: str, dagster_run: str
) -> str:
    """Log everything; returns the id of the parent run.

    Args:
        tracking: MLflow as the project's settings say.
        project: settings and paths; the report and the figures are written already.
        compared: what the evaluation found.
        words: the verdict by scheme.
        inputs: digest of everything that decides the result.
        dagster_run: id of the run that does this.
    """
    info, evaluation = read_info(project.database), project.settings.evaluation
    every = [*compared.done, *compared.supplement.done]
    tags = {
        "soc.features": info["inputs"],
        "soc.spec": info["spec"],
        "soc.weights": info["weights"],
        "soc.kind": "evaluation",
    }
    tags |= {f"soc.verdict.{scheme}": said[:4000] for scheme, said in words.items()} | {"dagster.run_id": dagster_run}
    params = {
        "evaluation": evaluation.model_dump(mode="json", exclude={"recipes", "candidates"}),
        "fits": len(every),
    }
    with tracking.run("evaluation", inputs, params, tags) as run:
        _log_datasets(run.client, run.run_id, compared)
        _log_metrics(run.client, run.run_id, _board_metrics(compared))
        experiment = run.client.get_run(run.run_id).info.experiment_id
        for item in every:
            _log_fit(run.client, experiment, run.run_id, item)
        written = [project.results / name for name in ("evaluation.html", "evaluation.qmd", "verdict.json")]
        for path in (*written, *sorted((project.results / "figures").glob("*.png"))):
            with local_copy(path) as copy:
                run.client.log_artifact(run.run_id, str(copy), "figures" if path.suffix == ".png" else None)
        return run.run_id


def _board_metrics(compared: Compared) -> dict[str, float]:
    """Pooled scores of every model, as `block.mlp.point.r2`."""
    metrics = {}
    for scheme in compared.plan.folds:
        for row in leaderboard(compared.table, scheme).to_dict("records"):
            features = str(row["features"]).replace("+", "_").replace(":", "-")
            for name in ("r2", "r2_low", "r2_high", "rmse", "medae", "r2_log", "coverage"):
                if name in row and isfinite(float(row[name])):
                    metrics[f"{scheme}.{row['model']}.{features}.{name}"] = float(row[name])
    return metrics


def _log_metrics(client: "MlflowClient", run_id: str, values: dict[str, float]) -> None:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    metrics = [Metric(name, value, now, 0) for name, value in values.items() if isfinite(value)]
    for start in range(0, len(metrics), _MOST_METRICS):
        client.log_batch(run_id, metrics=metrics[start : start + _MOST_METRICS])


def _log_datasets(client: "MlflowClient", run_id: str, compared: Compared) -> None:
    """The feature groups with their digests, as MLflow's datasets."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    n = len(compared.design.samples)
    inputs = [
        DatasetInput(
            Dataset(group, digest, "local", "soc.duckdb", None, f'{{"num_rows": {n}}}'),
            [InputTag("mlflow.data.context", "features")],
        )
        for group, digest in compared.design.digests.items()
    ]
    client.log_inputs(run_id, datasets=inputs)


def _log_fit(client: "MlflowClient", experiment: str, parent: str, item: Done) -> None:
    fit = item.fit
    tags: dict[str, Any] = {
        "mlflow.parentRunId": parent,
        "mlflow.runName": f"{fit.scheme} {fit.number} {fit.model} {fit.features}",
        "soc.kind": "fit",
        "soc.scheme": fit.scheme,
        "soc.fold": str(fit.number),
        "soc.model": fit.model,
        "soc.features_set": fit.features,
        "soc.fit_digest": item.digest,
        "soc.cached": str(item.cached).lower(),
    }
    if item.error:
        tags["soc.error"] = item.error[:1000]
    if item.result:
        tags["soc.recipe"] = str(item.result.facts["recipe"]["name"])
    run_id = client.create_run(experiment, tags=tags).info.run_id
    if item.result:
        rows, facts = item.result.predictions, item.result.facts
        found = vars(scores(rows["observed"].to_numpy(), rows["predicted"].to_numpy()))
        values = {name: float(value) for name, value in found.items()} | {"seconds": facts["seconds"]}
        _log_metrics(client, run_id, values)
    client.set_terminated(run_id, "FINISHED" if item.result else "FAILED")
