"""What the table at the end of `soc run` says."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from soc_assets.cli import terminal
from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.storage import files
from soc_assets_tests.small_project import SmallProject, write_rasters

pytestmark = pytest.mark.usefixtures("undrawn", "unserved")


def test_rasters_set_aside_are_counted_and_the_first_is_named(tmp_path):
    (tmp_path / "soc.toml").touch()
    project = SmallProject(tmp_path).project
    write_rasters(project.rasters)
    bad = project.rasters / "yearly/LAI/LAI_2009.tif"
    bad.write_bytes(bad.read_bytes()[:200])
    catalog = scan_rasters(project.settings.rasters, project.rasters)
    files.write_table(project.catalog, catalog.frame)
    files.write_table(project.catalog.with_name("problems.parquet"), catalog.problems)
    console = Console(width=200, record=True)
    console.print(terminal.summary_table(project))
    told = " ".join(console.export_text().replace("│", " ").split())
    assert f"{len(catalog.frame)} usable, 1 set aside" in told
    assert f"The raster {bad} cannot be read" in told


@pytest.mark.parametrize("on_the_path", [True, False])
def test_commands_to_go_on_with_can_be_typed(tmp_path, monkeypatch, on_the_path):
    (tmp_path / "soc.toml").touch()
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent if on_the_path else tmp_path}")
    monkeypatch.chdir(tmp_path)
    for line in terminal.where_to_look(SmallProject(tmp_path).project, None)[::2]:
        command = shlex.split(line)
        first = 2 if line.startswith("Dagster UI") else 1
        assert (command[first] == "soc") == on_the_path
        told = subprocess.run([*command[first : first + 2], "--help"], check=True, capture_output=True, text=True)
        assert "Usage" in told.stdout
