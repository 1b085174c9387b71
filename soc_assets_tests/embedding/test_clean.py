"""Removing embeddings of specs not in use: listed first, never the one in use, nothing half-removed in sight."""

import os
import shutil
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from soc_assets.cli.main import main
from soc_assets.embedding.clean import leftovers, remove, spec_folders
from soc_assets.embedding.spec import all_specs
from soc_assets_tests.small_project import SmallProject, clean_environment

pytestmark = pytest.mark.usefixtures("undrawn", "unserved")


@pytest.fixture(scope="module")
def twice_embedded(templates, tmp_path_factory) -> SmallProject:
    made = templates.copy("embedded", tmp_path_factory.mktemp("specs") / "project")
    made.set("image_size = 16", 'image_size = 16\npooling = "max"')
    with clean_environment():
        assert made.run("embeddings").launched == ["embed"]
    return made


@pytest.fixture
def two_specs(twice_embedded, tmp_path) -> tuple[SmallProject, Path, Path]:
    """A project with an old spec and the current one, and their folders."""
    made = SmallProject(shutil.copytree(twice_embedded.root, tmp_path / "project"))
    folders = {'"max"' in (path / "spec.json").read_text(): path for path in (made.root / "data/embeddings").iterdir()}
    return made, folders[False], folders[True]


def clean(made: SmallProject, *options: str, stdin: str | None = None):
    return CliRunner().invoke(main, ["clean", *options, "--config", str(made.config)], input=stdin)


def test_listing_removes_nothing_and_says_what_is_in_use(two_specs):
    made, old, new = two_specs
    result = clean(made)
    assert result.exit_code == 0
    lines = {name: next(line for line in result.stdout.splitlines() if name in line) for name in (old.name, new.name)}
    assert "current" in lines[new.name]
    assert "no" in lines[old.name].split("│")[-2]
    assert "Nothing was removed" in result.stdout
    assert old.is_dir()


def test_removing_lists_asks_and_obeys(two_specs):
    made, old, new = two_specs
    refused = clean(made, "--keep-current", stdin="n\n")
    assert refused.exit_code == 1
    assert refused.stdout.index(old.name) < refused.stdout.index("Remove 1 specs")
    assert old.is_dir()
    assert clean(made, "--keep-current", stdin="y\n").exit_code == 0
    assert sorted((made.root / "data/embeddings").iterdir()) == [new]
    assert made.run("embeddings").launched == []


def test_spec_that_the_database_shows_is_kept(with_features):
    fresh = with_features
    [old] = (fresh.root / "data/embeddings").iterdir()
    fresh.set("image_size = 16", 'image_size = 16\npooling = "max"')
    assert fresh.run("embeddings").failures == []
    result = clean(fresh, "--keep-current", "--yes")
    assert "shown by soc.duckdb" in result.stdout
    assert old.is_dir()
    assert fresh.run("features").failures == []
    assert clean(fresh, "--keep-current", "--yes").exit_code == 0
    assert not old.exists()


def test_settings_never_used_make_nothing_current_and_nothing_is_removed(two_specs):
    made, old, new = two_specs
    made.set('pooling = "max"', 'pooling = "center"')
    result = clean(made, "--keep-current", "--yes")
    assert result.exit_code == 1
    assert "`soc run` first" in result.stderr
    assert old.is_dir()
    assert new.is_dir()


def test_folder_in_use_cannot_be_removed_by_mistake(two_specs):
    _, _, new = two_specs
    [kept] = [item for item in spec_folders(new.parent, {new.name: "current"}) if item.in_use]
    with pytest.raises(ValueError, match="in use"):
        remove(kept)


def test_what_killed_processes_left_is_removed_when_it_is_old_enough(two_specs):
    made, old, new = two_specs
    half = new.with_name(".removing-0123456789")
    half.mkdir()
    (half / "spec.json").write_text((old / "spec.json").read_text())
    abandoned, being_written = new / ".batch_0001_size_16.parquet.x.tmp", new / ".batch_0002_size_16.parquet.y.tmp"
    for path in (abandoned, being_written):
        path.write_bytes(b"half")
    os.utime(abandoned, (time.time() - 7200,) * 2)
    assert {spec.digest for spec in all_specs(new.parent)} == {old.name, new.name}
    assert sorted(leftovers(new.parent)) == sorted([half, abandoned])
    assert clean(made, "--keep-current", "--yes").exit_code == 0
    assert (half.exists(), abandoned.exists(), being_written.exists()) == (False, False, True)
