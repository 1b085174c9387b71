"""Which outputs are missing, stale or fresh: the digest stored with each, against that of its inputs computed now.

What decides an output's content is listed here per asset, in the order the data flows. Nothing is computed, and nothing
written but what was read of rasters whose stamps are new.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soc_assets.embedding import spec
from soc_assets.embedding.inputs import EmbeddingInputs, load_inputs
from soc_assets.errors import CheckpointError, EmbeddingError, SamplingError, SocError, SocWarning, TableError
from soc_assets.features.sql.database import read_info
from soc_assets.geo.polygons import region_files
from soc_assets.ingest.catalog.find import find_rasters
from soc_assets.ingest.soil.files import find_inputs
from soc_assets.integrity.tables import complete
from soc_assets.project import Project
from soc_assets.rasters import catalog
from soc_assets.regression.evaluation import fold
from soc_assets.runtime import progress
from soc_assets.sampling.folds import with_schemes
from soc_assets.settings import Soil, SoilLimits
from soc_assets.storage import digest, files, tracked_database, vouching
from soc_assets.storage.names import nfc

ASSETS: tuple[str, ...] = ("raster_catalog", "soil_samples", "balanced_samples", "embeddings", "features", "mlp_model")
VERSIONS = {  # of the code behind each asset: raise one when its output changes, and what is on disk becomes stale
    "raster_catalog": "3",
    "soil_samples": "4",
    "balanced_samples": "3",
    "embeddings": str(spec.VERSION),
    "features": "2",
    "mlp_model": "2",
    "baselines": "3",
    "evaluation": "3",
    "hyperparameters": "2",
}
RESULTS: tuple[str, ...] = (
    "baselines",
    "evaluation",
    "hyperparameters",
)  # made when asked for; `soc run` alone does not
INPUTS = "soc.inputs"  # key of the digest in a Parquet file's metadata
FILES = "soc.files"  # key of the digests of the soil files that were read, as JSON
SPLIT = "soc.split"  # key of the digest of the settings that decide the split, in splits.parquet
CONTENT = "soc.content"  # key of the digest of what the file says, for what is made from it


@dataclass(frozen=True)
class Freshness:
    """State of one asset: missing, stale or fresh; for embeddings also how many batches are done."""

    asset: str
    state: str
    done: int = 1
    total: int = 1

    @property
    def fresh(self) -> bool:
        """Whether nothing is to be done."""
        return self.state == "fresh"


def catalog_inputs(project: Project, contents: Mapping[str, str] | None = None) -> str:
    """Digest of the rasters' places and bytes, and of how they are read; not of the folder that the project is in.

    Args:
        project: settings and paths.
        contents: digest of each raster by its path; None takes `raster_contents`.
    """
    contents = raster_contents(project) if contents is None else contents
    placed = sorted((catalog.name_of(path, project), content) for path, content in contents.items())
    return _digest("raster_catalog", project.settings.rasters.model_dump(mode="json"), placed)


def raster_contents(project: Project) -> dict[str, str]:
    """Digest of each raster's bytes by its path; only those are read whose stamps differ from all known of them."""
    found = find_rasters(project.settings.rasters, project.rasters)
    return catalog.contents_now(
        [file.path for file in found],
        project.catalog,
        project,
        lambda done, total: progress.emit("rasters", done, total, "compared with what was read"),
    )


def soil_inputs(project: Project) -> str:
    """Digest of the soil files' bytes, of how they are read, and of the reference grid."""
    settings = project.settings
    contents = list(soil_contents(project).items())
    grid = files.read_metadata(project.catalog).get("soc.grid")
    return _digest(
        "soil_samples",
        _told(settings.soil),
        settings.rasters.timed,
        settings.rasters.seasonal,
        contents,
        grid,
    )


def _told(soil: Soil) -> dict[str, object]:
    """[soil] without limits that are the usual ones: a file within them reads the same under any."""
    usual = SoilLimits().model_dump()
    return {name: value for name, value in soil.model_dump(mode="json").items() if usual.get(name, ...) != value}


