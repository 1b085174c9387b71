"""The assets `mlp_model`, `baselines`, `evaluation` and `hyperparameters`.

`mlp_model` trains and registers with every run; the others compare models on identical folds and are made on request
(`soc run --to evaluation`). What they do is in `model_run`, `evaluation_run` and `tuning_run`.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from soc_assets.defs.assets import evaluation_run, model_run, tuning_run
from soc_assets.defs.assets.features import features, require_fresh_features
from soc_assets.defs.automation.conditions import after_the_last_batch
from soc_assets.defs.execution import AFTER_A_CRASH, POOL, on_device, tags_of_step
from soc_assets.defs.overrides import TrainingConfig, overridden
from soc_assets.defs.reporting import reporting, reporting_as
from soc_assets.defs.resources import ProjectResource
from soc_assets.defs.ui import checks, report, tables
from soc_assets.features.sql.database import read_info
from soc_assets.pipeline.assets import VERSIONS
from soc_assets.project import Project
from soc_assets.regression.check import (
    BASELINE_CHECKS,
    CHECKS,
    EVALUATION_CHECKS,
    TUNING_CHECKS,
    check_evaluation,
    check_fits,
    check_run,
    check_search,
    compared,
)
from soc_assets.regression.evaluation.interval_scores import interval_scores
from soc_assets.regression.evaluation.leaderboard import leaderboard
from soc_assets.regression.evaluation.single_split import BY_PLACE
from soc_assets.regression.inputs import evaluation_inputs, model_inputs
from soc_assets.reporting.findings import Finding, errors
from soc_assets.storage import files, vouching
from soc_assets.tracking.champion import promote
from soc_assets.tracking.results import write_results
from soc_assets.tracking.run import RunRecord
from soc_assets.tracking.store import tracking_of

_OF_A_SPLIT = ("r2", "r2_low", "r2_high", "rmse", "mae", "n")
SCORES = [*(f"{split}_{name}" for split in ("validation", "test") for name in _OF_A_SPLIT), BY_PLACE]


@dg.asset(
    deps=[features],
    group_name="regression",
    kinds={"pytorch", "mlflow"},
    code_version=VERSIONS["mlp_model"],
    owners=tables.OWNERS,
    check_specs=checks.MODEL_SPECS,
    pool=POOL,
    op_tags=tags_of_step(on_device=True),
    retry_policy=AFTER_A_CRASH,
    automation_condition=after_the_last_batch(ProjectResource()),
)
def mlp_model(context: dg.AssetExecutionContext, project: ProjectResource, config: TrainingConfig) -> Iterator[Any]:
    """The model from features to organic carbon (g/kg) with an interval, tracked and registered in MLflow.

    The documented MLP, or whatever else the evaluation ranks: other networks, forests, boosting, ridge. All are served
    as one PyTorch graph with the same columns.

    - **Reads** the view `features`; with another [training] recipe than `documented` all feature groups and the folds.
    - **Writes** a run in MLflow (`mlruns/mlflow.db`, or the server of [tracking]) with its parameters, metrics,
      figures, predictions and model card, and a version of the registered model `soc_mlp`; the alias `champion` moves
      if it is significantly better.
    - **Decided by** [training] in soc.toml (layers, dropout, learning rate, early stopping), the balancing chosen in
      [sampling] and the level of [evaluation]. The Launchpad overrides [training] for one run, which MLflow records
      like any other.

    Standardisation is fitted on the training split, early stopping looks at the validation split (a recipe is refitted
    on both), and the test split is predicted once, at the end. R2 is the coefficient of determination: at 0 a model is
    no better than the mean.
    """
    with reporting_as("mlp_model", context), on_device():
        loaded, overrides = overridden(project.load(), "training", config)
        require_fresh_features(loaded)
        tracking = tracking_of(loaded)
        inputs = model_inputs(loaded)
        record = tracking.find_run(inputs)
        cached = record is not None
        record = record or model_run.train(context, loaded, tracking, inputs)
    weights = read_info(loaded.database)["weights"]
    findings = _findings(record, weights)
    said = f"On the test split the RMSE is {compared(record.metrics)} (embeddings with weights: {weights})."
    results = checks.finding_results(findings, CHECKS, {"better_than_mean": said})
    if grave := errors(findings):  # training again would end the same way
        tracking.reject(record, "; ".join(finding.found for finding in grave))
        yield from checks.evaluations(results, context.asset_key)
        raise dg.Failure("\n".join(finding.words for finding in grave), allow_retries=False)
    write_results(loaded, tracking, record)
    decision = promote(loaded, tracking, record)
    context.log.info(f"{'cached' if cached else 'trained'}: {record.model_uri}, {_scores(record)}. {decision}")
    yield dg.MaterializeResult(
        metadata={**_facts(loaded, record), "cached": cached, "overrides": overrides, "champion": decision},
        data_version=dg.DataVersion(inputs),
        check_results=results,
    )


@dg.asset(
    deps=[features],
    group_name="regression",
    kinds={"sklearn", "parquet"},
    op_tags=tags_of_step(on_device=False),
    code_version=VERSIONS["baselines"],
    owners=tables.OWNERS,
    check_specs=checks.BASELINE_SPECS,
)
@reporting
def baselines(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """Mean, coordinates, ridge, forest and boosting on the folds that every other model is compared on.

    - **Reads** soc.duckdb and the folds of `balanced_samples`.
    - **Writes** `data/results/baselines.parquet`, a long table of scores with 95 % intervals, and `fits/`: every fit is
      kept by the digest of its inputs and never fitted again, here or in `evaluation`.
    - **Decided by** [evaluation] in soc.toml.
    """
    loaded = project.on_cpu()
    require_fresh_features(loaded)
    inputs, path = evaluation_inputs(loaded, "baselines"), loaded.results / "baselines.parquet"
    cached = vouching.is_fresh(path, inputs)
    if not cached:
        evaluation_run.run_baselines(context, loaded, inputs)
    table = files.read_table(path)
    board = leaderboard(table, loaded.settings.evaluation.primary)
    metadata = {
        "leaderboard": report.table(board.round(4)),
        "table": dg.MetadataValue.path(str(path)),
        "cached": cached,
    }
    return dg.MaterializeResult(
        metadata=metadata,
        data_version=dg.DataVersion(inputs),
        check_results=checks.finding_results(check_fits(str(path), table), BASELINE_CHECKS),
    )


@dg.asset(
    deps=[features, baselines],
    group_name="regression",
    kinds={"pytorch", "sklearn", "mlflow"},
    code_version=VERSIONS["evaluation"],
    owners=tables.OWNERS,
    check_specs=checks.EVALUATION_SPECS,
    pool=POOL,
    op_tags=tags_of_step(on_device=True),
    retry_policy=AFTER_A_CRASH,
)
@reporting
def evaluation(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """Schemes x models x feature sets on identical folds: scores with intervals, prediction intervals, a report.

    - **Reads** soc.duckdb and the folds of `balanced_samples`.
    - **Writes** `evaluation.parquet` in `data/results` (a long table, also a view in soc.duckdb), predictions, the
      supplementary analyses (`learning_curve`, `source_offsets`, `highest_values`, `network_choices`) and the
      report `evaluation.html`; one MLflow run with a child for every fit.
    - **Decided by** [evaluation] in soc.toml, and the file of its `regions`, by which nothing is fitted again.

    Says plainly when a baseline wins or leads, and moves the alias `champion` if a registered model is surely better.
    """
    loaded = project.load()
    require_fresh_features(loaded)
    inputs, path = evaluation_inputs(loaded), loaded.results / "evaluation.parquet"
    cached = vouching.is_fresh(path, inputs)
    if not cached:
        with on_device():
            evaluation_run.run_evaluation(context, loaded, inputs)
    metadata = evaluation_run.evaluation_metadata(loaded, loaded.settings.evaluation.primary)
    return dg.MaterializeResult(
        metadata={**metadata, "cached": cached},
        data_version=dg.DataVersion(inputs),
        check_results=_evaluation_checks(loaded),
    )


@dg.asset(
    deps=[features],
    group_name="regression",
    kinds={"pytorch", "optuna"},
    code_version=VERSIONS["hyperparameters"],
    owners=tables.OWNERS,
    check_specs=checks.TUNING_SPECS,
    pool=POOL,
    op_tags=tags_of_step(on_device=True),
    retry_policy=AFTER_A_CRASH,
)
@reporting
def hyperparameters(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """The search for an MLP recipe by Optuna, inside the training data: TPE, pruned, in a study that resumes.

    - **Reads** soc.duckdb and the folds of `balanced_samples`.
    - **Writes** the best recipe to `data/results/hyperparameters.json`; `[training] recipe = "tuned"` trains it.
    - **Decided by** [evaluation] trials and candidates in soc.toml.

    The R2 that it shows is optimistic because of the selection among trials; `evaluation` is free of that.
    """
    loaded = project.load()
    require_fresh_features(loaded)
    inputs, path = evaluation_inputs(loaded, "hyperparameters"), loaded.results / "hyperparameters.parquet"
    cached = vouching.is_fresh(path, inputs)
    if not cached:
        with on_device():
            tuning_run.run_tuning(context, loaded, inputs)
    metadata = {**tuning_run.tuning_metadata(loaded), "cached": cached}
    return dg.MaterializeResult(
        metadata=metadata,
        data_version=dg.DataVersion(inputs),
        check_results=checks.finding_results(check_search(str(path), metadata["r2_in_the_inner_folds"]), TUNING_CHECKS),
    )


def _findings(record: RunRecord, weights: str) -> list[Finding]:
    where = f"{record.model_uri} (MLflow run {record.run_id})"
    return check_run(where, record.metrics, int(record.params.get("fit.best_epoch", 1)), weights)


def _evaluation_checks(project: Project) -> list[dg.AssetCheckResult]:
    settings, path = project.settings.evaluation, project.results / "evaluation.parquet"
    table = files.read_table(path)
    board, intervals = leaderboard(table, settings.primary), interval_scores(table, settings.primary)
    findings, said = check_evaluation(str(path), board, intervals, settings.level)
    return checks.finding_results([*check_fits(str(path), table), *findings], EVALUATION_CHECKS, said)


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
        **report.card(record),
        "mlflow_run": record.run_id,
        "mlflow": report.link(tracking_of(project)),
        "dagster/uri": record.artifacts.uri,
    }
