"""What the table at the end of `soc run` says."""

from rich.console import Console

from soc_assets import files, terminal
from soc_assets.ingest.rasters.catalog import scan_rasters
from soc_assets_tests.small_project import SmallProject, write_rasters


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
