"""Finding a version of the registered model and loading it: the champion, the newest, or one that is named."""

from pathlib import Path

from soc_assets.errors import TrainingError
from soc_assets.mapping.points import Registered
from soc_assets.settings import Features, Study
from soc_assets.tracking.artifacts import folder_of
from soc_assets.tracking.champion import ALIAS, FEATURES_TAG
from soc_assets.tracking.client import tracking_uri
from soc_assets.tracking.model_files import are_whole
from soc_assets.tracking.store import MlflowTracking

MISSING_PARAM = "fit.missing_images"
"""Parameter of a run: images that a training sample lacks at most."""


def load_registered(tracking: MlflowTracking, version: str | None) -> Registered:
    """Load a version.

    Args:
        tracking: MLflow as the project's settings say.
        version: its number; None takes the champion, or the newest where none was made champion.

    Raises:
        TrainingError: there is no such version, or its files are damaged.
    """
    client, name = tracking.client(), tracking.registered_model
    versions = {str(found.version): found for found in client.search_model_versions(f"name = '{name}'")}
    if not versions:
        raise TrainingError(f"There is no registered model {name!r} in {tracking.where}: run `soc run` first.")
    wanted = version or _champion(tracking, name) or max(versions, key=int)
    if wanted not in versions:
        raise TrainingError(f"{name} has no version {wanted}; there are {', '.join(sorted(versions, key=int))}.")
    uri = f"models:/{name}/{wanted}"
    run = client.get_run(str(versions[wanted].run_id))
    params, tags = run.data.params, run.data.tags
    folder = folder_of(client.get_model_version_download_uri(name, wanted))
    if folder and not are_whole(folder, versions[wanted].tags):
        raise _damaged(uri, folder, "they are not those that were registered")
    with tracking_uri(tracking.uri) as mlflow:
        try:
            # by the folder: by its name MLflow writes into the folder, which may be somebody else's
            model = mlflow.pyfunc.load_model(folder.as_uri() if folder else uri)
        except Exception as error:  # of whatever library reads one of the files
            raise _damaged(uri, folder or tracking.where, f"{type(error).__name__}: {error}".splitlines()[0]) from error
    return Registered(
        model=model,
        uri=uri,
        spec=tags["soc.spec"],
        features=params.get("fit.features") or tags.get(FEATURES_TAG, "embedding"),
        most_missing=int(params[MISSING_PARAM]) if MISSING_PARAM in params else None,
        vector=Features.model_validate(_section(params, "features", ("missing", "alignment"))),
        study=Study.model_validate(_section(params, "study", ("year_from", "year_to", "time_before", "first_lag"))),
    )


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
