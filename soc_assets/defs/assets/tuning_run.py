"""What the asset `hyperparameters` does: search, keep the best recipe, show how the search went."""

from typing import Any

import dagster as dg
import numpy as np

from soc_assets.defs.ui import report
from soc_assets.project import Project
from soc_assets.regression.evaluation import compare
from soc_assets.regression.evaluation.plan import fold_of_samples, merged
from soc_assets.regression.evaluation.tuning import searched_sets, tune
from soc_assets.regression.models.recipes import NAMED
from soc_assets.regression.report import tuning_plots as plots
from soc_assets.storage import files
from soc_assets.storage.vouching import vouch


def run_tuning(context: dg.AssetExecutionContext, project: Project, inputs: str) -> None:
    """Run the trials that are missing, and write hyperparameters.json and hyperparameters.parquet (last)."""
    settings, design, results = project.settings.evaluation, compare.load_design(project), project.results
    fold = fold_of_samples(compare.load_folds(project), settings.primary, design)
    rows = np.flatnonzero(fold >= 0)
    sets = searched_sets(settings)
    found = tune(
        design,
        rows,
        merged(fold[rows], settings.inner_folds),
        NAMED["mlp"],
        sets,
        settings.trials,
        project.scratch / "hyperparameters.db",
        inputs,
        compare.options_of(project),
    )
    stored = {"recipe": found.recipe.model_dump(mode="json"), "r2": found.r2, "importance": found.importance}
    files.write_json(results / "hyperparameters.json", stored)
    path = results / "hyperparameters.parquet"
    stored = {files.INPUTS: inputs, **vouch(path, [results / "hyperparameters.json"])}
    files.write_table(path, found.trials.astype({"state": "str"}), stored)


def tuning_metadata(project: Project) -> dict[str, Any]:
    """What the UI shows of the search on disk."""
    import json

    results = project.results
    stored = json.loads((results / "hyperparameters.json").read_text(encoding="utf-8"))
    trials = files.read_table(results / "hyperparameters.parquet")
    metadata: dict[str, Any] = {
        "recipe": stored["recipe"],
        "r2_in_the_inner_folds": stored["r2"],
        "trials": len(trials),
        "pruned": int((trials["state"] == "PRUNED").sum()),
        "history": report.picture(plots.search_history(trials)),
        "best": report.table(trials.sort_values("value", ascending=False).head(10).round(4)),
        "storage": dg.MetadataValue.path(str(project.scratch / "hyperparameters.db")),
    }
    if stored["importance"]:
        metadata["importance"] = report.picture(plots.parameter_importance(stored["importance"]))
    return metadata
