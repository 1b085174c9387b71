"""One MLflow run: its epochs, metrics, figures, tables and model, and reading it back.

Opening and closing runs, and where they are kept, is in `soc_assets.tracking.store`.
"""

import json
import tempfile
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from math import isfinite
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from soc_assets.errors import SocWarning, TrainingError
from soc_assets.regression.evaluation.fit_scores import Evaluation
from soc_assets.regression.models.epochs import EpochReport
from soc_assets.regression.models.training import Fit
from soc_assets.tracking.artifacts import Artifacts, folder_of
from soc_assets.tracking.model_files import MODEL_TAG, are_whole, digest_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature
    from torch import nn

    from soc_assets.regression.final import RecipeFit


_MODEL_TAGS = (
    "soc.weights",
    "soc.spec",
    "soc.features",
    "soc.model",
    "soc.features_set",
)  # of the run, repeated with the registered model


@dataclass(frozen=True)
class RunRecord:
    """A tracked run: its metrics and parameters, its registered model, and its files."""

    run_id: str
    metrics: dict[str, float]
    params: dict[str, str]
    model_name: str
    model_version: str
    artifacts: Artifacts

    @property
    def model_uri(self) -> str:
        """What `mlflow.pyfunc.load_model` takes."""
        return f"models:/{self.model_name}/{self.model_version}"

    @property
    def figures(self) -> dict[str, bytes]:
        """The run's figures, PNG bytes by name."""
        names = [name for name in self.artifacts.names("figures") if name.endswith(".png")]
        return {PurePosixPath(name).stem: self.artifacts.read(name) or b"" for name in names}


