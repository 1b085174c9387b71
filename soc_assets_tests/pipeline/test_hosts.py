"""One project on two hosts, its data folder on S3: both read and write it there, and nothing is made twice.

A host is a folder with the same soc.toml; the rasters and MLflow's folder are what both see under the same path.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import boto3
import pandas as pd
import pytest
from click.testing import CliRunner

from soc_assets.cli import runner
from soc_assets.cli.main import main
from soc_assets.embedding.inputs import read_inputs
from soc_assets.errors import SettingsError, SocWarning
from soc_assets.features import load_features, refresh
from soc_assets.project import Project, load_project, open_project
from soc_assets.storage import files
from soc_assets_tests import storage_server
from soc_assets_tests.small_project import (
    SETTINGS,
    SmallProject,
    clean_environment,
    sheet,
    write_rasters,
    write_soil,
    write_tiff,
)
from soc_assets_tests.storage.test_object_path import NOWHERE

pytestmark = pytest.mark.slow
PATHS = """
[paths]
data = "s3://soil/project"
soil = "s3://soil/tables"
rasters = "{shared}/rasters"
mlruns = "{shared}/mlruns"
"""


@dataclass(frozen=True)
class Host:
    """A folder with soc.toml; `now` is what a command or a step sees there."""

    small: SmallProject

    def now(self) -> Project:
        project = open_project(self.small.config)
        refresh.rebuild_database_if_stale(project)
        return project

    def run(self, to: str) -> runner.Outcome:
        self.now()
        return self.small.run(to)

    def states(self) -> list[str]:
        return [item.state for item in runner.assess(self.now())]

    def soc(self, *arguments: str) -> str:
        result = CliRunner().invoke(main, [*arguments, "--config", str(self.small.config)])
        assert result.exit_code == 0, result.output
        return result.stdout


@dataclass(frozen=True)
class Two:
    """Two hosts, and what both see."""

    one: Host
    other: Host
    shared: Path
    s3: "boto3.client"  # type: ignore[valid-type]


@pytest.fixture(scope="module")
def two(tmp_path_factory, empty_instance):
    """After `soc run` on the first; the tests go on from what the ones before have done."""
    folder = tmp_path_factory.mktemp("hosts")
    with storage_server.serving() as url, clean_environment(), mock.patch.dict(os.environ, environment(url)):
        client = boto3.client("s3", endpoint_url=url)
        client.create_bucket(Bucket="soil")
        write_rasters(folder / "shared/rasters")
        write_soil(folder / "tables")
        for path in (folder / "tables").iterdir():
            client.upload_file(str(path), "soil", f"tables/{path.name}")
        one, other = (Host(host(folder / name, folder / "shared", empty_instance)) for name in ("one", "other"))
        outcome = one.run("mlp_model")
        assert (outcome.launched, outcome.failures) == (["prepare", "embed", "learn"], [])
        yield Two(one, other, folder / "shared", client)


@pytest.fixture(autouse=True)
def storage(two, monkeypatch):
    """The variables of the server, which the environment of every test begins without."""
    for name, value in environment(two.s3.meta.endpoint_url).items():
        monkeypatch.setenv(name, value)


def environment(url: str) -> dict[str, str]:
    return {**storage_server.environment(url), "AWS_MAX_ATTEMPTS": "1"}


def host(folder: Path, shared: Path, instance: Path) -> SmallProject:
    folder.mkdir()
    (folder / "soc.toml").write_text(PATHS.format(shared=shared) + SETTINGS)
    shutil.copytree(instance, folder / ".dagster")
    return SmallProject(folder)


def table(host: Host, name: str) -> pd.DataFrame:
    return files.read_table(host.small.project.samples(name))


def batches(project: Project) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(project.embeddings.glob("*/batch_*_size_*.parquet"))}


def test_everything_is_fresh_on_the_other_host_and_nothing_is_computed(two):
    assert two.other.states() == ["fresh"] * 6
    assert two.other.run("mlp_model") == runner.Outcome([], [])
    project = two.other.now()
    assert str(project.data) == "s3://soil/project"
    assert project.own == two.other.small.root / ".soc/soil_project"
    here = {path.relative_to(project.own).parts[0] for path in project.own.rglob("*.*") if path.is_file()}
    assert here == {"soc.duckdb", ".stored_at"}
    assert batches(project) == batches(two.one.now())
    assert len(batches(project)) == 4
    keys = {item["Key"] for item in two.s3.list_objects_v2(Bucket="soil", Prefix="project/")["Contents"]}
    assert "project/features/soc.duckdb.json" in keys
    assert not [key for key in keys if "soc.duckdb" in key and not key.endswith(".json")]


def test_database_is_each_hosts_own(two):
    said = two.other.soc("sql", "SELECT count(*) AS n, any_value(len(features)) AS l FROM features")
    assert "60" in said and "19968" in said
    query = "SELECT value = 's3://soil/project' AS here FROM build_info WHERE key = 'data'"
    assert "True" in two.other.soc("sql", query)
    assert load_features(project=two.other.small.config).matrix.shape == (60, 19_968)
    assert "fresh" in two.other.soc("status", "--check")


def test_batch_made_on_one_host_is_had_by_the_other(two):
    values, transform, crs = sheet("MODIS_NPP", 2015, seed=1)  # read by the samples of 2015 alone
    write_tiff(two.shared / "rasters/yearly/MODIS_NPP/MODIS_NPP_2015.tif", values, transform, crs)
    before = batches(two.one.now())
    assert two.other.run("embeddings").launched == ["prepare", "embed"]
    after = batches(two.one.now())
    assert {name for name in after if after[name] != before[name]} == {"batch_0004_size_12.parquet"}
    assert two.one.states()[:4] == ["fresh"] * 4
    assert two.one.run("embeddings") == runner.Outcome([], [])


def test_batch_removed_on_one_host_is_made_again_once(two):
    project = two.one.now()
    [path] = project.embeddings.glob("*/batch_0002_size_*.parquet")
    files.remove(path)
    assert two.other.states()[3] == "stale"
    assert two.other.run("embeddings").launched == ["embed"]
    assert two.one.states()[:4] == ["fresh"] * 4
    assert len(batches(two.one.now())) == 4


def test_storage_that_is_lost_in_the_middle_of_a_step_loses_nothing(two, monkeypatch):
    from soc_assets.defs.assets import ingest

    real = ingest.build_samples

    def then_nothing_answers(*given, **named):
        os.environ["AWS_ENDPOINT_URL"] = NOWHERE
        return real(*given, **named)

    two.s3.put_object(Bucket="soil", Key="tables/c.csv", Body=b"GPS_LONG,GPS_LAT,OC,survey_date\n11,48.7,,2013-07-01\n")
    two.one.now()
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", os.environ["AWS_ENDPOINT_URL"])
        patch.setattr(ingest, "build_samples", then_nothing_answers)
        [words] = two.one.small.run("soil_samples").failures
    assert words.startswith("soil_samples: s3://soil/project/samples/rejected.parquet cannot be written: Could not")
    assert "What was there stays" in words
    assert len(table(two.one, "rejected")) == 4
    assert two.other.states()[1] == "stale"
    assert two.one.run("soil_samples").failures == []
    assert two.other.states()[1] == "fresh"
    assert len(table(two.other, "rejected")) == 5


def test_spec_removed_on_one_host_goes_on_the_other(two):
    inputs = read_inputs(two.one.now())
    with mock.patch.dict(os.environ, SOC_EMBEDDING__ANCHOR="token"):
        two.one.soc("refit")
    assert len(list(two.other.now().embeddings.iterdir())) == 2
    assert "Removed 1 spec" in two.one.soc("clean", "--keep-current", "--yes")
    assert inputs
    assert [path.name for path in two.other.now().embeddings.iterdir()] == [inputs.spec.digest]


def test_local_folder_moves_to_storage_by_itself(two, finished, tmp_path):
    """What all hosts share is stored once; rasters, soil tables and the database stay where they are."""
    shutil.copytree(finished.root / "data", tmp_path / "first/data")
    paths = f'[paths]\nrasters = "{finished.root}/data/rasters"\nsoil = "{finished.root}/data/soil"\n'
    paths += f'mlruns = "{finished.root}/mlruns"\ndata = "s3://soil/moved"\n'
    (tmp_path / "second").mkdir()
    (tmp_path / "first/soc.toml").write_text(f'{paths}data_copy = "data"\n{SETTINGS}')
    (tmp_path / "second/soc.toml").write_text(paths + SETTINGS)
    first, second = (Host(SmallProject(tmp_path / name)) for name in ("first", "second"))
    with pytest.warns(SocWarning, match=r"of its files were not stored yet and are now\. The folders catalog, samples"):
        open_project(first.small.config)
    assert "was moved: rebuilding soc.duckdb" in first.soc("status", "--check")
    shutil.rmtree(tmp_path / "first/data/embeddings")  # as the warning says
    assert "fresh" in first.soc("status", "--check")
    assert "fresh" in second.soc("status", "--check")
    keys = [item["Key"] for item in two.s3.list_objects_v2(Bucket="soil", Prefix="moved/")["Contents"]]
    assert not [key for key in keys if key.startswith(("moved/rasters", "moved/soil", "moved/soc.duckdb"))]


def test_folders_of_the_settings(tmp_path):
    (tmp_path / "soc.toml").write_text(
        '[paths]\ndata = "s3://soil/a/b"\ndata_copy = "copy"\nsoil = "gs://soil/t"\nmlruns = "file:///m"'
    )
    project = load_project(tmp_path / "soc.toml")
    assert (str(project.data), project.own, project.soil) == (
        "s3://soil/a/b",
        tmp_path / "copy",
        tmp_path / ".soc/soil_t",
    )
    with pytest.raises(SettingsError, match="gs://soil/t, and this command needs a folder on this machine"):
        _ = project.soil_folder
    (tmp_path / "soc.toml").write_text(f'[paths]\ndata = "file://{tmp_path}/d"')
    project = load_project(tmp_path / "soc.toml")
    assert (project.data, project.own) == (tmp_path / "d", tmp_path / "d")