def soil_contents(project: Project) -> dict[str, str]:
    """Digest of each soil file's bytes, by name."""
    return {nfc(path.name): digest.of_file(path) for path in find_inputs(project.soil)}


def sampling_inputs(project: Project) -> str:
    """Digest of the samples and of what the study asks of them."""
    study = project.settings.study
    sampling = with_schemes(project.settings.sampling, project.settings.evaluation)
    chosen = study.model_dump(
        include={"year_from", "year_to", "max_oc", "region", "location", "id_metres", "location_metres"}
    )
    region = _contents(project.region)
    samples = files.read_metadata(project.samples("samples")).get(CONTENT)
    grid = files.read_metadata(project.catalog).get("soc.grid")
    return _digest("balanced_samples", chosen, sampling.model_dump(), region, samples, grid)


def split_inputs(project: Project) -> str:
    """Digest of the settings that decide the split: with others, every place is drawn anew."""
    sampling = project.settings.sampling
    return digest.of_values(
        [sampling.seed, sampling.validation_fraction, sampling.test_fraction, project.settings.study.location]
    )


def features_inputs(project: Project, embeddings: EmbeddingInputs) -> str:
    """Digest of the batches as they are on disk, the samples' splits, and how missing images are treated."""
    batches = [(key, *_stored(embeddings, key)) for key in embeddings.keys]
    tables = [files.read_metadata(project.samples(name)).get(CONTENT) for name in ("samples", "balanced")]
    study = project.settings.study.model_dump(include={"year_from", "year_to", "first_lag"})
    chosen = project.settings.features.model_dump()
    return _digest("features", embeddings.spec.digest, batches, tables, chosen, study)


def built_here(project: Project) -> str | None:
    """Digest of what the database was built from; "moved" where its paths are those of another folder."""
    info = read_info(project.database)
    return info.get("inputs") if info.get("data", str(project.data)) == str(project.data) else "moved"


def model_inputs(project: Project) -> str:
    """Digest of the features and of how the model is trained."""
    settings = project.settings
    built = read_info(project.database).get("inputs")
    training = settings.training
    if training.recipe == "documented":
        return _digest("mlp_model", built, training.model_dump(exclude={"device", "recipe"}), settings.sampling.balance)
    tuned = project.results / "hyperparameters.json"
    found = digest.of_file(tuned) if tuned.is_file() else None
    fits = _digest("mlp_model", *_fitted(project, {"trials"}))
    return _digest("mlp_model", training.recipe, found, fits)


def evaluation_inputs(project: Project, asset: str = "evaluation") -> str:
    """Digest of the features, the folds, and of what is compared how, for one of `RESULTS`.

    Regions and strata decide only what is scored, not what is fitted: they count for the tables alone.
    """
    if asset == "hyperparameters":
        return _digest(asset, *_fitted(project, set()))
    regions = [project.settings.evaluation.region_column, _contents(project.regions)] if project.regions else None
    return _digest(asset, *_fitted(project, {"trials"}), regions, project.settings.evaluation.strata)


def _fitted(project: Project, left_out: set[str]) -> list[Any]:
    """What decides the fits of an evaluation."""
    settings, path = project.settings, project.samples("folds")
    built = read_info(project.database).get("inputs")
    folds = digest.of_file(path) if path.is_file() else None
    left_out = {"workers", "regions", "region_column", "strata", *left_out}
    chosen = settings.evaluation.model_dump(mode="json", exclude=left_out)
    training = settings.training.model_dump(exclude={"device", "recipe"}) if settings.evaluation.documented else None
    return [fold.VERSION, built, folds, chosen, training, settings.sampling.model_dump()]


def _contents(region: Path | None) -> list[str] | None:
    """Digests of the files of polygons that a setting names."""
    return [digest.of_file(path) for path in region_files(region)] if region else None


def is_tracked(project: Project) -> bool:
    """Whether MLflow can hold anything of the project; asks neither Dagster nor MLflow, which take seconds to load."""
    return bool(project.settings.tracking.server) or tracked_database.is_there(project.mlruns / "mlflow.db")


