"""Finding a version of the registered model and loading it: the champion, the newest, or one that is named."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from soc_assets.errors import TrainingError
from soc_assets.mapping.registered import Registered
from soc_assets.settings import Features, Study
from soc_assets.tracking.artifacts import folder_of
from soc_assets.tracking.champion import ALIAS, FEATURES_TAG
from soc_assets.tracking.client import leaving_the_root_logger, tracking_uri
from soc_assets.tracking.model_files import MODEL_TAG as MODEL_FILES_TAG
from soc_assets.tracking.model_files import are_whole, digest_of
from soc_assets.tracking.store import MlflowTracking

MISSING_PARAM = "fit.missing_images"
"""Parameter of a run: images that a training sample lacks at most."""
LEVEL_PARAM = "fit.level"
"""Likewise: share of samples that the intervals should cover."""
_last_loaded: dict[str, Any] = {}  # by the SHA-256 of its files; what is asked for again need not be loaded again


def load_registered(tracking: MlflowTracking, version: str | None) -> Registered:
    """Load a version.

    Args:
        tracking: MLflow as the project's settings say.
        version: its number; None takes the champion, or the newest where none was made champion.

    Raises:
        TrainingError: there is no such version, or its files are damaged.
    """
    described, folder, whole = _describe(tracking, version)
    if not whole:
        raise _damaged(described.uri, folder or tracking.where, "they are not those that were registered")
    if folder and (known := _last_loaded.get(described.files)):
        return replace(described, model=known)
    _last_loaded.clear()
    with tracking_uri(tracking.uri) as mlflow, leaving_the_root_logger():
        try:
            # by the folder: by its name MLflow writes into the folder, which may be somebody else's
            model = mlflow.pyfunc.load_model(folder.as_uri() if folder else described.uri)
        except Exception as error:  # of whatever library reads one of the files
            found = f"{type(error).__name__}: {error}".splitlines()[0]
            raise _damaged(described.uri, folder or tracking.where, found) from error
    if folder:
        _last_loaded[described.files] = model
    return replace(described, model=model)


def describe_registered(tracking: MlflowTracking, version: str | None) -> Registered:
    """As `load_registered`, without loading the model: what it was fitted on, and the digest of its files.

    Raises:
        TrainingError: there is no such version.
    """
    return _describe(tracking, version)[0]


def _describe(tracking: MlflowTracking, version: str | None) -> tuple[Registered, Path | None, bool]:
    """A version without its model, the folder of its files where there is one, and whether they are whole."""
    if not tracking.exists:
        raise TrainingError(f"There is no registered model in {tracking.where}: run `soc run` first.")
    client, name = tracking.client(), tracking.registered_model
    versions = {str(found.version): found for found in client.search_model_versions(f"name = '{name}'")}
    if not versions:
        raise TrainingError(f"There is no registered model {name!r} in {tracking.where}: run `soc run` first.")
    wanted = version or _champion(tracking, name) or max(versions, key=int)
    if wanted not in versions:
        raise TrainingError(f"{name} has no version {wanted}; there are {', '.join(sorted(versions, key=int))}.")
    run = client.get_run(str(versions[wanted].run_id))
    params, tags = run.data.params, run.data.tags
    folder = folder_of(client.get_model_version_download_uri(name, wanted))
    own = versions[wanted].tags
    described = Registered(
        model=None,
        uri=f"models:/{name}/{wanted}",
        spec=tags["soc.spec"],
        features=params.get("fit.features") or tags.get(FEATURES_TAG, "embedding"),
        most_missing=int(params[MISSING_PARAM]) if MISSING_PARAM in params else None,
        vector=Features.model_validate(_section(params, "features", ("missing", "alignment"))),
        study=Study.model_validate(_section(params, "study", ("year_from", "year_to", "time_before", "first_lag"))),
        recipe=params.get("fit.recipe") or params.get("training.recipe", "documented"),
        weights=tags.get("soc.weights", "unknown"),
        files=own.get(MODEL_FILES_TAG) or (digest_of(folder) if folder else str(versions[wanted].run_id)),
        level=float(params[LEVEL_PARAM]) if LEVEL_PARAM in params else None,
    )
    return described, folder, folder is None or are_whole(folder, own)


def _damaged(uri: str, where: Path | str, found: str) -> TrainingError:
    return TrainingError(
        f"The files of {uri} (MLmodel, data/model.pt2) in {where} cannot be used: {found}. Put the folder back from a "
        "backup, name another --version, or train again with `soc run`."
    )


def _section(params: dict[str, str], section: str, names: tuple[str, ...]) -> dict[str, str]:
    """Settings of the time of the fit."""
    return {name: params[f"{section}.{name}"] for name in names if f"{section}.{name}" in params}


def _champion(tracking: MlflowTracking, name: str) -> str | None:
    aliases = tracking.client().get_registered_model(name).aliases
    return str(aliases[ALIAS]) if ALIAS in aliases else None
