"""A project that was copied or moved: nothing is computed again, and nothing is written into the former folder."""

import shutil
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pandas as pd
import pytest

from soc_assets.cli import runner
from soc_assets.cli.options import opened
from soc_assets.pipeline.assets import ASSETS
from soc_assets.rasters.catalog import absolute, read_table, relative
from soc_assets.regression.inputs import model_inputs
from soc_assets.tracking.registered import load_registered
from soc_assets.tracking.relocated import follow_the_folder
from soc_assets.tracking.store import tracking_of
from soc_assets_tests.small_project import SmallProject


@pytest.fixture
def moved(finished, tmp_path) -> SmallProject:
    """A copy of the finished project, with other times and inodes, in a folder with signs in its name."""
    root = tmp_path / "märz & 100%"
    shutil.copytree(finished.root, root, copy_function=shutil.copyfile)
    return SmallProject(root)


def places(project) -> set[str]:
    """What MLflow's database keeps of where things are."""
    asked = (
        "SELECT artifact_location FROM experiments",
        "SELECT artifact_uri FROM runs",
        "SELECT artifact_location FROM logged_models",
        "SELECT storage_location FROM model_versions",
    )
    with closing(connect(project.mlruns / "mlflow.db")) as connection:
        return {row[0] for query in asked for row in connection.execute(query)}


def test_everything_stays_fresh_and_nothing_is_launched(finished, moved):
    before = finished.stamps()
    project = moved.use()
    opened(moved.config)
    assert {item.asset: item.state for item in runner.assess(project)} == dict.fromkeys(ASSETS, "fresh")
    assert runner.run(project, "mlp_model").launched == []
    assert moved.query("SELECT count(*) n FROM features")["n"].item() == 60
    assert finished.stamps() == before


def test_models_are_found_and_tracked_in_the_new_folder(finished, moved):
    before = places(finished.project)
    record = tracking_of(moved.project).find_run(model_inputs(moved.project))
    assert record is not None
    assert record.artifacts.folder is not None
    assert record.artifacts.folder.is_relative_to(moved.root)
    model = load_registered(tracking_of(moved.project), None)
    assert model.uri == record.model_uri
    new = places(moved.project)
    assert len(new) == len(before)
    assert all(str(finished.root) not in place for place in new)
    assert places(finished.project) == before


def test_files_that_stayed_when_only_the_database_was_moved_are_left_where_they_are(finished, tmp_path):
    database = tmp_path / "elsewhere/mlflow.db"
    database.parent.mkdir()
    shutil.copyfile(finished.project.mlruns / "mlflow.db", database)
    assert not follow_the_folder(database)
    (database.parent / "artifacts").mkdir()  # of other experiments
    assert not follow_the_folder(database)
    shutil.copytree(finished.project.mlruns / "artifacts", database.parent / "artifacts", dirs_exist_ok=True)
    assert follow_the_folder(database)
    assert not follow_the_folder(database)


def test_moved_folder_is_followed_also_without_files_and_a_place_that_the_user_chose_is_kept(finished, tmp_path):
    database, chosen = tmp_path / "moved/mlflow.db", (tmp_path / "unplugged/artifacts").as_uri()
    database.parent.mkdir()
    shutil.copyfile(finished.project.mlruns / "mlflow.db", database)
    former = str(tmp_path / "former")
    with closing(connect(database)) as connection, connection:
        for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
            rewrite = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
            connection.execute(rewrite, (str(finished.project.mlruns), former))
        connection.execute(
            "INSERT INTO experiments (experiment_id, name, artifact_location) VALUES (9, 'of the user', ?)",
            (chosen,),
        )
    assert follow_the_folder(database)
    with closing(connect(database)) as connection:
        kept = {row[0] for row in connection.execute("SELECT artifact_location FROM experiments WHERE experiment_id")}
    assert kept == {f"{database.parent.as_uri()}/artifacts", chosen}


def test_no_table_names_the_folder_of_the_project(finished):
    tables = [path for path in finished.project.data.rglob("*.parquet") if ".schemas" not in path.parts]
    assert len(tables) > 10
    named = [path.name for path in tables if str(finished.root).encode() in path.read_bytes()]
    assert named == []
    assert not any(str(finished.root) in text.read_text() for text in finished.project.data.rglob("*.json"))


def test_paths_of_the_catalog_can_be_read_and_those_of_an_older_version_too(finished):
    project = finished.project
    kept = pd.read_parquet(project.catalog)
    assert kept["path"].iloc[0] == "data/rasters/static/Elevation.tif"
    frame = read_table(project.catalog, project)
    assert frame["path"].iloc[0] == str(finished.root / "data/rasters/static/Elevation.tif")


@pytest.mark.parametrize(
    ("location", "kept"),
    [
        ("/project/data/a.tif", "data/a.tif"),
        ("/elsewhere/a.tif", "/elsewhere/a.tif"),
        ("/project2/a.tif", "/project2/a.tif"),
        ("/vsizip/{/project/data/r.zip}/deep/a.tif", "/vsizip/{data/r.zip}/deep/a.tif"),
        ("/vsizip/{/elsewhere/r.zip}/a.tif", "/vsizip/{/elsewhere/r.zip}/a.tif"),
        ("/vsis3/bucket/a.tif", "/vsis3/bucket/a.tif"),
    ],
)
def test_only_what_lies_in_the_project_is_kept_relative_to_it(location, kept):
    root = Path("/project")
    assert relative(location, root) == kept
    assert absolute(kept, root) == location
    assert absolute(location, root) == location
