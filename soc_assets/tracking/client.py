"""MLflow's client within its limits: quiet, a page or a batch at a time, and not waiting minutes for a server."""

import logging
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from soc_assets.errors import StorageError

if TYPE_CHECKING:
    from mlflow import MlflowClient

_LONGEST_PARAM = 6000  # characters, MLflow's limit
_PARAMS_PER_BATCH = 100  # MLflow's limit
_ANSWER_SECONDS = 10
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def require_answer(server: str) -> None:
    """MLflow itself would retry for minutes; any answer, even a refusal, shows that the server is there."""
    try:
        urllib.request.urlopen(f"{server.rstrip('/')}/health", timeout=_ANSWER_SECONDS).close()
    except urllib.error.HTTPError:
        return
    except (OSError, ValueError) as error:
        raise StorageError(
            f"The MLflow server {server} does not answer ({error}). Start it, or correct `server` in [tracking] of "
            "soc.toml; without the setting MLflow is a folder."
        ) from error


def fetch_all_pages(ask: Callable[[str | None], Any]) -> list[Any]:
    """All results of a search that gives a page at a time."""
    found, token = [], None
    while True:
        page = ask(token)
        found += page
        token = page.token
        if not token:
            return found


def import_mlflow() -> Any:
    """mlflow, without usage reports, addresses and progress bars unless the user wants them, nor messages on tables."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import mlflow

    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)  # environments that uv makes have no pip
    return mlflow


@contextmanager
def tracking_uri(uri: str) -> Iterator[Any]:
    """MLflow with this global tracking URI for the time of a block: models are logged and loaded in no other way."""
    mlflow = import_mlflow()
    before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
    mlflow.set_tracking_uri(uri)
    try:
        yield mlflow
    finally:
        mlflow.set_tracking_uri(before)  # pyright: ignore[reportArgumentType] - None is how MLflow unsets it


@contextmanager
def leaving_the_root_logger() -> Iterator[None]:
    """Importing MLflow's module for torch gives the root logger a handler, which would print all that is logged."""
    root = logging.getLogger()
    before = list(root.handlers)
    try:
        yield
    finally:
        root.handlers[:] = before


def log_params(client: "MlflowClient", run_id: str, values: Mapping[str, Any]) -> None:
    """Log parameters, cut to the longest text that MLflow takes."""
    from mlflow.entities import Param

    params = [Param(key, str(value)[:_LONGEST_PARAM]) for key, value in values.items()]
    for start in range(0, len(params), _PARAMS_PER_BATCH):
        client.log_batch(run_id, params=params[start : start + _PARAMS_PER_BATCH])


def flatten_params(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level: `{"training": {"epochs": 50}}` becomes `training.epochs`."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= flatten_params(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat
