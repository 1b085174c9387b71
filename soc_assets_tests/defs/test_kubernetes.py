"""deploy/helm-values.yaml: Dagster takes what the chart makes of it, and pods of runs and steps are valid manifests.

The chart itself is not run. How its templates turn values into dagster.yaml and into the context of a code location is
written down here as they were read (dagster-io/dagster, helm/dagster/templates and charts/dagster-user-deployments).
"""

import copy
import re
import tomllib
from pathlib import Path
from typing import Any

import dagster as dg
import kubernetes.client
import kubernetes_validate
import pytest
import yaml
from dagster._config import process_config
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.instance.config import dagster_instance_config_schema
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster_k8s import K8sRunLauncher
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import construct_dagster_k8s_job, get_user_defined_k8s_config

from soc_assets.definitions import defs
from soc_assets.project import load_project
from soc_assets.settings import Execution
from soc_assets_tests.dagster_dev import REPOSITORY
from soc_assets_tests.defs.test_execution import engine_config

VALUES = REPOSITORY / "deploy/helm-values.yaml"
PAGE = REPOSITORY / "deploy/kubernetes.md"
VERSIONS = ("1.29", "1.33", "1.37")
KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: u, user: {}}]
contexts: [{name: k, context: {cluster: c, user: u}}]
current-context: k
"""


@pytest.fixture
def values() -> dict[str, Any]:
    return yaml.safe_load(VALUES.read_text())


def snake(name: str) -> str:
    return re.sub("([A-Z])", lambda found: "_" + found[1].lower(), name)


def in_snake_case(given: Any) -> Any:
    """Keys as dagster.yaml has them; those further down are Kubernetes' own, which may keep their case."""
    return {snake(key): value for key, value in given.items()}


def launcher_config(values: dict[str, Any]) -> dict[str, Any]:
    """`run_launcher: config` of dagster.yaml."""
    given = dict(values["runLauncher"]["config"]["k8sRunLauncher"])
    run_k8s_config = in_snake_case(given.pop("runK8sConfig"))
    secrets = [item["name"] for item in given.pop("envSecrets")]
    return {
        **in_snake_case(given),
        "env_secrets": secrets,
        "run_k8s_config": run_k8s_config,
        "job_namespace": "soil",
        "service_account_name": "soc-dagster",
        "dagster_home": "/opt/dagster/dagster_home",
        "instance_config_map": "soc-dagster-instance",
        "postgres_password_secret": values["global"]["postgresqlSecretName"],
    }


def location_context(values: dict[str, Any]) -> dict[str, Any]:
    """What the code location hands on to its runs and steps."""
    [location] = values["dagster-user-deployments"]["deployments"]
    return {
        "k8s": {
            "image_pull_policy": location["image"]["pullPolicy"],
            "env_config_maps": [f"soc-dagster-user-deployments-{location['name']}-user-env"],
            "env_secrets": [item["name"] for item in location["envSecrets"]],
            "volume_mounts": location["volumeMounts"],
            "volumes": location["volumes"],
            "resources": location["resources"],
            "namespace": "soil",
            "service_account_name": "soc-dagster-user-deployments-user-deployments",
            "run_k8s_config": {"pod_spec_config": {"automount_service_account_token": True}},
        }
    }


def image(values: dict[str, Any]) -> str:
    [location] = values["dagster-user-deployments"]["deployments"]
    return f"{location['image']['repository']}:{location['image']['tag']}"


def launcher(values: dict[str, Any], folder: Path) -> K8sRunLauncher:
    """As Dagster's daemon makes it, but for a cluster that is not there."""
    (folder / "kubeconfig").write_text(KUBECONFIG)
    checked = process_config(K8sRunLauncher.config_type(), launcher_config(values))
    assert checked.success, checked.errors
    elsewhere = {"load_incluster_config": False, "kubeconfig_file": str(folder / "kubeconfig")}
    return K8sRunLauncher(**{**checked.value, **elsewhere})  # pyright: ignore[reportCallIssue]


def run_of(values: dict[str, Any], job: str) -> dg.DagsterRun:
    pointer = ModuleCodePointer("soc_assets.definitions", "defs", None)
    repository = RepositoryPythonOrigin("python", pointer, image(values), container_context=location_context(values))
    return dg.DagsterRun(job_name=job, job_code_origin=JobPythonOrigin(job, repository))


def manifest(context: K8sContainerContext, launcher: K8sRunLauncher, name: str, image: str) -> dict[str, Any]:
    """What is sent to Kubernetes."""
    config = context.get_k8s_job_config(image, launcher)
    job = construct_dagster_k8s_job(
        config, ["dagster", "api"], name, context.run_k8s_config, labels={"dagster/job": "x"}
    )
    return kubernetes.client.ApiClient().sanitize_for_serialization(job)


def manifests(values: dict[str, Any], folder: Path) -> dict[str, dict[str, Any]]:
    """The jobs of a run, of a step with a GPU and of one without."""
    made, run = launcher(values, folder), run_of(values, "embed")
    found = {"run": manifest(made.get_container_context_for_run(run), made, "dagster-run-1", image(values))}
    given = engine_config(Execution(executor="k8s"), {})
    of_steps = K8sContainerContext.create_for_run(run, made, include_run_tags=False).merge(
        K8sContainerContext(env_vars=given["env_vars"], namespace="soil")
    )
    for job, asset in (("embed", "embeddings"), ("learn", "features")):
        [node] = [node for node in defs.resolve_job_def(job).graph.nodes if node.name == asset]
        tags = K8sContainerContext(run_k8s_config=get_user_defined_k8s_config(node.definition.tags))
        found[asset] = manifest(of_steps.merge(tags), made, f"dagster-step-{asset}", image(values))
    return found


def container_of(job: dict[str, Any]) -> dict[str, Any]:
    [container] = job["spec"]["template"]["spec"]["containers"]
    return container


@pytest.mark.parametrize("version", VERSIONS)
def test_jobs_of_runs_and_steps_are_valid_manifests(values, tmp_path, version):
    for job in manifests(values, tmp_path).values():
        assert kubernetes_validate.validate(job, version, strict=True) == version


def test_a_mistake_in_the_values_is_found(values, tmp_path):
    wrong = copy.deepcopy(values)
    wrong["runLauncher"]["config"]["k8sRunLauncher"]["podSpec"] = {}
    with pytest.raises(AssertionError, match="pod_spec"):
        manifests(wrong, tmp_path)
    wrong = copy.deepcopy(values)
    wrong["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]["podSpecConfig"]["tolerations"][0]["when"] = "x"
    with pytest.raises(Exception, match="when"):
        manifests(wrong, tmp_path)
    job = manifests(values, tmp_path)["run"]
    job["spec"]["template"]["spec"]["tolerations"][0]["key"] = 7
    with pytest.raises(kubernetes_validate.ValidationError, match="7 is not of type"):
        kubernetes_validate.validate(job, "1.33", strict=True)


def test_only_a_step_on_a_device_asks_for_a_gpu_and_all_have_settings_secrets_and_room(values, tmp_path):
    made = manifests(values, tmp_path)
    limits = {name: container_of(job)["resources"]["limits"] for name, job in made.items()}
    assert limits == {
        "run": {"memory": "16Gi"},
        "embeddings": {"memory": "16Gi", "nvidia.com/gpu": "1"},
        "features": {"memory": "16Gi"},
    }
    for job in made.values():
        container, pod = container_of(job), job["spec"]["template"]["spec"]
        assert container["image"] == "registry.example/soc:1"
        sources = {item[kind]["name"] for item in container["envFrom"] for kind in item}
        assert {"soc-storage", "soc-mlflow", "soc-dagster-user-deployments-soc-assets-user-env"} <= sources
        assert {"/project", "/project/soc.toml"} <= {item["mountPath"] for item in container["volumeMounts"]}
        assert {"settings", "project"} <= {item["name"] for item in pod["volumes"]}
        assert [item["key"] for item in pod["tolerations"]] == ["nvidia.com/gpu"]
        assert (pod["securityContext"]["runAsUser"], job["spec"]["backoffLimit"]) == (1000, 0)


def test_keys_from_a_secret_are_not_written_into_the_pods_of_steps(values, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do not show")
    monkeypatch.setenv("SOC_TRAINING__EPOCHS", "7")
    given = {item["name"]: item.get("value") for item in container_of(manifests(values, tmp_path)["features"])["env"]}
    assert given["AWS_SECRET_ACCESS_KEY"] == "do not show", "a run that no pod holds passes its keys on"
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("DAGSTER_RUN_JOB_NAME", "embed")
    job = manifests(values, tmp_path)["features"]
    assert "do not show" not in str(job)
    assert {"name": "SOC_TRAINING__EPOCHS", "value": "7"} in container_of(job)["env"]


def test_code_location_has_a_valid_pod(values):
    """Its Deployment has fields that neither runs nor steps see."""
    [location] = values["dagster-user-deployments"]["deployments"]
    names = ("securityContext", "resources", "volumeMounts")
    container = {"name": "c", "image": image(values), **{name: location[name] for name in names}}
    spec = {
        "containers": [container],
        "volumes": location["volumes"],
        "securityContext": location["podSecurityContext"],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    assert kubernetes_validate.validate(pod, "1.33", strict=True)
    assert all(isinstance(value, str) for value in location["env"].values()), "a ConfigMap holds text"
    assert location["dagsterApiGrpcArgs"] == ["-m", "soc_assets.definitions"]


def test_instance_is_one_that_dagster_takes(values):
    daemon, concurrency = values["dagsterDaemon"], values["concurrency"]
    made = {
        "run_launcher": {"module": "dagster_k8s", "class": "K8sRunLauncher", "config": launcher_config(values)},
        "run_monitoring": in_snake_case(daemon["runMonitoring"]),
        "run_retries": in_snake_case(daemon["runRetries"]),
        "concurrency": {"pools": in_snake_case(concurrency["pools"]), "runs": in_snake_case(concurrency["runs"])},
        "telemetry": values["telemetry"],
    }
    checked = process_config(dagster_instance_config_schema(), made)
    assert checked.success, checked.errors


def test_first_line_says_what_was_not_run_and_the_page_fits_the_values(values, tmp_path):
    assert VALUES.read_text().splitlines()[0].startswith("# No cluster has run this file, and `helm template` was not")
    [block] = re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text(), re.S | re.M)
    (tmp_path / "soc.toml").write_text(block)
    project = load_project(tmp_path / "soc.toml")
    assert project.settings.execution.executor == "k8s"
    assert project.settings.execution.devices == values["concurrency"]["pools"]["defaultLimit"]
    assert tomllib.loads(block)["paths"]["data"].startswith("s3://")
    for name in ("soc-postgresql", "soc-storage", "soc-mlflow", "soc-toml", "helm-values.yaml"):
        assert name in PAGE.read_text()
