import subprocess

import pytest
from rasterio.crs import CRS
from rasterio.transform import Affine

import soc_assets
from soc_assets.geo.grid import WGS84, Grid
from soc_assets.regression.report.facts import commit_of, pixel_metres, provenance_of


def git(folder, *arguments):
    name = ("-c", "user.name=n", "-c", "user.email=n@invalid", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", str(folder), *name, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_commit_is_that_of_the_work_tree_that_the_folder_lies_in(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit_of(tmp_path) is None
    git(tmp_path, "init", "-q")
    assert commit_of(tmp_path) is None  # nothing was committed
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    below = tmp_path / "project"
    below.mkdir()
    assert commit_of(below) == git(tmp_path, "rev-parse", "HEAD")
    found = provenance_of(below, {"spec": "abc", "inputs": "def"})
    assert found["Commit of the project"] == commit_of(tmp_path)
    assert found["soc_assets"] and found["torch"] and found["scikit-learn"] and found["Python"]
    assert (found["Embedding spec (digest)"], found["Features (digest)"]) == ("abc", "def")


def test_own_commit_is_told_from_that_of_a_repository_that_only_contains_an_installed_copy(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    package = tmp_path / "venv" / "soc_assets"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "of someone's project")
    monkeypatch.setattr(soc_assets, "__file__", str(package / "__init__.py"))
    assert not provenance_of(tmp_path, {})["Commit of soc_assets"]
    git(tmp_path, "add", "-f", "venv")
    git(tmp_path, "commit", "-q", "-m", "a checkout")
    assert provenance_of(tmp_path, {})["Commit of soc_assets"] == git(tmp_path, "rev-parse", "HEAD")


def test_pixel_is_that_of_the_grid_in_metres():
    projected = Grid(CRS.from_epsg(25832), Affine(250, 0, 600_000, 0, -250, 5_400_000), 100, 100)
    assert pixel_metres(projected) == pytest.approx(250)
    degrees = Grid(WGS84, Affine(1 / 120, 0, 21, 0, -1 / 120, 42), 100, 100)
    assert pixel_metres(degrees) == pytest.approx((111_195 / 120 + 111_195 / 120 * 0.7465) / 2, rel=0.01)
