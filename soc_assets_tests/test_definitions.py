"""What Dagster loads: names, groups and partitions of the contract, quickly, and the stages without Dagster."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

import soc_assets
from soc_assets.definitions import build_definitions, defs
from soc_assets.defs.resources import ProjectResource
from soc_assets.pipeline.assets import ASSETS, JOB_OF, MAPS, RESULTS

PACKAGE = Path(soc_assets.__file__).parent
REPOSITORY = PACKAGE.parent
STAGES = ("ingest", "sampling", "embedding", "features", "regression")
HEAVY = ("torch", "torchvision", "timm", "mlflow", "ray", "matplotlib", "sklearn", "scipy")
GROUPS = {
    "raster_files": "ingest",
    "soil_files": "ingest",
    "raster_catalog": "ingest",
    "soil_samples": "ingest",
    "balanced_samples": "sampling",
    "batch_inputs": "embedding",
    "embeddings": "embedding",
    "features": "features",
    "mlp_model": "regression",
    "baselines": "regression",
    "evaluation": "regression",
    "hyperparameters": "regression",
    "encoder_comparison": "regression",
    "pretrained_encoder": "embedding",
    "map_tiles": "mapping",
    "soc_map": "mapping",
    "soc_map_change": "mapping",
}
ALONE = ("batch_inputs", "soc_map_change", "pretrained_encoder", "encoder_comparison")  # in a module of their own
PROVIDED = ("raster_files", "soil_files")  # by users: external assets
UPSTREAM = {
    "raster_files": set(),
    "soil_files": set(),
    "raster_catalog": {"raster_files"},
    "soil_samples": {"raster_catalog", "soil_files"},
    "balanced_samples": {"raster_catalog", "soil_samples"},
    "batch_inputs": {"raster_catalog", "balanced_samples"},
    "embeddings": {"batch_inputs"},
    "features": {"embeddings", "balanced_samples"},
    "mlp_model": {"features"},
    "baselines": {"features"},
    "evaluation": {"features", "baselines"},
    "hyperparameters": {"features"},
    "encoder_comparison": {"features"},
    "pretrained_encoder": {"raster_catalog"},
    "map_tiles": {"mlp_model", "raster_catalog"},
    "soc_map": {"map_tiles"},
    "soc_map_change": {"soc_map"},
}


def specs() -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


LOADED = ("soc_assets.cli.main", "soc_assets.cli.runner", "soc_assets.definitions")
LOAD = f"""
import importlib, json, sys
found = {{}}
for name in {LOADED!r}:
    importlib.import_module(name)
    found[name] = [other for other in {(*HEAVY, "dagster")!r} if other in sys.modules]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> tuple[dict[str, list[str]], list[Path]]:
    """What is imported once each of `LOADED` is, one after the other in a fresh process, and the files it leaves."""
    folder = tmp_path_factory.mktemp("empty")
    done = subprocess.run([sys.executable, "-c", LOAD], cwd=folder, capture_output=True, text=True, check=True)
    return json.loads(done.stdout), list(folder.iterdir())


@pytest.mark.parametrize("module", LOADED)
def test_loading_imports_nothing_heavy_and_opens_no_file_of_the_project(module, loaded):
    found, written = loaded
    assert not set(found[module]) & set(HEAVY)
    assert written == []


def test_command_line_does_not_wait_for_dagster(loaded):
    found, _ = loaded
    assert [name for name in LOADED if "dagster" in found[name]] == ["soc_assets.definitions"]


def test_definitions_can_be_loaded_whole():
    dg.Definitions.validate_loadable(defs)  # raises where an asset, job or resource does not fit
    assert {job.name for job in defs.resolve_all_job_defs()} >= {"prepare", "embed", "learn"}


def test_assets_have_the_names_groups_and_dependencies_of_the_contract():
    found = specs()
    assert {name: spec.group_name for name, spec in found.items()} == GROUPS
    upstream = {name: {dep.asset_key.to_user_string() for dep in spec.deps} for name, spec in found.items()}
    assert upstream == UPSTREAM
    assert set(found) == {*ASSETS, *RESULTS, *MAPS, "batch_inputs", *PROVIDED}


def test_embeddings_are_partitioned_by_batch_and_maps_by_tile_and_period():
    partitions = {name: spec.partitions_def for name, spec in specs().items()}
    for batch in (partitions.pop("embeddings"), partitions.pop("batch_inputs")):
        assert isinstance(batch, dg.DynamicPartitionsDefinition)
        assert batch.name == "batch"
    maps = {name: partitions.pop(name) for name in MAPS}
    assert {name: getattr(found, "name", None) for name, found in maps.items()} == {
        "map_tiles": "map_tile",
        "soc_map": "map_period",
        "soc_map_change": "map_change",
    }
    assert set(partitions.values()) == {None}


def test_every_asset_says_what_it_makes_and_has_a_code_version():
    for name, spec in specs().items():
        assert spec.description and len(spec.description) > 60, name
        assert spec.code_version or name == "batch_inputs" or name in PROVIDED, name
        assert spec.kinds, name


def test_jobs_cover_every_asset_once():
    selected = {
        name: {node.name for node in defs.resolve_job_def(name).graph.nodes} for name in ("prepare", "embed", "learn")
    }
    assert selected == {job: {asset for asset in ASSETS if JOB_OF[asset] == job} for job in selected}
    jobs = ("evaluate", "tune", "compare_encoders", "pretrain")
    results = {name: {node.name for node in defs.resolve_job_def(name).graph.nodes} for name in jobs}
    assert results == {
        "evaluate": {"baselines", "evaluation"},
        "tune": {"hyperparameters"},
        "compare_encoders": {"encoder_comparison"},
        "pretrain": {"pretrained_encoder"},
    }
    assert set().union(*results.values()) == set(RESULTS)


def test_each_asset_lives_in_the_module_of_its_group():
    for name, group in ((name, group) for name, group in GROUPS.items() if name not in PROVIDED):
        module = name if name in ALONE else group
        tree = ast.parse((PACKAGE / f"defs/assets/{module}.py").read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_resources_can_be_overridden_by_keyword(tmp_path):
    config = tmp_path / "soc.toml"
    config.write_text("[study]\nmax_oc = 77")
    built = build_definitions(project=ProjectResource(config=str(config)))
    resource = (built.resources or {})["project"]
    assert isinstance(resource, ProjectResource)
    assert resource.load().settings.study.max_oc == 77


def imported(path: Path) -> set[str]:
    """Top-level packages that a module imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("stage", STAGES)
def test_stages_are_plain_python_that_knows_neither_dagster_nor_mlflow(stage):
    modules = sorted((PACKAGE / stage).rglob("*.py"))
    assert len(modules) > 2
    for path in modules:
        names = imported(path)
        assert not {name for name in names if name.split(".")[0] in ("dagster", "mlflow")}, path
        assert not {name for name in names if name.startswith(("soc_assets.defs", "soc_assets.definitions"))}, path


def test_workspace_and_pyproject_name_the_same_code_location():
    import tomllib

    import yaml

    tool = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["dagster"]
    [workspace] = yaml.safe_load((REPOSITORY / "workspace.yaml").read_text())["load_from"]
    assert workspace["python_module"]["module_name"] == tool["module_name"] == "soc_assets.definitions"
    assert workspace["python_module"]["location_name"] == tool["code_location_name"]
