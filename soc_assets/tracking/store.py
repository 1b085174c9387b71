"""MLflow: where runs are kept, opening and closing them, and finding a run that need not be repeated.

What one run holds is in `soc_assets.tracking.run`; which inputs go into a digest is decided by the asset.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from soc_assets.errors import TrainingError
from soc_assets.project import Project
from soc_assets.runtime.process import is_gone, this_machine
from soc_assets.storage.files import replacing
from soc_assets.storage.tracked_database import LOCK, copy_of, is_there, keep_copy, require_whole
from soc_assets.storage.write_errors import translate_write_errors
from soc_assets.tracking.client import (
    fetch_all_pages,
    flatten_params,
    import_mlflow,
    log_params,
    require_answer,
    tracking_uri,
)
from soc_assets.tracking.relocated import follow_the_folder
from soc_assets.tracking.run import RunRecord, TrackedRun, read_record
from soc_assets.tracking.run_tags import environment_tags

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

DIGEST_TAG = "soc.inputs_digest"
_MACHINE_TAG, _ERROR_TAG = "soc.machine", "soc.error"
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}  # the UI then shows runs, not chats


class MlflowTracking(BaseModel):
    """MLflow in a folder (a SQLite database for runs and the registry, plain files for artifacts), or on a server."""

    folder: str = Field(description="Folder of mlflow.db and artifacts/, absolute.")
    server: str | None = Field(
        None, description="A tracking server that has runs and artifacts, instead of the folder."
    )
    experiment: str = Field("soc", description="Experiment that holds the runs.")
    registered_model: str = Field("soc_mlp", description="Name in the model registry.")

    @property
    def uri(self) -> str:
        """Tracking and registry URI, as `mlflow ui --backend-store-uri` takes it."""
        return self.server or f"sqlite:///{self._database.as_posix()}"

    @property
    def where(self) -> str:
        """The server, or the database in the folder."""
        return self.server or str(self._database)

    @property
    def exists(self) -> bool:
        """Whether anything can have been tracked yet."""
        return bool(self.server) or is_there(self._database)

    @property
    def _database(self) -> Path:
        return Path(self.folder).resolve() / "mlflow.db"

    def client(self) -> "MlflowClient":
        """A client of the database, which is told where its folder is now, or of the server.

        Raises:
            StorageError: the server does not answer; the database is lost, or is an older one (see
                `soc_assets.storage.tracked_database`); or that of a folder that was moved cannot be written.
        """
        if self.server:
            require_answer(self.server)
        else:
            require_whole(self._database)
            follow_the_folder(self._database)
            if self._database.is_file() and not copy_of(self._database).is_file():
                self.remember(only_if_possible=True)
        return import_mlflow().MlflowClient(self.uri)

    def remember(self, only_if_possible: bool = False) -> None:
        """Make the second copy of the folder's database, after something in it has changed for good."""
        folder = self._database.parent
        if not self.server and (os.access(folder, os.W_OK) or not only_if_possible):
            keep_copy(self._database)

    @contextmanager
    def run(
        self, name: str, inputs_digest: str, params: Mapping[str, Any], tags: Mapping[str, str]
    ) -> Iterator[TrackedRun]:
        """One run: FINISHED when the block ends, FAILED when it raises, KILLED when it is interrupted.

        Args:
            name: shown in MLflow, for example `mlp_model`.
            inputs_digest: digest of everything that decides the result; `find_run` looks for it.
            params: settings; may be nested (`{"training": {"epochs": 50}}` becomes `training.epochs`).
            tags: digests and labels, for example of the features, of the spec, `weights`: pretrained or random.

        Raises:
            TrainingError: the experiment was deleted in MLflow.
            StorageError: the folder cannot be written, or the server does not answer.
        """
        with translate_write_errors(self._database.parent), tracking_uri(self.uri) as mlflow:
            if not self.server:
                self._make_database()
            client = self.client()
            experiment_id = self._experiment_id(client)
            _end_orphans(client, experiment_id, self.registered_model)
            every_tag = {**environment_tags(), **tags, DIGEST_TAG: inputs_digest}
            run_id = mlflow.start_run(experiment_id=experiment_id, run_name=name, tags=every_tag).info.run_id
            try:
                log_params(client, run_id, flatten_params(params))
                yield TrackedRun(client, run_id, self.registered_model)
            except BaseException as error:
                client.set_tag(run_id, _ERROR_TAG, f"{type(error).__name__}: {error}"[:1000])
                _take_back(client, run_id, self.registered_model)
                mlflow.end_run("FAILED" if isinstance(error, Exception) else "KILLED")
                raise
            mlflow.end_run()
            self.remember()

    def find_run(self, inputs_digest: str) -> RunRecord | None:
        """The newest finished run of these inputs whose registered model and files still exist, or None."""
        if not self.exists:
            return None
        client = self.client()
        experiment = client.get_experiment_by_name(self.experiment)
        if experiment is None:
            return None
        runs = client.search_runs(
            [experiment.experiment_id],
            f"tags.`{DIGEST_TAG}` = '{inputs_digest}' and attributes.status = 'FINISHED'",
            order_by=["attributes.end_time DESC"],
        )
        records = (read_record(client, run.info.run_id, self.registered_model) for run in runs)
        return next((record for record in records if record), None)

    def all_runs(self) -> "list[tuple[Run, str | None]]":
        """Every run of the experiment, the newest first, with the registered model that came of it."""
        if not self.exists:
            return []
        client = self.client()
        experiment = client.get_experiment_by_name(self.experiment)
        if experiment is None:
            return []
        name = self.registered_model
        found = fetch_all_pages(lambda token: client.search_model_versions(f"name = '{name}'", page_token=token))
        models = {version.run_id: f"models:/{name}/{version.version}" for version in reversed(found)}
        runs = fetch_all_pages(lambda token: client.search_runs([experiment.experiment_id], page_token=token))
        return [(run, models.get(run.info.run_id)) for run in runs]

    def reject(self, record: RunRecord, why: str) -> None:
        """Mark a run as failed and take its model out of the registry; its files stay."""
        client = self.client()
        client.set_tag(record.run_id, _ERROR_TAG, why[:1000])
        client.delete_model_version(record.model_name, record.model_version)
        client.set_terminated(record.run_id, "FAILED")
        self.remember()

    def _make_database(self) -> None:
        """Make the database in one piece.

        MLflow makes it by a chain of migrations, which two first runs at once, or an interruption, leave broken.
        """
        from filelock import FileLock
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        self._database.parent.mkdir(parents=True, exist_ok=True)
        require_whole(self._database)
        with FileLock(self._database.with_name(LOCK)):
            if not self._database.is_file():
                with replacing(self._database) as temporary:
                    # a client writes the working folder into its SQL, where quotes in the path break it
                    artifacts = (self._database.parent / "artifacts").as_uri()
                    SqlAlchemyStore(f"sqlite:///{temporary.as_posix()}", artifacts)

    def _experiment_id(self, client: "MlflowClient") -> str:
        """The experiment's id; it is made with its artifacts beside the database, or where the server puts them."""
        from mlflow.exceptions import MlflowException

        experiment = client.get_experiment_by_name(self.experiment)
        if experiment is None:
            artifacts = None if self.server else (self._database.parent / "artifacts").as_uri()
            try:
                return client.create_experiment(self.experiment, tags=_EXPERIMENT_TAGS, artifact_location=artifacts)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                return self._experiment_id(client)  # another process was first
        if experiment.lifecycle_stage == "deleted":
            raise TrainingError(
                f"The MLflow experiment {self.experiment!r} in {self.where} was deleted. Name another one in "
                f"[tracking] experiment, or restore it: MLFLOW_TRACKING_URI={self.uri} mlflow experiments restore "
                f"--experiment-id {experiment.experiment_id}"
            )
        return experiment.experiment_id


def _end_orphans(client: "MlflowClient", experiment_id: str, registered_model: str) -> None:
    """Mark runs as KILLED whose process on this machine is gone, so that none stays RUNNING forever."""
    of_this_machine = f"tags.`{_MACHINE_TAG}` = '{this_machine()}' and attributes.status = 'RUNNING'"
    for run in client.search_runs([experiment_id], of_this_machine):
        tags = {name.replace(".", "/"): value for name, value in run.data.tags.items()}
        if is_gone(tags, run.info.start_time / 1000):
            _take_back(client, run.info.run_id, registered_model)
            client.set_terminated(run.info.run_id, "KILLED")


def _take_back(client: "MlflowClient", run_id: str, registered_model: str) -> None:
    """Take the model of a run that did not end well out of the registry: not all that belongs to it was logged."""
    for made in client.search_model_versions(f"name = '{registered_model}' and run_id = '{run_id}'"):
        client.delete_model_version(made.name, made.version)


def tracking_of(project: Project) -> MlflowTracking:
    """MLflow as the project's settings say."""
    tracking = project.settings.tracking
    return MlflowTracking(
        folder=str(project.mlruns),
        server=tracking.server,
        experiment=tracking.experiment,
        registered_model=tracking.registered_model,
    )
