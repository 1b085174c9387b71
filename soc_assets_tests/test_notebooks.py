"""The notebooks in examples/: they run in a project, and what is committed has its outputs and no error."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from soc_assets.features import refresh
from soc_assets_tests.small_project import SmallProject

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples/notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_in_a_project(path, finished, tmp_path, monkeypatch):
    made = SmallProject(tmp_path / "project")
    shutil.copytree(finished.root, made.root, ignore=shutil.ignore_patterns(".dagster"))
    refresh.ensure(made.project)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    book = nbformat.read(path, as_version=4)
    NotebookClient(book, timeout=300, resources={"metadata": {"path": str(made.root)}}).execute()
    assert all(cell.get("execution_count") for cell in book.cells if cell.cell_type == "code")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_notebook_shows_pictures_and_no_error(path):
    outputs = [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])]
    kinds = [output.output_type for output in outputs]
    assert "error" not in kinds
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2


def test_there_are_two_notebooks():
    assert [path.stem for path in NOTEBOOKS] == ["explore_embeddings", "train_your_own"]
