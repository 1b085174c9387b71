"""The evaluation of a project: its features and folds, the fits that are planned, and the tables made of them.

Applies the regression stage to the files of a project; the assets and the command line call this. What is fitted and
how is in `soc_assets.regression`.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd

from soc_assets.embedding.inputs import read_inputs
from soc_assets.embedding.spec import Spec, find_spec
from soc_assets.embedding.spec_choices import choices_of
from soc_assets.errors import TableError, TrainingError
from soc_assets.features.sql.database import read_info
from soc_assets.features.sql.groups import group_columns, group_queries
from soc_assets.features.sql.opening import reading
from soc_assets.geo.grid import Grid
from soc_assets.geo.named_polygons import regions_of
from soc_assets.geo.projection import to_metres
from soc_assets.geo.reference_grid import reference_grid
from soc_assets.integrity.invariants import of_folds
from soc_assets.project import Project
from soc_assets.rasters.catalog import read_table
from soc_assets.regression.design.design import Design, read_design
from soc_assets.regression.design.windows import require_windows, window_groups, with_windows
from soc_assets.regression.evaluation.ceiling import PIXEL_STEP, pixel_steps
from soc_assets.regression.evaluation.engine import Done, run_fits
from soc_assets.regression.evaluation.plan import Plan, make_plan
from soc_assets.regression.evaluation.scoring import OutOfFold, out_of_fold, score_table
from soc_assets.regression.evaluation.supplement import Comparison, Supplement, make_supplement
from soc_assets.regression.finetuning.start import Start
from soc_assets.regression.models.fitted import Options
from soc_assets.regression.models.recipes import candidates, compared
from soc_assets.runtime import progress
from soc_assets.runtime.device import resolve_device
from soc_assets.sampling.folds import blocks
from soc_assets.settings.evaluation import Evaluation, Recipe
from soc_assets.storage import files
from soc_assets.storage.vouching import wrong

_log = logging.getLogger(__name__)

_SCORED = ("year", "source", "region")  # always there, with the samples in any case
_OWN = (
    "sample_id",
    "location_id",
    "longitude",
    "latitude",
    "organic_carbon",
    "multiplicity",
    "weight",
    "split",
)


@dataclass(frozen=True)
class Compared:
    """Everything an evaluation found.

    Attributes:
        design: samples and features.
        plan: the fits.
        done: the same fits with their results.
        models: out-of-fold predictions by scheme and model.
        table: the long table of scores.
        regions: a sentence that says how the regions of the table were made.
        supplement: learning curve, sources, highest values, and the choices of the documented MLP.
    """

    design: Design
    plan: Plan
    done: list[Done]
    models: list[OutOfFold]
    table: pd.DataFrame
    regions: str
    supplement: Supplement


def compare(project: Project, only_baselines: bool = False) -> Compared:
    """Run the evaluation, or its baselines alone; fits that are there already are not repeated.

    Args:
        project: settings and paths.
        only_baselines: leave out everything that is not a baseline.

    Raises:
        TrainingError: features or folds are missing.
        SamplingError: the file of regions cannot be used.
    """
    settings, documented = project.settings.evaluation, "+".join(project.settings.features.include)
    recipes = [*compared(settings, documented), *candidates(settings)]
    require_windows(recipes, project.settings.embedding.image_size)
    design, folds = load_design(project, () if only_baselines else recipes), load_folds(project)
    regions = regions_of(design.samples, project.regions, settings.region_column)
    design.samples["region"] = regions.names
    plan = make_plan(design, folds, settings, documented, only_baselines)
    table = plan.table()
    _log.info("%d fits, finished ones are kept:\n%s", len(plan.fits), table.to_string(index=False))
    progress.report(0, len(plan.fits), f"{len(table)} models and feature sets, {len(plan.fits)} fits")
    done = run_fits(plan.fits, design, project.results, options_of(project), settings.workers)
    models = out_of_fold(done)
    table = score_table(
        models, design, settings.draws, settings.seed, project.settings.study.max_oc, columns=settings.strata
    )
    supplement = Supplement()
    if not only_baselines:
        weights, pooling = read_info(project.database).get("weights", ""), project.settings.embedding.pooling
        found = Comparison(design, folds, plan.folds, done, models, table, pooling, weights)
        supplement = make_supplement(found, settings, project.results, options_of(project))
    return Compared(design, plan, done, models, table, regions.words, supplement)


def load_design(project: Project, recipes: Iterable[Recipe] = ()) -> Design:
    """Samples and every group of features, from soc.duckdb; windows, where a recipe reads them, from the rasters.

    Raises:
        TrainingError: the database is missing or empty.
        EmbeddingError: there is no spec of the settings yet.
    """
    if not project.database.is_file():
        raise TrainingError(f"{project.database} does not exist. Materialise the asset `features` first.")
    inputs, settings, grid = read_inputs(project), project.settings, grid_of_project(project)
    with reading(project.database) as connection:
        columns = connection.sql("SELECT column_name FROM (DESCRIBE samples)").fetchall()
    strata = strata_of(settings.evaluation, [name for (name,) in columns])
    seasons = [name for name in ("season_year", "season") if settings.rasters.seasonal and name not in strata]
    queries = group_queries(inputs.spec, settings.features, settings.study, [*strata, *seasons])
    named = group_columns(inputs.spec, settings.features, settings.study)
    design = read_design(project.database, queries, named, partial(to_metres, grid=grid))
    design.samples["block"] = blocks(design.samples, settings.sampling, grid)
    design.samples[PIXEL_STEP] = pixel_steps(design.samples, grid, settings.rasters, settings.study)
    return with_windows(design, project, inputs, window_groups(recipes))


def strata_of(settings: Evaluation, columns: Sequence[str]) -> list[str]:
    """The columns of `[evaluation] strata` that the samples have.

    Raises:
        TrainingError: one that is not a default is missing, or by its nature differs for every sample.
    """
    usual = Evaluation.model_fields["strata"].default
    missing = [name for name in settings.strata if name not in columns and name not in usual]
    if missing or (set(settings.strata) & {*_OWN}):
        wrong = [*missing, *(name for name in settings.strata if name in _OWN)]
        had = ", ".join(name for name in columns if name not in (*_OWN, *_SCORED))
        raise TrainingError(
            f"[evaluation] strata names {', '.join(map(repr, wrong))}, for which there can be no scores. The samples "
            f"have {had or 'no further columns'}. Correct the name, or keep the column of the soil tables by [soil] "
            'extra = ["..."] in soc.toml.'
        )
    return [name for name in settings.strata if name in columns and name not in _SCORED]


def load_folds(project: Project) -> pd.DataFrame:
    """Scheme, sample_id, fold.

    Raises:
        TrainingError: there are none.
        TableError: they are damaged, or not those of the samples studied now.
    """
    path = project.samples("folds")
    if not path.is_file():
        raise TrainingError(f"{path} does not exist. Materialise the asset `balanced_samples` first.")
    folds, balanced = files.read_table(path), files.read_table(project.samples("balanced"), ["sample_id", "split"])
    if wrong := next(of_folds(folds, balanced), ""):
        raise TableError(f"{path} is not to be believed: {wrong}. {files.cure_of(path)}")
    return folds


def grid_of_project(project: Project) -> Grid:
    """The reference grid."""
    return reference_grid(read_table(project.catalog, project), project.settings.rasters)


def tuned_recipe(project: Project) -> Recipe | None:
    """The recipe that `hyperparameters` found, or None.

    Raises:
        TableError: it is missing or damaged, or not that of the table of trials beside it.
    """
    path, table = project.results / "hyperparameters.json", project.results / "hyperparameters.parquet"
    if not path.is_file() and not table.is_file():
        return None
    if said := wrong(table):
        raise TableError(f"{said}. {files.cure_of(path)}")
    try:
        return Recipe.model_validate(json.loads(path.read_text(encoding="utf-8"))["recipe"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TableError(f"{path} cannot be read ({type(error).__name__}). {files.cure_of(path)}") from error


def options_of(project: Project) -> Options:
    """What every fit needs of the settings."""
    settings = project.settings
    return Options(
        seed=settings.evaluation.seed,
        level=settings.evaluation.level,
        device=str(resolve_device(settings.training.device)),
        sampling=settings.sampling,
        training=settings.training,
        start=Start(spec, project.checkpoint) if (spec := _spec_of(project)) else None,
        scratch=project.scratch,
    )


def _spec_of(project: Project) -> Spec | None:
    """The spec of the settings, if it is frozen."""
    return find_spec(project.embeddings, choices_of(project.settings, project.checkpoint))
