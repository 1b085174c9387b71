"""What the asset `mlp_model` does when it trains: the documented MLP, or a recipe, tracked and registered.

The asset itself is in `soc_assets.defs.assets.regression`; moving the alias `champion` in `champion`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from soc_assets.embedding.spec import Spec, all_specs
from soc_assets.features.missing import missing_images
from soc_assets.features.sql.database import read_info
from soc_assets.features.sql.groups import vector_columns
from soc_assets.geo.projection import to_metres
from soc_assets.project import Project
from soc_assets.rasters.names import names_of
from soc_assets.regression.design.data import load_features
from soc_assets.regression.design.design import columns_table
from soc_assets.regression.design.gaps import Gaps
from soc_assets.regression.evaluation import compare
from soc_assets.regression.evaluation.fit_scores import Evaluation, evaluate_fit
from soc_assets.regression.evaluation.leaderboard import leaderboard
from soc_assets.regression.evaluation.plan import fold_of_samples, merged
from soc_assets.regression.evaluation.single_split import judge_splits
from soc_assets.regression.final import RecipeFit, fit_final, recipe_candidates, serve_documented
from soc_assets.regression.inputs import evaluation_inputs
from soc_assets.regression.models.epochs import EpochReport
from soc_assets.regression.models.recipes import CHOSEN, DOCUMENTED
from soc_assets.regression.models.training import Fit, fit_mlp
from soc_assets.regression.report import evaluation_plots, fit_plots
from soc_assets.regression.report.model_card import model_card
from soc_assets.runtime import progress
from soc_assets.storage import files, scratch, vouching
from soc_assets.tracking.champion import FEATURES_TAG, MODEL_TAG, write_card
from soc_assets.tracking.registered import LEVEL_PARAM, MISSING_PARAM
from soc_assets.tracking.run import RunRecord, TrackedRun
from soc_assets.tracking.store import MlflowTracking


def train(context: dg.AssetExecutionContext, project: Project, tracking: MlflowTracking, inputs: str) -> RunRecord:
    """Train what [training] recipe names, log and register it, and write its card."""
    settings, info = project.settings, read_info(project.database)
    documented = settings.training.recipe == "documented"
    tags = {"soc.features": info["inputs"], "soc.spec": info["spec"], "soc.weights": info["weights"]}
    tags |= {**_identity(project), "dagster.run_id": context.run.run_id}
    note = f"embeddings with weights: {info['weights']}"
    with tracking.run("mlp_model", inputs, _params(project), tags) as run:
        record, evaluation, facts = (_documented if documented else _recipe)(context, project, run, note)
        run.log_dataset("features", info["inputs"], project.database, len(evaluation.predictions))
    facts = {**facts, "weights of the embedding": info["weights"], "inputs digest": inputs, "MLflow run": record.run_id}
    name = f"{record.model_name} version {record.model_version}"
    primary = settings.evaluation.primary
    write_card(record, model_card(name, facts, evaluation, _board(project), primary))
    return record


def _documented(
    context: dg.AssetExecutionContext, project: Project, run: TrackedRun, note: str
) -> tuple[RunRecord, Evaluation, dict[str, Any]]:
    settings = project.settings
    with scratch.matrices(project.database) as allocate:
        table = load_features(project.database, allocate)
        fit = fit_mlp(table, settings.training, settings.sampling.balance, _on_epoch(run))
        evaluation = _judged(project, evaluate_fit(fit, table, settings.evaluation.level))
        _log_gaps(project, run, table.sample_id[table.rows("train")])
        served, measured = serve_documented(fit, table, evaluation, _gaps(project), settings.training.seed)
        example = np.array(table.matrix[:2])
    run.client.log_param(run.run_id, "fit.dissimilarity", measured)
    record = run.log_fit(fit, served, evaluation, _figures(evaluation, note, fit, {}), example)
    hidden = ", ".join(map(str, settings.training.hidden))
    model = f"the documented MLP ({table.n_features:,} features, {hidden})"
    return record, evaluation, {"model": model, "dissimilarity": measured}


def _recipe(
    context: dg.AssetExecutionContext, project: Project, run: TrackedRun, note: str
) -> tuple[RunRecord, Evaluation, dict[str, Any]]:
    settings = project.settings.evaluation
    recipes = recipe_candidates(project.settings.training.recipe, settings, compare.tuned_recipe(project))
    design = compare.load_design(project, recipes)
    fold = fold_of_samples(compare.load_folds(project), settings.primary, design)
    options = compare.options_of(project)
    inner = settings.inner_folds
    fit = fit_final(recipes, design, fold, lambda folds: merged(folds, inner), options, _zeros(project))
    _log_gaps(project, run, design.samples["sample_id"].to_numpy()[fold >= 0])
    words = f"{fit.facts['recipe']} fitted on {int((fold >= 0).sum())} samples"
    progress.report(len(recipes) + 1, len(recipes) + 1, words, unit="step")
    evaluation = _judged(project, fit.evaluation)
    labels = {name: band.label for name, band in names_of(project).items()}
    record = run.log_fit(fit, fit.served, evaluation, _figures(evaluation, note, fit, labels), fit.example)
    columns = fit.columns.to_csv(index=False)
    run.client.log_text(run.run_id, columns, "tables/columns.csv")
    return record, evaluation, fit.facts


def _judged(project: Project, evaluation: Evaluation) -> Evaluation:
    """The evaluation with what the test split's R2 is worth."""
    places = files.read_table(project.samples("balanced"), ["sample_id", "location_id"])
    samples = places.merge(files.read_table(project.samples("samples"), ["sample_id", "longitude", "latitude"]))
    grid = compare.grid_of_project(project)
    x, y = to_metres(samples["longitude"].to_numpy(), samples["latitude"].to_numpy(), grid)
    table = samples[["sample_id", "location_id"]].assign(x=x, y=y)
    return replace(evaluation, worth=judge_splits(evaluation.predictions, table, project.settings.training.seed))


