"""`gpu_executor`: one name and one config for three engines; pods and Ray jobs get a GPU where a step needs one."""

import dagster as dg
import pytest

from soc_assets.definitions import build_definitions, defs
from soc_assets.defs.execution import gpu_executor, passed_on, set_pool_limit
from soc_assets.errors import SettingsError
from soc_assets.project import load_project
from soc_assets.runtime import gpus
from soc_assets.settings import Execution
from soc_assets_tests.small_project import SmallProject

ON_DEVICE = {"embeddings", "mlp_model"}


@pytest.mark.parametrize("engine", ["local", "ray", "k8s"])
def test_executor_of_every_engine_is_the_default_of_the_code_location_and_explains_its_config(engine):
    execution = Execution(executor=engine)
    built = build_definitions(execution=execution)
    assert isinstance(built.executor, dg.ExecutorDefinition)
    assert built.executor.name == "gpu_executor"
    fields = built.executor.config_schema.config_type.fields  # pyright: ignore[reportAttributeAccessIssue]
    assert set(fields) == {"devices", "concurrency"}
    assert all(len(field.description) > 60 for field in fields.values())


def test_launchpad_takes_devices_and_concurrency():
    job = defs.resolve_job_def("embed")
    assert job.executor_def.name == "gpu_executor"
    config = {"execution": {"config": {"devices": 2, "concurrency": 3}}}
    assert dg.validate_run_config(job, config)["execution"]["gpu_executor"]["max_concurrent"] == 3
    with pytest.raises(dg.DagsterInvalidConfigError):
        dg.validate_run_config(job, {"execution": {"config": {"gpus": 2}}})


def test_settings_and_variable_choose_the_engine(tmp_path, monkeypatch):
    config = tmp_path / "soc.toml"
    config.write_text('[execution]\nexecutor = "ray"\ndevices = 4\n')
    assert load_project(config).settings.execution.executor == "ray"
    monkeypatch.setenv("SOC_EXECUTOR", "k8s")
    chosen = load_project(config).settings.execution
    assert (chosen.executor, chosen.devices) == ("k8s", 4)
    monkeypatch.setenv("SOC_EXECUTOR", "slurm")
    with pytest.raises(SettingsError, match=r"execution.executor: .*'local', 'ray' or 'k8s' \(found 'slurm'\)"):
        load_project(config)


def engine_config(execution: Execution, config: dict) -> dict:
    """What the engine is given for this config of the Launchpad."""
    definition = gpu_executor(execution)
    full = {"devices": None, "concurrency": None, **config}
    return definition.apply_config_mapping({"config": full}).value["config"]  # pyright: ignore[reportOptionalMemberAccess]


def test_local_engine_spawns_and_limits_steps_on_a_device():
    given = engine_config(Execution(), {"devices": 2, "concurrency": 3})
    assert given["max_concurrent"] == 3
    assert list(given["start_method"]) == ["spawn"]
    assert given["tag_concurrency_limits"] == [{"key": "soc/device", "limit": 2}]


def test_ray_engine_has_its_address_and_passes_the_project_on(monkeypatch):
    monkeypatch.setenv("SOC_CONFIG", "/somewhere/soc.toml")
    monkeypatch.setenv("RAY_ADDRESS", "http://head:8265")
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", "postgresql://soc@db/soc")
    given = engine_config(Execution(executor="ray", devices=8), {"concurrency": 5})
    assert given["ray"]["address"] == "http://head:8265"
    assert {"SOC_CONFIG", "DAGSTER_POSTGRES_URL"} <= set(given["ray"]["env_vars"])
    assert {limit["key"]: limit["limit"] for limit in given["tag_concurrency_limits"]} == {
        "soc/device": 8, "soc/step": 5,
    }  # fmt: skip
    named = engine_config(Execution(executor="ray", ray_address="http://other:1"), {})
    assert named["ray"]["address"] == "http://other:1"


