"""Two studies in one deployment: nothing of one is the other's, and both run."""

import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from soc_assets.components import SocProject
from soc_assets.defs.automation import backfill
from soc_assets.errors import SettingsError
from soc_assets.pipeline.assets import ASSETS
from soc_assets_tests.test_definitions import GROUPS

pytestmark = pytest.mark.usefixtures("undrawn", "unserved")

TYPE = "type: soc_assets.components.SocProject"
NORTH = f"""{TYPE}
attributes:
  key_prefix: north
  settings_file: {{settings}}
  batches_per_run: 3
"""
SOUTH = f"""{TYPE}
attributes:
  key_prefix: europe/south
  group_prefix: south
  automation: false
  settings:
    study: {{max_oc: 77}}
    sampling: {{batch_size: 16, block_size: 8}}
    embedding: {{image_size: 16, device: cpu}}
    training: {{hidden: [8, 4], epochs: 1, device: cpu}}
"""
DEFINITIONS = """
from pathlib import Path

from dagster import definitions, load_from_defs_folder


@definitions
def defs():
    return load_from_defs_folder(path_within_project=Path(__file__).parent)
"""


def write_defs(folder: Path, **studies: str) -> None:
    for name, text in studies.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "defs.yaml").write_text(text)


def write_package(folder: Path, package: str, **studies: str) -> None:
    """A Dagster project as `create-dagster` writes it, with a study per folder of its defs."""
    write_defs(folder / package / "defs", **studies)
    (folder / package / "__init__.py").touch()
    (folder / package / "defs/__init__.py").touch()
    (folder / package / "definitions.py").write_text(DEFINITIONS)
    words = ["[tool.dg]", 'directory_type = "project"', "[tool.dg.project]", f'root_module = "{package}"']
    (folder / "pyproject.toml").write_text("\n".join(words))


@pytest.fixture
def studies(templates, tmp_path, monkeypatch, instance) -> dg.Definitions:
    """A project with two studies: the northern one was embedded by `soc run`, the southern one lies in the package."""
    package = f"studies_{tmp_path.name}"
    north = templates.copy("embedded", tmp_path / "north")
    written = f"../../../{north.config.relative_to(tmp_path)}"
    write_package(tmp_path, package, north=NORTH.format(settings=written), south=SOUTH)
    templates.copy("empty", tmp_path / "other").root.joinpath("data").rename(tmp_path / package / "defs/south/data")
    monkeypatch.syspath_prepend(tmp_path)
    return dg.load_from_defs_folder(path_within_project=tmp_path / package)


@pytest.fixture
def instance(tmp_path) -> dg.DagsterInstance:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as found:  # loading definitions asks the one entered last
        yield found


def run(defs: dg.Definitions, instance: dg.DagsterInstance, job: str, **tags: str) -> dg.ExecuteInProcessResult:
    result = defs.resolve_job_def(job).execute_in_process(instance=instance, tags=tags)
    assert result.success
    return result


def whole(keys: list[str]) -> dict[str, str]:
    return {backfill.RANGE_START: keys[0], backfill.RANGE_END: keys[-1]}


def after_prepare(studies: dg.Definitions, instance: dg.DagsterInstance) -> Any:
    """One tick of the southern study's sensor."""
    repository, name = studies.get_repository_def(), "europe__south__project"
    resources = {name: repository.get_top_level_resources()[name]}
    context = dg.build_sensor_context(instance, resources=resources, repository_def=repository)
    return repository.get_sensor_def("europe__south__embed_after_prepare").evaluate_tick(context)


def test_every_name_has_the_prefix_of_its_study(studies):
    specs = {spec.key.to_user_string(): spec for spec in studies.resolve_all_asset_specs()}
    assert set(specs) == {f"{prefix}/{name}" for prefix in ("north", "europe/south") for name in GROUPS}
    assert {specs[f"north/{name}"].group_name for name in GROUPS} == {f"north_{group}" for group in GROUPS.values()}
    assert specs["europe/south/features"].group_name == "south_features"
    assert [dep.asset_key.to_user_string() for dep in specs["europe/south/embeddings"].deps] == [
        "europe/south/batch_inputs"
    ]
    repository = studies.get_repository_def()
    named = [
        *(job.name for job in repository.get_all_jobs() if job.name != "__ASSET_JOB"),
        *(found.name for found in (*repository.sensor_defs, *repository.schedule_defs)),
        *(spec.partitions_def.name for spec in specs.values() if spec.partitions_def),
        *repository.get_top_level_resources(),
    ]
    assert {name.rpartition("__")[0] for name in named} == {"north", "europe__south"}
    status = {sensor.name: sensor.default_status for sensor in repository.sensor_defs}
    assert status["north__new_files"] == dg.DefaultSensorStatus.RUNNING
    assert status["europe__south__new_files"] == dg.DefaultSensorStatus.STOPPED
    [embed] = [job for job in repository.get_all_jobs() if job.name == "north__embed"]
    assert embed.executor_def.name == "gpu_executor"
    graph = studies.resolve_asset_graph()
    pools = {key.to_user_string(): studies.resolve_assets_def(key).op.pool for key in graph.materializable_asset_keys}
    assert pools["north/embeddings"] == pools["europe/south/mlp_model"] == "gpu"  # one for all: there is one device
    north, south = (graph.get(dg.AssetKey(key)) for key in (["north", "embeddings"], ["europe", "south", "embeddings"]))
    assert (north.backfill_policy.max_partitions_per_run, south.backfill_policy.max_partitions_per_run) == (3, 32)


