"""What decides the model and the results of the evaluation: features, folds, and the settings of the comparison."""

from typing import Any

from soc_assets.features.sql.database import read_info
from soc_assets.geo.polygons import contents_of
from soc_assets.project import Project
from soc_assets.regression.evaluation import fold
from soc_assets.regression.evaluation.fold import decisive
from soc_assets.regression.finetuning import start
from soc_assets.settings.evaluation import ON_WINDOWS, Evaluation
from soc_assets.storage import digest

VERSIONS = {  # of the code: raise it when the output changes, and what is on disk becomes stale
    "mlp_model": "4",
    "baselines": "5",
    "evaluation": "5",
    "hyperparameters": "2",
}
SUPPLEMENT = ("learning_curve", "network_choices", "source_offsets")  # settings that only the evaluation heeds


def model_inputs(project: Project) -> str:
    """Digest of the features and of how the model is trained."""
    settings = project.settings
    built = read_info(project.database).get("inputs")
    training = settings.training
    if training.recipe == "documented":
        chosen = training.decisive()
        level = settings.evaluation.level  # of its intervals
        return digest.of_inputs(VERSIONS["mlp_model"], built, chosen, settings.sampling.balance, level)
    tuned = project.results / "hyperparameters.json"
    found = digest.of_file(tuned) if tuned.is_file() else None
    fits = digest.of_inputs(VERSIONS["mlp_model"], *_fitted(project, {"trials"}))
    return digest.of_inputs(VERSIONS["mlp_model"], training.recipe, found, fits)


def evaluation_inputs(project: Project, asset: str = "evaluation") -> str:
    """Digest of the features, the folds, and of what is compared how, for one of `RESULTS`.

    Regions and strata decide only what is scored, not what is fitted: they count for the tables alone.
    """
    if asset == "hyperparameters":
        return digest.of_inputs(VERSIONS[asset], *_fitted(project, set()))
    settings = project.settings.evaluation
    regions = [settings.region_column, contents_of(project.regions)] if project.regions else None
    supplement = [settings.model_dump(mode="json", include=set(SUPPLEMENT))] if asset == "evaluation" else []
    return digest.of_inputs(VERSIONS[asset], *_fitted(project, {"trials"}), regions, settings.strata, *supplement)


def fits_inputs(project: Project) -> str:
    """Digest of features, folds and settings, whatever is made of the fits."""
    return digest.of_values(_fitted(project, {"trials"}))


def _fitted(project: Project, left_out: set[str]) -> list[Any]:
    """What decides the fits of an evaluation."""
    settings, path = project.settings, project.samples("folds")
    built = read_info(project.database).get("inputs")
    folds = digest.of_file(path) if path.is_file() else None
    left_out = {"workers", "regions", "region_column", "strata", *SUPPLEMENT, *left_out}
    chosen = settings.evaluation.model_dump(mode="json", exclude=left_out)
    for name in ("recipes", "candidates"):
        chosen[name] = [{"name": recipe.name, **decisive(recipe)} for recipe in getattr(settings.evaluation, name)]
    documented = settings.evaluation.documented or any(
        recipe.model == "documented" for recipe in settings.evaluation.candidates
    )
    training = settings.training.decisive() if documented else None
    on_windows = [start.VERSION] if _reads_windows(settings.evaluation, settings.training.recipe) else []
    return [fold.VERSION, built, folds, chosen, training, settings.sampling.model_dump(), *on_windows]


def _reads_windows(evaluation: Evaluation, recipe: str) -> bool:
    """Whether a recipe that is compared or trained learns from windows."""
    named = {*evaluation.models, recipe.split(" on ")[0]}
    own = [each.model for each in (*evaluation.recipes, *evaluation.candidates)]
    return bool(set(ON_WINDOWS) & {*named, *own})