def is_fresh(path: Path, inputs: str) -> bool:
    """Whether a table was made from inputs of this digest, and it and what was written with it are as they were."""
    whole = vouching.warn_of(vouching.wrong(path), files.cure_of(path))
    return whole and files.read_metadata(path).get(INPUTS) == inputs


def assess(project: Project, trained: Callable[[str], str] | None = None, to: str = ASSETS[-1]) -> list[Freshness]:
    """State of every asset up to one, in order; what depends on something stale or missing is not fresh either.

    Args:
        project: settings and paths.
        trained: says the model's state, given the digest of its inputs; None counts it as missing.
        to: the last asset wanted; nothing is asked about later ones.
    """
    tables = {
        "raster_catalog": (project.catalog, catalog_inputs),
        "soil_samples": (project.samples("samples"), soil_inputs),
        "balanced_samples": (project.samples("balanced"), sampling_inputs),
    }
    wanted = ASSETS[: ASSETS.index(to) + 1]
    result = [_table(project, name, *tables[name]) for name in wanted if name in tables]
    if len(wanted) > len(tables):
        result += _rest(project, trained if to == ASSETS[-1] else None)[: len(wanted) - len(tables)]
    for index, item in enumerate(result[1:], start=1):
        if item.fresh and not result[index - 1].fresh:
            result[index] = Freshness(item.asset, "stale", item.done, item.total)
    return result


def assess_results(project: Project, states: list[Freshness] | None = None) -> list[Freshness]:
    """State of what is made when asked for, if the features are fresh; else stale or missing.

    Args:
        project: settings and paths.
        states: of the other assets, where they are known.
    """
    features = next(item for item in states or assess(project, to="features") if item.asset == "features")
    results = []
    for asset in RESULTS:
        path = project.results / f"{asset}.parquet"
        fresh = features.fresh and is_fresh(path, evaluation_inputs(project, asset))
        results.append(Freshness(asset, "fresh" if fresh else "stale" if path.is_file() else "missing"))
    return results


def known_embeddings(project: Project) -> EmbeddingInputs | None:
    """The embeddings' inputs, or None where there are none yet, a table is damaged or the checkpoint is not there."""
    try:
        return load_inputs(project, create_spec=False)
    except (TableError, SamplingError) as error:
        warnings.warn(str(error), SocWarning, stacklevel=2)
        return None
    except (CheckpointError, EmbeddingError):
        return None


def _rest(project: Project, trained: Callable[[str], str] | None) -> list[Freshness]:
    embeddings = known_embeddings(project)
    if embeddings is None:  # of an unknown number of batches
        state = "stale" if next(project.embeddings.glob("[!.]*/batch_*.parquet"), None) else "missing"
        return [Freshness("embeddings", state, 0, 0), *(Freshness(name, "missing") for name in ASSETS[4:])]
    states = list(embeddings.states().values())
    done = states.count("fresh")
    of_batches = "fresh" if done == len(states) else "missing" if set(states) == {"missing"} else "stale"
    built = built_here(project)
    features = "missing" if not built else "fresh" if built == features_inputs(project, embeddings) else "stale"
    model = "missing" if features == "missing" or not trained else trained(model_inputs(project))
    return [
        Freshness("embeddings", of_batches, done, len(states)),
        Freshness("features", features),
        Freshness("mlp_model", model),
    ]


def _table(project: Project, asset: str, path: Path, inputs: Callable[[Project], str]) -> Freshness:
    """State of tables; inputs that are not there are for the asset to complain about, not for the status."""
    if not path.is_file():
        return Freshness(asset, "missing")
    try:
        fresh = complete(project, asset) and files.read_metadata(path).get(INPUTS) == inputs(project)
    except SocError:
        fresh = False
    return Freshness(asset, "fresh" if fresh else "stale")


def _stored(embeddings: EmbeddingInputs, key: str) -> tuple[str | None, str | None]:
    stored = files.read_metadata(embeddings.path(key))
    return stored.get(INPUTS), stored.get("soc.labels")


def _digest(asset: str, *values: Any) -> str:
    return digest.of_values([VERSIONS[asset], *values])
