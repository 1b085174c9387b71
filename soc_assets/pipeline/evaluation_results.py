"""The results that the evaluation's report is made from: of the comparison that just ran, or of the one on disk."""

import numpy as np
import pandas as pd

from soc_assets.errors import TableError
from soc_assets.geo.projection import to_metres
from soc_assets.mapping.map_section import map_section
from soc_assets.project import Project
from soc_assets.rasters.catalog import read_table
from soc_assets.rasters.names import names_of
from soc_assets.regression.design.windows import require_windows
from soc_assets.regression.evaluation.ceiling import find_ceiling
from soc_assets.regression.evaluation.compare import (
    Compared,
    grid_of_project,
    load_design,
    load_folds,
    options_of,
    regions_of,
)
from soc_assets.regression.evaluation.engine import Done, known_fit
from soc_assets.regression.evaluation.leaderboard import verdict
from soc_assets.regression.evaluation.next_model import next_model
from soc_assets.regression.evaluation.plan import make_plan
from soc_assets.regression.evaluation.scoring import OutOfFold
from soc_assets.regression.evaluation.supplement import NAMES, Supplement
from soc_assets.regression.inputs import evaluation_inputs
from soc_assets.regression.models.recipes import candidates, compared
from soc_assets.regression.report.results import Results, best_of
from soc_assets.regression.report.sections import Section
from soc_assets.regression.report.supplement_sections import sections_of
from soc_assets.sampling.area import prediction_area
from soc_assets.storage import files, vouching

_OF_MODEL = ["scheme", "model", "features", "failed", "baseline", "unit"]  # columns beside those of a fit


def results_of(project: Project, found: Compared, predictions: pd.DataFrame) -> Results:
    """Everything that a report shows.

    Args:
        project: settings and paths.
        found: the comparison.
        predictions: of every model, as they are kept: with scheme, model, features and unit.
    """
    settings = project.settings.evaluation
    schemes = sorted(found.plan.folds, key=lambda scheme: scheme != settings.primary)
    drawn = (found.design, settings.draws, settings.seed)
    best = best_of(found.models, found.table, settings.primary)
    return Results(
        found.design,
        found.models,
        found.done,
        found.table,
        {scheme: verdict(found.models, found.table, scheme, *drawn) for scheme in schemes},
        _area(project),
        settings.level,
        settings.draws,
        settings.seed,
        find_ceiling(best, *drawn) if best else None,
        next_model(found.table, predictions, settings, project.settings.training.recipe),
        {name: band.label for name, band in names_of(project).items()},
    )


def further_sections(project: Project, found: Compared) -> list[Section]:
    """Sections on the supplementary analyses, and the newest map."""
    return [*sections_of(found.supplement, project.settings.evaluation.primary), map_section(project)]


def read_compared(project: Project) -> tuple[Compared, pd.DataFrame]:
    """The evaluation on disk and its predictions; nothing is fitted.

    Fits whose files are gone are left out: of them only importance, partial dependence and errors are not known.

    Raises:
        TableError: there is none, or it is not of the inputs and settings of now.
    """
    path = project.results / "evaluation.parquet"
    if not vouching.is_fresh(path, evaluation_inputs(project)):
        state = "is not of the inputs and settings of now" if path.is_file() else "does not exist"
        raise TableError(f"{path} {state}. `soc run --to evaluation` makes it.")
    settings, documented = project.settings.evaluation, "+".join(project.settings.features.include)
    recipes = [*compared(settings, documented), *candidates(settings)]
    require_windows(recipes, project.settings.embedding.image_size)
    design, folds, options = load_design(project, recipes), load_folds(project), options_of(project)
    design.samples["region"] = regions_of(design.samples, project.regions, settings.region_column).names
    plan = make_plan(design, folds, settings, documented)
    named = [(fit, fit.digest(design, options)) for fit in plan.fits]
    known = [(fit, name, result) for fit, name in named if (result := known_fit(project.results, name))]
    done = [Done(fit, name, result, cached=True) for fit, name, result in known]
    predictions = files.read_table(project.results / "out_of_fold.parquet")
    tables = {name: file for name in NAMES if (file := project.results / f"{name}.parquet").is_file()}
    supplement = Supplement({name: files.read_table(file) for name, file in tables.items()})
    models = _models(predictions)
    return Compared(design, plan, done, models, files.read_table(path), "", supplement), predictions


def _models(predictions: pd.DataFrame) -> list[OutOfFold]:
    """Out-of-fold predictions by scheme and model, in the order of the file."""
    found = []
    for _, rows in predictions.groupby(["scheme", "model", "features"], sort=False):
        first, own = rows.iloc[0], rows.drop(columns=_OF_MODEL).reset_index(drop=True)
        key = str(first["scheme"]), str(first["model"]), str(first["features"])
        found.append(OutOfFold(*key, own, int(first["failed"]), (), 0.0, bool(first["baseline"])))
    return found


def _area(project: Project) -> np.ndarray:
    """Places to predict [m, 2], metres."""
    grid, catalog = grid_of_project(project), read_table(project.catalog, project)
    places = prediction_area(grid, project.region, catalog, project.settings.rasters)
    return np.column_stack(to_metres(places[:, 0], places[:, 1], grid))