def _zeros(project: Project) -> tuple[str, ...]:
    """The kinds of features in which zeros stand for what is missing: raw point values may be zero by themselves."""
    if project.settings.features.missing == "null":
        return ()
    return ("embedding",) if project.settings.embedding.normalise == "none" else ("embedding", "point")


def _gaps(project: Project) -> Gaps:
    """Which columns of the view `features` are an image."""
    settings = project.settings
    columns = columns_table(vector_columns(_spec(project), settings.features, settings.study))
    return Gaps.fit(columns, (), _zeros(project))


def _spec(project: Project) -> Spec:
    digest = read_info(project.database)["spec"]
    [spec] = [spec for spec in all_specs(project.embeddings) if spec.digest == digest]
    return spec


def _log_gaps(project: Project, run: TrackedRun, trained_on: np.ndarray) -> None:
    """Keep how many images a training sample lacks at most: where more are missing, the model is not applicable."""
    missing = missing_images(project.database, _spec(project))
    run.client.log_param(run.run_id, MISSING_PARAM, int(missing[trained_on].max()))


def _identity(project: Project) -> dict[str, str]:
    """What the model is called in the evaluation."""
    recipe, features = project.settings.training.recipe, "+".join(project.settings.features.include)
    if recipe == "documented":
        return {MODEL_TAG: DOCUMENTED.name, FEATURES_TAG: features}
    if recipe == "chosen":
        return {MODEL_TAG: CHOSEN, FEATURES_TAG: "chosen"}
    [found] = recipe_candidates(recipe, project.settings.evaluation, compare.tuned_recipe(project))
    return {MODEL_TAG: found.name, FEATURES_TAG: found.features}


def _params(project: Project) -> dict[str, Any]:
    settings = project.settings
    return {
        "training": settings.training.model_dump(),
        "balance": settings.sampling.balance,
        "features": settings.features.model_dump(),
        "embedding": settings.embedding.model_dump(exclude={"device", "cache_mb"}),
        "study": settings.study.model_dump(),
        LEVEL_PARAM: settings.evaluation.level,
    }


def _board(project: Project) -> pd.DataFrame | None:
    path = project.results / "evaluation.parquet"
    if not vouching.is_fresh(path, evaluation_inputs(project)):
        return None
    return leaderboard(files.read_table(path), project.settings.evaluation.primary)


def _on_epoch(run: TrackedRun) -> Callable[[EpochReport], None]:
    def on_epoch(epoch: EpochReport) -> None:
        run.log_epoch(epoch)
        words = f"loss {epoch.train_loss:.3f}, validation {epoch.validation_loss:.3f} ({epoch.seconds:.1f} s)"
        progress.report(epoch.epoch, epoch.epochs, words, unit="epoch")

    return on_epoch


def _figures(evaluation: Evaluation, note: str, fit: Fit | RecipeFit, labels: Mapping[str, str]) -> dict[str, bytes]:
    every, test = evaluation.predictions, evaluation.of("test")
    observed, predicted, split = (every[name].to_numpy() for name in ("observed", "predicted", "split"))
    residual = (test["predicted"] - test["observed"]).to_numpy()
    figures = {
        "observed_predicted": fit_plots.observed_predicted(observed, predicted, split, evaluation.scores, note),
        "residual_map": fit_plots.residual_map(test["longitude"].to_numpy(), test["latitude"].to_numpy(), residual),
        "target_distribution": fit_plots.target_distribution(observed, split),
    }
    if isinstance(fit, Fit):
        return {"loss_curve": fit_plots.loss_curve(fit.history, fit.best_epoch), **figures}
    for kind in fit.importance["kind"].unique():
        figures[f"importance_{kind}"] = evaluation_plots.importance_bars(fit.importance, kind, labels=labels)
    if len(fit.dependence):
        figures["partial_dependence"] = evaluation_plots.dependence_curves(fit.dependence, labels=labels)
    return figures
