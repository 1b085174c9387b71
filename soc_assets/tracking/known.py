"""The model of some inputs, known from before: MLflow takes seconds to load, and mostly nothing has changed.

Only of MLflow in a folder; a server is always asked.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from soc_assets.project import Project
from soc_assets.storage.remembered import Remembered
from soc_assets.storage.tracked_database import files_of

if TYPE_CHECKING:
    from soc_assets.tracking.run import RunRecord

_NAME = "model"


class Scored(Protocol):
    """A model with its scores: a `RunRecord`, or a `KnownModel`."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """By name."""
        ...

    @property
    def model_uri(self) -> str:
        """What `mlflow.pyfunc.load_model` takes."""
        ...


@dataclass(frozen=True)
class KnownModel:
    """What is kept of a registered model whose files and predictions are intact."""

    run_id: str
    model_uri: str
    metrics: dict[str, float]


def known_model(project: Project, inputs: str) -> KnownModel | None:
    """The fresh model of these inputs, where it is known and nothing has changed since; does not load MLflow."""
    if project.settings.tracking.server:
        return None
    found = Remembered(project.answers).ask(_NAME, _question(project, inputs))
    return KnownModel(**found) if found else None


def find_model(project: Project, inputs: str) -> Scored | None:
    """A finished model of these inputs, as `MlflowTracking.find_run`."""
    if found := known_model(project, inputs):
        return found
    from soc_assets.tracking.store import tracking_of

    return tracking_of(project).find_run(inputs)


def state_of_model(project: Project, inputs: str) -> str:
    """Whether there is a model of these inputs and its predictions are intact on disk: fresh, else stale."""
    if known_model(project, inputs):
        return "fresh"
    from soc_assets.tracking.results import fresh_record

    remembered = Remembered(project.answers)
    record = fresh_record(project, inputs)
    if record and not project.settings.tracking.server and (folder := _folder_of_model(record)):
        found = KnownModel(record.run_id, record.model_uri, record.metrics)
        roots = [*files_of(project.mlruns / "mlflow.db"), *_results(project), folder]
        remembered.note(_NAME, _question(project, inputs), asdict(found), roots)
    return "fresh" if record else "stale"


def _question(project: Project, inputs: str) -> list[Any]:
    tracking = project.settings.tracking
    return [inputs, str(project.mlruns), tracking.experiment, tracking.registered_model]


def _results(project: Project) -> list[Path]:
    return [project.results / f"{name}.parquet" for name in ("predictions", "runs")]


def _folder_of_model(record: "RunRecord") -> Path | None:
    from soc_assets.tracking.artifacts import folder_of

    client = record.artifacts.client
    folder = folder_of(client.get_model_version_download_uri(record.model_name, record.model_version))
    return folder if folder and folder.is_dir() else None
