"""A slice of `benchmarks.damage`: what the commands make of damaged files, none of it a traceback or a wrong number."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.damage_project import POINTS
from soc_assets_tests.command_line import soc
from soc_assets_tests.small_project import SmallProject

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("always::soc_assets.errors.SocWarning")]
SLICE = ("data/soc.duckdb", "mlruns/mlflow.db")


def test_damaged_databases_are_built_anew_put_back_or_refused(finished: SmallProject, tmp_path: Path):
    made = SmallProject(tmp_path / "project")
    shutil.copytree(finished.root, made.root)
    for command in (["status"], ["sql", "SELECT 1"]):  # moved: the paths in the databases are made right
        assert soc(*command, at=made).exit_code == 0
    rows = (made.root / "data/soil/b.csv").read_text().splitlines(keepends=True)
    (made.root / POINTS).write_text("".join(rows[:9]))
    shutil.copytree(made.root, tmp_path / "whole")
    options = [
        "--folder",
        str(tmp_path),
        "--kinds",
        "cut,zeroed",
        "--commands",
        "status,sql,predict",
        "--files",
        *SLICE,
    ]
    command = [sys.executable, "-m", "benchmarks.damage", *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert ended.returncode == 0, ended.stdout + ended.stderr[-3000:]
    rows = [line.strip("|").split("|") for line in ended.stdout.splitlines() if line.startswith("| `")]
    assert len(rows) == len(SLICE)
    assert all(cut.strip() and zeroed.strip() for _, cut, zeroed in rows), ended.stdout
