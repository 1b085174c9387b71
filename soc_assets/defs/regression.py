"""The assets `mlp_model`, `baselines`, `evaluation` and `hyperparameters`.

`mlp_model` trains and registers with every run; the others compare models on identical folds and are made when asked
for (`soc run --to evaluation`). What they do is in `evaluation_run` and `tuning_run`.
"""

import dagster as dg
import pandas as pd

from soc_assets import freshness
from soc_assets.defs import evaluation_run, model_run, report, tuning_run
from soc_assets.defs.champion import card_of
from soc_assets.defs.conditions import after_the_last_batch
from soc_assets.defs.features import features
from soc_assets.defs.overrides import TrainingConfig, overridden
from soc_assets.defs.resources import ProjectResource, tracking_of
from soc_assets.embedding.inputs import load_inputs
from soc_assets.errors import TrainingError
from soc_assets.features.database import read_info
from soc_assets.project import Project
from soc_assets.regression.leaderboard import leaderboard

SCORES = [f"{split}_{name}" for split in ("validation", "test") for name in ("r2", "rmse", "mae", "n")]


@dg.asset(
    deps=[features],
    group_name="regression",
    kinds={"pytorch", "mlflow"},
    code_version=freshness.VERSIONS["mlp_model"],
    pool="gpu",
    automation_condition=after_the_last_batch(),
)
def mlp_model(
    context: dg.AssetExecutionContext, project: ProjectResource, config: TrainingConfig
) -> dg.MaterializeResult:
    """PyTorch MLP from features to organic carbon with an interval, registered in MLflow as `soc_mlp`.

    The documented one is fitted on the training split and stopped by the validation split; another [training] recipe is
    refitted on both. The test split is predicted once, at the end. R2 is the coefficient of determination. The
    Launchpad overrides [training] of soc.toml for one run, which MLflow records like any other.
    """
    loaded, overrides = overridden(project.load(), "training", config)
    _require_fresh_features(loaded)
    tracking = tracking_of(loaded)
    inputs = freshness.model_inputs(loaded)
    record = tracking.find_run(inputs)
    cached = record is not None
    if record is None:
        record = model_run.train(context, loaded, tracking, inputs)
    info = read_info(loaded.database)
    metadata = {name: report.picture(png) for name, png in record.figures.items()}
    scores = {name: round(record.metrics[name], 4) for name in SCORES if name in record.metrics}
    context.log.info(f"{'cached' if cached else 'trained'}: {record.model_uri}, {scores}")
    return dg.MaterializeResult(
        metadata={
            **scores,
            **metadata,
            "cached": cached,
            "overrides": overrides,
            "training": loaded.settings.training.model_dump(mode="json"),
            "weights": info["weights"],
            "spec": info["spec"],
            "model": record.model_uri,
            **card_of(record),
            "mlflow_run": record.run_id,
            "mlflow_database": dg.MetadataValue.path(str(loaded.mlruns / "mlflow.db")),
        },
        data_version=dg.DataVersion(inputs),
    )


@dg.asset(
    deps=[features],
    group_name="regression",
    kinds={"sklearn", "parquet"},
    code_version=freshness.VERSIONS["baselines"],
)
def baselines(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """Mean, coordinates, ridge, forest and boosting on the folds that every other model is compared on.

    Writes data/results/baselines.parquet, a long table of scores with 95 % intervals. Every fit is kept by the digest
    of its inputs: what is finished is not fitted again, here or in `evaluation`.
    """
    loaded = project.load()
    _require_fresh_features(loaded)
    inputs, path = freshness.evaluation_inputs(loaded, "baselines"), loaded.results / "baselines.parquet"
    cached = freshness.is_fresh(path, inputs)
    if not cached:
        evaluation_run.run_baselines(context, loaded, inputs)
    board = leaderboard(pd.read_parquet(path), loaded.settings.evaluation.primary).round(4)
    metadata = {"leaderboard": report.table(board), "table": dg.MetadataValue.path(str(path)), "cached": cached}
    return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(inputs))


@dg.asset(
    deps=[features, baselines],
    group_name="regression",
    kinds={"pytorch", "sklearn", "mlflow"},
    code_version=freshness.VERSIONS["evaluation"],
    pool="gpu",
)
def evaluation(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """Schemes x models x feature sets on identical folds: scores with intervals, prediction intervals, a report.

    Writes data/results/evaluation.parquet (a long table, also a view in soc.duckdb), out_of_fold.parquet and
    evaluation.html; one MLflow run with a child for every fit. Says plainly when a baseline wins.
    """
    loaded = project.load()
    _require_fresh_features(loaded)
    inputs, path = freshness.evaluation_inputs(loaded), loaded.results / "evaluation.parquet"
    cached = freshness.is_fresh(path, inputs)
    if not cached:
        evaluation_run.run_evaluation(context, loaded, inputs)
    metadata = evaluation_run.evaluation_metadata(loaded, loaded.settings.evaluation.primary)
    return dg.MaterializeResult(metadata={**metadata, "cached": cached}, data_version=dg.DataVersion(inputs))


@dg.asset(
    deps=[features],
    group_name="regression",
    kinds={"pytorch", "optuna"},
    code_version=freshness.VERSIONS["hyperparameters"],
    pool="gpu",
)
def hyperparameters(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """The search for an MLP recipe by Optuna, inside the training data: TPE, pruned, in a study that resumes.

    Writes the best recipe to data/results/hyperparameters.json; `[training] recipe = "tuned"` trains it. Its R2 here is
    flattered by the choice among trials.
    """
    loaded = project.load()
    _require_fresh_features(loaded)
    inputs, path = freshness.evaluation_inputs(loaded, "hyperparameters"), loaded.results / "hyperparameters.parquet"
    cached = freshness.is_fresh(path, inputs)
    if not cached:
        tuning_run.run_tuning(context, loaded, inputs)
    metadata = {**tuning_run.tuning_metadata(loaded), "cached": cached}
    return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(inputs))


def _require_fresh_features(project: Project) -> None:
    """The views show the files as they are now: a database built from others would put the wrong digest on a model."""
    embeddings = load_inputs(project, create_spec=False)
    built = read_info(project.database).get("inputs")
    if embeddings is None or built != freshness.features_inputs(project, embeddings):
        raise TrainingError("`features` is missing or older than the embeddings: materialise it first.")
