"""Folders, MLflow, what the Dagster daemon does automatically, and where steps run."""

from typing import Literal

from pydantic import Field

from soc_assets.settings.base import Section


class Paths(Section):
    """Folders. Paths are relative to the folder of soc.toml."""

    data: str = "data"
    """Everything the platform writes, except MLflow's files: a folder, or a URL that fsspec knows, such as
    `s3://bucket/prefix`, for several hosts, which read and write it there (docs/scaling.md)."""
    data_copy: str | None = None
    """Where `data` is a URL: the folder of what each host has for itself, such as soc.duckdb, on a local disk; None
    names it after the URL, in `.soc`."""
    rasters: str = "data/rasters"
    """The rasters, laid out according to the patterns in [rasters]: a folder, a zip file, `/vsizip/...`, or a URL such
    as `s3://bucket/prefix` (credentials and AWS_ENDPOINT_URL come from the environment)."""
    soil: str = "data/soil"
    """The soil tables: every CSV, workbook, Parquet file and point layer in it; a URL is copied to `.soc` first."""
    mlruns: str = "mlruns"
    """MLflow's database and artifacts."""


class Tracking(Section):
    """MLflow."""

    server: str | None = None
    """An MLflow tracking server that also serves artifacts, such as `http://mlflow:5000`, for several hosts; None keeps
    runs and models in [paths] mlruns."""
    experiment: str = "soc"
    """Name of the experiment that holds the runs."""
    registered_model: str = "soc_mlp"
    """Name in the model registry."""


class Automation(Section):
    """What the Dagster daemon does automatically; read when the code location is loaded."""

    active: bool = True
    """Whether the sensors and schedules start switched on. Each can be switched in the UI at any time."""
    cron: str = "0 2 * * *"
    """When rasters and soil files are checked for changes, and missing and stale batches are backfilled."""
    timezone: str = "UTC"
    """Time zone of cron, for example Europe/Berlin."""
    sensor_seconds: int = Field(default=60, ge=1)
    """How often new and changed files are looked for."""
    batches_per_run: int = Field(default=32, ge=1)
    """Maximum number of batches in one run of `embeddings`: the weights are loaded once for all of them."""
    max_runtime_hours: float = Field(default=24.0, gt=0)
    """A run that takes longer is terminated by the daemon, and its device is released."""
    max_retries: int = Field(default=2, ge=0)
    """How often the daemon retries a run whose process died; a step that failed with an error is not retried."""
    freshness_hours: float | None = Field(default=None, gt=0)
    """How old the last materialisation of an asset of the main job may be before Dagster's UI marks it as overdue (a
    freshness policy). None: age does not matter. A run that finds everything fresh by its digests materialises
    nothing, so set it only where new files are due."""


class Execution(Section):
    """Where steps run. SOC_EXECUTOR overrides `executor`."""

    executor: Literal["local", "ray", "k8s"] = "local"
    """local: a process per step on this machine. ray: jobs of a Ray cluster. k8s: Kubernetes jobs (docs/scaling.md)."""
    devices: int | None = Field(default=None, ge=1)
    """Steps that may hold a GPU at the same time. None: as many as this machine has (1 without a GPU); set it for ray
    and k8s."""
    concurrency: int | None = Field(default=None, ge=1)
    """Steps of a run at the same time, with or without a device. None: as many as there are cores, or as the cluster
    accepts."""
    ray_address: str = ""
    """Address of Ray's job server; by default RAY_ADDRESS or http://127.0.0.1:8265."""
    image: str = ""
    """Container image of the steps on Kubernetes; by default that of the run's pod."""
    namespace: str = ""
    """Kubernetes namespace of the steps; by default that of the run's pod."""
    env_vars: tuple[str, ...] = ()
    """Environment variables of the steps' pods, NAME or NAME=value."""
    gpu_resource: str = "nvidia.com/gpu"
    """Name of the GPU resource in Kubernetes."""
