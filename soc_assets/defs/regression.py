"""The asset `mlp_model`: an MLP on the features, tracked and registered in MLflow."""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg

from soc_assets import freshness, progress
from soc_assets.defs import checks, report, tables
from soc_assets.defs.conditions import after_the_last_batch
from soc_assets.defs.execution import AFTER_A_CRASH, POOL, on_device, tags_of_step
from soc_assets.defs.features import features
from soc_assets.defs.overrides import TrainingConfig, overridden
from soc_assets.defs.resources import ProjectResource, tracking_of
from soc_assets.defs.tracked_run import RunRecord, TrackedRun
from soc_assets.defs.tracking import MlflowTracking
from soc_assets.embedding.inputs import load_inputs
from soc_assets.errors import TrainingError
from soc_assets.faults import Fault, errors
from soc_assets.features.database import read_info
from soc_assets.project import Project
from soc_assets.regression import plots
from soc_assets.regression.check import CHECKS, check_run, compared
from soc_assets.regression.data import FeatureTable, load_features
from soc_assets.regression.epochs import EpochReport
from soc_assets.regression.evaluation import Evaluation, evaluate_fit
from soc_assets.regression.training import Fit, fit_mlp

SCORES = [f"{split}_{name}" for split in ("validation", "test") for name in ("r2", "rmse", "mae", "n")]


@dg.asset(
    deps=[features],
    group_name="regression",
    kinds={"pytorch", "mlflow"},
    code_version=freshness.VERSIONS["mlp_model"],
    owners=tables.OWNERS,
    check_specs=checks.MODEL_SPECS,
    pool=POOL,
    op_tags=tags_of_step(on_device=True),
    retry_policy=AFTER_A_CRASH,
    automation_condition=after_the_last_batch(),
)
def mlp_model(context: dg.AssetExecutionContext, project: ProjectResource, config: TrainingConfig) -> Iterator[Any]:
    """PyTorch MLP from the feature vector to organic carbon (g/kg), tracked and registered in MLflow.

    - **Reads** the view `features`.
    - **Writes** a run in `mlruns/mlflow.db` with its parameters, metrics, pictures and predictions, and a version of
      the registered model `soc_mlp`.
    - **Decided by** [training] in soc.toml (layers, dropout, learning rate, early stopping) and by the balancing chosen
      in [sampling]. The Launchpad overrides [training] for one run, which MLflow records like any other.

    Standardisation is fitted on the training split, early stopping looks at the validation split, and the test split is
    predicted once, at the end. R2 is the coefficient of determination: at 0 a model is no better than the mean.
    """
    with on_device(context):
        loaded, overrides = overridden(project.load(), "training", config)
        _require_fresh_features(loaded)
        tracking = tracking_of(loaded)
        inputs = freshness.model_inputs(loaded)
        record = tracking.find_run(inputs)
        cached = record is not None
        record = record or _train(context, loaded, tracking, inputs)
    weights = read_info(loaded.database)["weights"]
    faults = _faults(record, weights)
    said = f"On the test split the RMSE is {compared(record.metrics)} (embeddings with weights: {weights})."
    results = checks.fault_results(faults, CHECKS, {"better_than_mean": said})
    if grave := errors(faults):  # to train again would end the same
        tracking.reject(record, "; ".join(fault.found for fault in grave))
        yield from checks.evaluations(results, "mlp_model")
        raise dg.Failure("\n".join(fault.words for fault in grave), allow_retries=False)
    context.log.info(f"{'cached' if cached else 'trained'}: {record.model_uri}, {_scores(record)}")
    yield dg.MaterializeResult(
        metadata={**_facts(loaded, record), "cached": cached, "overrides": overrides},
        data_version=dg.DataVersion(inputs),
        check_results=results,
    )


def _faults(record: RunRecord, weights: str) -> list[Fault]:
    where = f"{record.model_uri} (MLflow run {record.run_id})"
    return check_run(where, record.metrics, int(record.params["fit.best_epoch"]), weights)


def _scores(record: RunRecord) -> dict[str, float]:
    return {name: round(record.metrics[name], 4) for name in SCORES if name in record.metrics}


def _facts(project: Project, record: RunRecord) -> dict[str, Any]:
    info = read_info(project.database)
    return {
        **_scores(record),
        **{name: report.picture(png) for name, png in record.figures.items()},
        "training": project.settings.training.model_dump(mode="json"),
        "weights": info["weights"],
        "spec": info["spec"],
        "model": record.model_uri,
        "mlflow_run": record.run_id,
        "mlflow_database": dg.MetadataValue.path(str(project.mlruns / "mlflow.db")),
        **report.uri(record.artifacts),
    }


def _require_fresh_features(project: Project) -> None:
    """The views show the files as they are now: a database built from others would put the wrong digest on a model."""
    embeddings = load_inputs(project, create_spec=False)
    built = read_info(project.database).get("inputs")
    if embeddings is None or built != freshness.features_inputs(project, embeddings):
        raise TrainingError("`features` is missing or older than the embeddings: materialise it first.")


def _train(context: dg.AssetExecutionContext, project: Project, tracking: MlflowTracking, inputs: str) -> RunRecord:
    settings, info = project.settings, read_info(project.database)
    table = load_features(project.database)
    params = {
        "training": settings.training.model_dump(),
        "balance": settings.sampling.balance,
        "features": {**settings.features.model_dump(), "n": table.n_features},
        "embedding": settings.embedding.model_dump(exclude={"device", "cache_mb"}),
        "study": settings.study.model_dump(),
    }
    tags = {"soc.features": info["inputs"], "soc.spec": info["spec"], "soc.weights": info["weights"]}
    with tracking.run("mlp_model", inputs, params, {**tags, "dagster.run_id": context.run.run_id}) as run:
        fit = fit_mlp(table, settings.training, settings.sampling.balance, _on_epoch(context, run))
        evaluation = evaluate_fit(fit, table)
        return run.log_fit(
            fit,
            evaluation,
            _figures(fit, evaluation, table, f"embeddings with weights: {info['weights']}"),
            table.matrix[:2],
        )


def _on_epoch(context: dg.AssetExecutionContext, run: TrackedRun) -> Callable[[EpochReport], None]:
    def tell(epoch: EpochReport) -> None:
        run.log_epoch(epoch)
        words = f"loss {epoch.train_loss:.3f}, validation {epoch.validation_loss:.3f} ({epoch.seconds:.1f} s)"
        progress.emit("mlp_model", epoch.epoch, epoch.epochs, words)
        context.log.info(f"epoch {epoch.epoch} of {epoch.epochs}: {words}")

    return tell


def _figures(fit: Fit, evaluation: Evaluation, table: FeatureTable, note: str) -> dict[str, bytes]:
    every, test = evaluation.predictions, evaluation.of("test")
    residual = (test["predicted"] - test["observed"]).to_numpy()
    return {
        "loss_curve": plots.loss_curve(fit.history, fit.best_epoch),
        "observed_predicted": plots.observed_predicted(
            every["observed"].to_numpy(),
            every["predicted"].to_numpy(),
            every["split"].to_numpy(),
            evaluation.scores,
            note,
        ),
        "residual_map": plots.residual_map(test["longitude"].to_numpy(), test["latitude"].to_numpy(), residual),
        "target_distribution": plots.target_distribution(table.organic_carbon, table.split),
    }