def test_steps_elsewhere_get_overrides_of_settings_and_keys_of_every_storage_and_nothing_else():
    wanted = ("SOC_TRAINING__EPOCHS", "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_STORAGE_CONNECTION_STRING")
    wanted += ("AWS_PROFILE", "MLFLOW_TRACKING_TOKEN")
    others = ("PATH", "HOME", "CUDA_VISIBLE_DEVICES", "_SOC_ASSETS_VISIBLE_DEVICES", "RAY_ADDRESS", "SOC_SERVE_TOKEN")
    assert passed_on(dict.fromkeys([*wanted, *others], "x")) == sorted(wanted)


def test_steps_that_need_a_device_say_so_to_ray_and_kubernetes_and_the_others_do_not():
    for name in ("prepare", "embed", "learn"):
        for node in defs.resolve_job_def(name).graph.nodes:
            tags = node.definition.tags
            assert ("soc/device" in tags, '"num_gpus": 1' in tags["dagster-ray/config"]) == (
                node.name in ON_DEVICE,
            ) * 2
            assert ("nvidia.com/gpu" in tags.get("dagster-k8s/config", "")) == (node.name in ON_DEVICE)
            assert node.definition.pool == ("gpu" if node.name in ON_DEVICE else None)


def test_pod_of_a_step_has_gpu_limit_image_and_environment(monkeypatch):
    from dagster_k8s.container_context import K8sContainerContext
    from dagster_k8s.job import DagsterK8sJobConfig, construct_dagster_k8s_job, get_user_defined_k8s_config

    monkeypatch.setenv("SOC_CONFIG", "/here/soc.toml")
    monkeypatch.setenv("SOC_TRAINING__EPOCHS", "7")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "soil")
    execution = Execution(
        executor="k8s", image="registry/soc:1", namespace="soil", env_vars=("SOC_CONFIG=/data/soc.toml",)
    )
    given = engine_config(execution, {"concurrency": 4, "devices": 2})
    assert (given["max_concurrent"], given["job_namespace"]) == (4, "soil")
    context = K8sContainerContext(namespace=given["job_namespace"], env_vars=given["env_vars"])
    for asset, wanted in (("embeddings", {"nvidia.com/gpu": "1"}), ("features", None)):
        [node] = [
            node for name in ("embed", "learn") for node in defs.resolve_job_def(name).graph.nodes if node.name == asset
        ]
        own = context.merge(K8sContainerContext(run_k8s_config=get_user_defined_k8s_config(node.definition.tags)))
        pod = construct_dagster_k8s_job(
            DagsterK8sJobConfig(given["job_image"], None, env_vars=given["env_vars"]),
            ["dagster", "api", "execute_step"],
            f"step-{asset}",
            own.run_k8s_config,
        ).to_dict()["spec"]["template"]["spec"]
        [container] = pod["containers"]
        assert container["image"] == "registry/soc:1"
        given_to_pod = {item["name"]: item["value"] for item in container["env"]}
        assert given_to_pod["SOC_CONFIG"] == "/data/soc.toml", "what the settings name goes before the run's own"
        assert (given_to_pod["SOC_TRAINING__EPOCHS"], given_to_pod["AZURE_STORAGE_ACCOUNT_NAME"]) == ("7", "soil")
        assert (container["resources"] or {}).get("limits") == wanted


def test_pool_has_as_many_slots_as_devices_and_one_on_a_cpu(fresh: SmallProject, monkeypatch):
    fresh.use()
    monkeypatch.setattr(gpus, "names", lambda *_: ["0", "1", "2"])
    with dg.DagsterInstance.get() as instance:

        def slots() -> int:
            return instance.event_log_storage.get_concurrency_info("gpu").slot_count

        assert (set_pool_limit(instance, Execution()), slots()) == (3, 3)
        assert (set_pool_limit(instance, Execution(devices=2)), slots()) == (2, 2)
        assert (set_pool_limit(instance, Execution(executor="ray", devices=16)), slots()) == (16, 16)
        monkeypatch.setattr(gpus, "names", lambda *_: [])
        assert (set_pool_limit(instance, Execution()), slots()) == (1, 1)


def test_local_engine_is_dagsters_multiprocess_executor():
    definition = gpu_executor(Execution())
    assert definition.executor_creation_fn is dg.multiprocess_executor.executor_creation_fn