def test_both_studies_run_and_nothing_collides(studies, instance, tmp_path):
    run(studies, instance, "north__prepare")
    batches = list(instance.get_dynamic_partitions("north__batch"))
    assert len(batches) == 4
    assert (instance.get_dynamic_partitions("batch"), instance.get_dynamic_partitions("europe__south__batch")) == (
        [],
        [],
    )
    run(studies, instance, "north__embed", **whole(batches))
    record = instance.get_latest_materialization_event(dg.AssetKey(["north", "embeddings"]))
    assert record.asset_materialization.metadata["cached"].value is True  # by `soc run`, under the bare name
    run(studies, instance, "north__learn")
    said = after_prepare(studies, instance).skip_message  # of the north's tables it takes no notice
    assert said == "Not all of catalog, samples and batches have been materialised."
    run(studies, instance, "europe__south__prepare")
    south = list(instance.get_dynamic_partitions("europe__south__batch"))
    of_north = studies.resolve_job_def("north__embed")
    instance.create_run_for_job(of_north, tags=whole(batches), status=dg.DagsterRunStatus.STARTED)
    [request] = after_prepare(studies, instance).run_requests  # such batches are under way, in the north
    assert (request.job_name, request.tags[backfill.BATCHES]) == (
        "europe__south__embed",
        "batch_0001 to batch_0004 (4)",
    )
    run(studies, instance, "europe__south__embed", **whole(south))
    run(studies, instance, "europe__south__learn")
    models = [
        instance.get_latest_materialization_event(dg.AssetKey([*prefix, "mlp_model"])).asset_materialization.metadata
        for prefix in (["north"], ["europe", "south"])
    ]
    assert [found["model"].value for found in models] == [
        "models:/north__soc_mlp/1",
        "models:/europe__south__soc_mlp/1",
    ]
    roots = [tmp_path / "north", next(tmp_path.glob("studies_*")) / "defs/south"]
    assert all((root / name).is_file() for root in roots for name in ("data/soc.duckdb", "mlruns/mlflow.db"))
    for prefix, root in zip((["north"], ["europe", "south"]), roots, strict=True):
        for name in ASSETS:
            event = instance.get_latest_materialization_event(dg.AssetKey([*prefix, name]))
            assert event, (prefix, name)
        assert str(root) in event.asset_materialization.metadata["dagster/uri"].value
        lineage = instance.get_latest_materialization_event(dg.AssetKey([*prefix, "features"])).asset_materialization
        columns = lineage.metadata["dagster/column_lineage"].value.deps_by_column
        assert {dep.asset_key.path[:-1] == prefix for deps in columns.values() for dep in deps} == {True}


def test_dg_finds_the_component():
    [found] = metadata.entry_points(group="dagster_dg_cli.registry_modules", name="soc_assets")
    assert found.load().SocProject is SocProject


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"key_prefix": "north sea"}, "key_prefix is letters, digits and underscores"),
        ({"key_prefix": "north", "batches_per_run": 0}, "greater than or equal to 1"),
    ],
)
def test_wrong_attributes_are_refused(attributes, said):
    with pytest.raises(ValueError, match=said):
        SocProject(**attributes)


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ("settings_file: nowhere/soc.toml", r"nowhere/soc\.toml does not exist"),
        ("settings: {study: {max_c: 77}}", r"\[study\] has no key 'max_c'; the nearest is max_oc"),
    ],
)
def test_wrong_settings_are_refused_when_the_component_loads(attributes, said, tmp_path, monkeypatch, instance):
    package = f"wrong_{tmp_path.name}"  # imported, so no two may have one name
    write_package(tmp_path, package, wrong=f"{TYPE}\nattributes: {{key_prefix: north, {attributes}}}")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Exception, match="Error while building definitions") as refused:
        dg.load_from_defs_folder(path_within_project=tmp_path / package).get_repository_def()
    causes = [refused.value, refused.value.__cause__, refused.value.__context__]
    assert any(isinstance(cause, SettingsError) and re.search(said, str(cause)) for cause in causes)


@pytest.mark.slow
def test_a_scaffolded_project_takes_two_studies_and_dg_launches_them(templates, tmp_path):
    north = templates.copy("empty", tmp_path / "north")
    variables = {**os.environ, "DAGSTER_DISABLE_TELEMETRY": "yes", "HOME": str(tmp_path), "COLUMNS": "200"}
    variables |= {"DAGSTER_HOME": str(tmp_path / "home"), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    (tmp_path / "home").mkdir()

    def command(*words: str, at: Path) -> str:
        done = subprocess.run(words, cwd=at, env=variables, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    command("create-dagster", "project", "studies", "--no-uv-sync", at=tmp_path)
    project = tmp_path / "studies"
    variables["PYTHONPATH"] = os.pathsep.join([str(project / "src"), os.environ.get("PYTHONPATH", "")])
    command("dg", "scaffold", "defs", "soc_assets.components.SocProject", "middle", at=project)
    write_defs(project / "src/studies/defs", north=NORTH.format(settings=north.config), south=SOUTH)
    south = project / "src/studies/defs/south"
    templates.copy("empty", tmp_path / "other").root.joinpath("data").rename(south / "data")
    command("dg", "check", "defs", at=project)
    listed = json.loads(command("dg", "list", "defs", "--json", at=project))
    assert {found["asset_key"] for found in listed["assets"]} >= {
        f"{prefix}/mlp_model" for prefix in ("north", "europe/south", "middle")
    }
    command("dg", "launch", "--job", "north__prepare", at=project)
    command("dg", "launch", "--job", "europe__south__prepare", at=project)
    with dg.instance_for_test(temp_dir=str(tmp_path / "home")) as instance:
        sets = [instance.get_dynamic_partitions(f"{prefix}__batch") for prefix in ("north", "europe__south")]
    assert [len(keys) for keys in sets] == [4, 4]
    assert (north.root / "data/samples/batches.parquet").is_file()
    assert (south / "data/samples/batches.parquet").is_file()
