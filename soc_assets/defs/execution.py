"""The executor `gpu_executor`: the same assets on this machine, a Ray cluster or Kubernetes.

[execution] in soc.toml, or SOC_EXECUTOR, chooses one of the three engines; all have the same two settings in the
Launchpad. Which step needs a device is said by op tags, here too.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg

from soc_assets.errors import SettingsError, SocError
from soc_assets.runtime import gpus
from soc_assets.settings import Execution
from soc_assets.settings.loading import TOKEN_VARIABLE

POOL = "gpu"
AFTER_A_CRASH = dg.RetryPolicy(max_retries=2, delay=1)  # a step whose process died, of memory for example
_STEP, _DEVICE = "soc/step", "soc/device"
_CONFIG_SCHEMA = {
    "devices": dg.Field(
        dg.Noneable(int),
        default_value=None,
        description="Most steps of this run that hold a device at once. None: as many as there are devices; the steps "
        "of all runs together never hold more than that (the pool `gpu`).",
    ),
    "concurrency": dg.Field(
        dg.Noneable(int),
        default_value=None,
        description="Most steps of this run at once, with or without a device. None: [execution] concurrency of "
        "soc.toml, or as many as the engine has room for.",
    ),
}
_DESCRIPTION = "The executor of every job of soc_assets ([execution] in soc.toml): "
_SETTINGS = "SOC_"
_PASSED_ON = (_SETTINGS, "AWS_", "GOOGLE_", "GS_", "AZURE_", "FSSPEC_", "MLFLOW_TRACKING_", "MLFLOW_S3_")
"""How the variables begin that a step elsewhere gets from its run: overrides of settings, keys of storage, MLflow."""
_INSTANCE = ("DAGSTER_HOME", "DAGSTER_POSTGRES_URL")
"""Where a Ray job finds Dagster's instance: its folder, and the database that deploy/dagster.yaml asks for."""


def tags_of_step(on_device: bool, execution: Execution | None = None) -> dict[str, Any]:
    """Op tags by which each engine gives a step a device, or none."""
    resource = (execution or Execution()).gpu_resource
    on_pod = {"container_config": {"resources": {"limits": {resource: "1"}}}} if on_device else {}
    return {
        _STEP: "device" if on_device else "cpu",
        **({_DEVICE: "gpu"} if on_device else {}),
        "dagster-ray/config": {"num_gpus": 1} if on_device else {"num_cpus": 1},
        **({"dagster-k8s/config": on_pod} if on_pod else {}),
    }


@contextmanager
def on_device(count: int = 1, wanted: str = "auto") -> Iterator[str]:
    """A device for the step (or more), as CUDA_VISIBLE_DEVICES has it, or `cpu`; users' mistakes are not retried."""
    try:
        with gpus.lent(count=1 if wanted == "cpu" else count) as names:
            yield names
    except SocError as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def passed_on(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Names of the variables that a step on another machine gets, in order; see `_PASSED_ON`. No step serves."""
    return sorted(name for name in environment if name.startswith(_PASSED_ON) and name != TOKEN_VARIABLE)


def gpu_executor(execution: Execution) -> dg.ExecutorDefinition:
    """The executor that the settings choose."""
    return {"local": _local, "ray": _ray, "k8s": _k8s}[execution.executor](execution)


def set_pool_limit(instance: dg.DagsterInstance, execution: Execution) -> int:
    """Let as many steps of all runs at once hold a device as there are; returns the number."""
    limit = execution.devices or 1 if execution.executor != "local" else gpus.slots(execution.devices)
    storage = instance.event_log_storage
    if storage.supports_global_concurrency_limits:
        known = {info.name: info.limit for info in storage.get_pool_limits()}
        if known.get(POOL) != limit:
            storage.set_concurrency_slots(POOL, limit)
    return limit


def _local(execution: Execution) -> dg.ExecutorDefinition:
    def to_engine(config: Mapping[str, Any]) -> dict[str, Any]:
        most = _concurrency(config, execution) or max(os.cpu_count() or 1, 2)
        limits = [limit for limit in _limits(config, execution) if limit["key"] != _STEP]
        return {"max_concurrent": most, "start_method": {"spawn": {}}, "tag_concurrency_limits": limits}

    return _named(dg.multiprocess_executor, to_engine, "a process per step on this machine (spawn, as CUDA needs).")


def _ray(execution: Execution) -> dg.ExecutorDefinition:
    engine = _imported("dagster_ray", "ray_executor", "ray")

    def to_engine(config: Mapping[str, Any]) -> dict[str, Any]:
        address = execution.ray_address or os.environ.get("RAY_ADDRESS") or "http://127.0.0.1:8265"
        ray = {
            "address": address,
            "env_vars": [*passed_on(), *(name for name in _INSTANCE if name in os.environ)],
        }
        return {"ray": ray, "tag_concurrency_limits": _limits(config, execution)}

    return _named(engine, to_engine, "a Ray job per step; num_gpus and num_cpus by op tags.")


def _k8s(execution: Execution) -> dg.ExecutorDefinition:
    engine = _imported("dagster_k8s", "k8s_job_executor", "k8s")

    def to_engine(config: Mapping[str, Any]) -> dict[str, Any]:
        chosen = {given.partition("=")[0] for given in execution.env_vars}
        names = (name for name in passed_on() if name.startswith(_SETTINGS) or not _in_pod_of_a_run())
        variables = [*(name for name in names if name not in chosen), *execution.env_vars]
        own = {"job_image": execution.image, "job_namespace": execution.namespace, "env_vars": variables}
        most = _concurrency(config, execution)
        return {
            **{name: value for name, value in own.items() if value},
            **({"max_concurrent": most} if most else {}),
            "tag_concurrency_limits": _limits(config, execution),
        }

    return _named(engine, to_engine, "a Kubernetes job per step; GPU limits by op tags.")


def _in_pod_of_a_run() -> bool:
    """Whether Dagster's K8sRunLauncher started this process.

    Its steps then have the run's ConfigMaps and Secrets; a key passed on by value would stand in the step's pod for all
    to read who may describe pods.
    """
    return {"KUBERNETES_SERVICE_HOST", "DAGSTER_RUN_JOB_NAME"} <= os.environ.keys()


def _named(
    engine: dg.ExecutorDefinition, to_engine: Callable[[Mapping[str, Any]], dict[str, Any]], words: str
) -> dg.ExecutorDefinition:
    return engine.configured(
        to_engine, name="gpu_executor", config_schema=_CONFIG_SCHEMA, description=_DESCRIPTION + words
    )


def _limits(config: Mapping[str, Any], execution: Execution) -> list[dict[str, Any]]:
    """Limits of steps by tag within a run, which every engine keeps."""
    given = {_DEVICE: config["devices"] or execution.devices, _STEP: _concurrency(config, execution)}
    return [{"key": key, "limit": limit} for key, limit in given.items() if limit]


def _concurrency(config: Mapping[str, Any], execution: Execution) -> int | None:
    return config["concurrency"] or execution.concurrency


def _imported(module: str, name: str, extra: str) -> dg.ExecutorDefinition:
    import importlib

    try:
        return getattr(importlib.import_module(module), name)
    except ImportError:
        raise SettingsError(
            f"executor = {extra!r} in [execution] of soc.toml needs {module}: pip install 'soc-assets[{extra}]'."
        ) from None