class TrackedRun:
    """A run in progress, made by `soc_assets.tracking.store.MlflowTracking.run`."""

    def __init__(self, client: "MlflowClient", run_id: str, registered_model: str):
        self.run_id = run_id
        self.client = client
        self._registered_model = registered_model

    def log_epoch(self, report: EpochReport) -> None:
        """Log one epoch as a batch of metrics; pass this method to `fit_mlp` as `on_epoch`."""
        values = {
            "train_loss": report.train_loss,
            "validation_loss": report.validation_loss,
            "epoch_validation_rmse": report.validation_rmse,
            "epoch_validation_r2": report.validation_r2,
            "learning_rate": report.learning_rate,
            "epoch_seconds": report.seconds,
        }
        self._log_metrics(values, step=report.epoch)

    def log_fit(
        self,
        fit: "Fit | RecipeFit",
        served: "nn.Module",
        evaluation: Evaluation,
        figures: Mapping[str, bytes],
        example: np.ndarray,
    ) -> RunRecord:
        """Log final metrics, figures, predictions and the model, and register the model.

        Args:
            fit: the finished fit.
            served: its graph from raw features to the columns of `soc_assets.regression.models.served`.
            evaluation: its predictions and scores, logged as `test_r2`, `test_rmse`, ..., `baseline_test_r2`, ...
            figures: PNG bytes by name; `loss_curve` becomes figures/loss_curve.png.
            example: one or more rows of raw features, float32 [k, d]; two are kept as the model's input example.

        Raises:
            TrainingError: the model cannot be found after it was logged.
        """
        self._log_facts(fit)
        self._log_metrics(_final_metrics(fit, evaluation), step=0)
        self._log_files(figures, evaluation)
        self._log_model(served, example)
        record = read_record(self.client, self.run_id, self._registered_model)
        if record is None:
            raise TrainingError(f"MLflow did not keep the model of run {self.run_id}. Look for space on the disk.")
        return record

    def log_dataset(self, name: str, digest: str, source: Path, rows: int) -> None:
        """Say what the model was trained on, so that the MLflow UI shows it beside the run.

        Args:
            name: of the table or view.
            digest: of its inputs; MLflow keeps the first 36 characters.
            source: the file.
            rows: how many samples the model was trained and tested on.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag

        where, profile = json.dumps({"uri": source.as_uri()}), json.dumps({"num_rows": rows})
        made = Dataset(name, digest[:36], "local", where, profile=profile)
        self.client.log_inputs(self.run_id, [DatasetInput(made, [InputTag("mlflow.data.context", "training")])])

    def _log_metrics(self, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(key, value, now, step) for key, value in values.items() if isfinite(value)]
        self.client.log_batch(self.run_id, metrics=metrics)

    def _log_facts(self, fit: "Fit | RecipeFit") -> None:
        from mlflow.entities import Param

        names = ("best_epoch", "stopped_early", "validated", "visits", "device")
        facts = {name: getattr(fit, name) for name in names} if isinstance(fit, Fit) else fit.facts
        params = [Param(f"fit.{name}", str(value)[:6000]) for name, value in facts.items()]
        self.client.log_batch(self.run_id, params=params)

    def _log_files(self, figures: Mapping[str, bytes], evaluation: Evaluation) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for part in ("figures", "tables"):
                (folder / part).mkdir()
            for figure, png in figures.items():
                (folder / "figures" / f"{figure}.png").write_bytes(png)
            evaluation.predictions.to_csv(folder / "tables" / "predictions.csv", index=False)
            self.client.log_artifacts(self.run_id, str(folder))

    def _log_model(self, served: "nn.Module", example: np.ndarray) -> None:
        """Log the graph as a torch.export graph, which needs neither pickle nor this package to be loaded."""
        from mlflow.pytorch import log_model

        n_features = example.shape[1]
        info = log_model(
            served.eval(),
            name=self._registered_model,
            signature=_signature(n_features),
            input_example=np.resize(example, (2, n_features)).astype(np.float32),  # one row would freeze the batch size
            pip_requirements=[f"{name}=={version(name).split('+')[0]}" for name in ("mlflow", "numpy", "torch")],
            serialization_format="pt2",
            validate_serving_input=False,  # it would load the graph again, only to ask what it was exported with
        )
        self._register(info.model_uri, info.model_id)

    def _register(self, source: str, model_id: str | None) -> None:
        """Make a version of the registered model (log_model would do it too, but print)."""
        from mlflow.exceptions import MlflowException
        from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

        name, client = self._registered_model, self.client
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        tags = {key: value for key, value in client.get_run(self.run_id).data.tags.items() if key in _MODEL_TAGS}
        words = f"on embeddings with weights: {tags['soc.weights']}" if "soc.weights" in tags else None
        made = client.create_model_version(name, source, self.run_id, tags, description=words, model_id=model_id)
        if folder := folder_of(client.get_model_version_download_uri(name, str(made.version))):
            client.set_model_version_tag(name, str(made.version), MODEL_TAG, digest_of(folder))
        if model_id:  # the tag links the logged model to its version in the MLflow UI
            link = json.dumps([{"name": name, "version": made.version}])
            client.set_logged_model_tags(model_id, {MLFLOW_MODEL_VERSIONS: link})


def read_record(client: "MlflowClient", run_id: str, registered_model: str) -> RunRecord | None:
    """A run with its newest version of the registered model; None where none is left whose files are whole."""
    versions = client.search_model_versions(f"name = '{registered_model}' and run_id = '{run_id}'")
    run = client.get_run(run_id)
    for made in sorted(versions, key=lambda found: int(found.version), reverse=True):
        if _holds_model(client.get_model_version_download_uri(registered_model, str(made.version)), made.tags, client):
            return RunRecord(
                run_id=run_id,
                metrics=dict(run.data.metrics),
                params=dict(run.data.params),
                model_name=registered_model,
                model_version=str(made.version),
                artifacts=Artifacts(run_id, run.info.artifact_uri or "", client),
            )
    return None


def _holds_model(uri: str, tags: Mapping[str, str], client: "MlflowClient") -> bool:
    if folder := folder_of(uri):
        whole = are_whole(folder, tags)
        if not whole and folder.is_dir():
            words = f"Files of the registered model in {folder} are missing or damaged: it counts as missing."
            warnings.warn(words, SocWarning, stacklevel=3)
        return whole
    from mlflow.artifacts import list_artifacts

    found = list_artifacts(artifact_uri=uri, tracking_uri=client.tracking_uri)
    return "MLmodel" in {PurePosixPath(item.path).name for item in found}


def _signature(n_features: int) -> "ModelSignature":
    """Features in; predicted, lower, upper, dissimilarity, applicable out."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    from soc_assets.regression.models.served import COLUMNS

    number = np.dtype(np.float32)
    return ModelSignature(
        inputs=Schema([TensorSpec(number, (-1, n_features))]),
        outputs=Schema([TensorSpec(number, (-1, len(COLUMNS)))]),
    )


def _final_metrics(fit: "Fit | RecipeFit", evaluation: Evaluation) -> dict[str, float]:
    """Scores of every split, r2 and rmse of the baseline (see `Evaluation`), seconds, last over first training loss."""
    metrics: dict[str, float] = {"fit_seconds": fit.seconds}
    if isinstance(fit, Fit):
        first, last = fit.history[0].train_loss, fit.history[-1].train_loss
        metrics["loss_growth"] = last / first if first > 0 else 1.0
    for split, found in evaluation.scores.items():
        metrics |= {f"{split}_{key}": float(value) for key, value in vars(found).items()}
        baseline = evaluation.baseline[split]
        metrics |= {f"baseline_{split}_r2": baseline.r2, f"baseline_{split}_rmse": baseline.rmse}
    return metrics | (evaluation.worth.metrics() if evaluation.worth else {})
