"""Damaged files of Dagster's history: set aside with a warning, and everything goes on."""

import os
import shutil
import warnings
from pathlib import Path

import dagster as dg
import pytest

from soc_assets.cli.failed import failed_assets
from soc_assets.cli.instance import prepare_instance
from soc_assets.errors import SocWarning, StorageError
from soc_assets_tests.command_line import states
from soc_assets_tests.small_project import SmallProject

pytestmark = [
    pytest.mark.filterwarnings("always::soc_assets.errors.SocWarning"),
    pytest.mark.usefixtures("undrawn"),
]
FILES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")


@pytest.fixture
def own(finished: SmallProject, tmp_path: Path) -> SmallProject:
    made = SmallProject(tmp_path / "project")
    shutil.copytree(finished.root, made.root)
    return made


def log_of_a_run(home: Path) -> str:
    name = next(path for path in sorted((home / "history/runs").glob("*-*.db")))
    return name.relative_to(home).as_posix()


def spoil(path: Path, how: str) -> None:
    content = path.read_bytes()
    spoilt = {"empty": b"", "cut": content[: len(content) // 2], "zeroed": bytes(len(content))}
    path.write_bytes(spoilt[how])


@pytest.mark.parametrize("how", ["empty", "cut", "zeroed"])
def test_damaged_history_is_set_aside_named_and_begun_anew(own, how):
    home = own.root / ".dagster"
    names = [*FILES, log_of_a_run(home)]
    for name in names:
        spoil(home / name, how)
    own.use()
    with pytest.warns(SocWarning) as told:
        found = failed_assets(own.project)
    assert found == set()
    for name in names:
        assert any(f"{home / name} is damaged" in str(item.message) for item in told)
        assert (home / f"{name}.damaged").is_file()
    with warnings.catch_warnings():
        warnings.simplefilter("error", SocWarning)
        assert states(own)["embeddings"] == ["fresh", "4 of 4"]


def test_batches_are_listed_again_when_the_ui_starts(own):
    os.truncate(own.root / ".dagster/history/runs/index.db", 0)
    project = own.use()
    with pytest.warns(SocWarning, match="list of batches"):
        prepare_instance(project)
    with dg.DagsterInstance.get() as instance:
        assert len(instance.get_dynamic_partitions("batch")) == 4


def test_dagster_yaml_that_is_none_is_named(own):
    spoil(own.root / ".dagster/dagster.yaml", "zeroed")
    own.use()
    with pytest.raises(StorageError, match=r"dagster\.yaml cannot be used .*delete it"):
        failed_assets(own.project)
    (own.root / ".dagster/dagster.yaml").unlink()
    own.use()
    assert failed_assets(own.project) == set()
