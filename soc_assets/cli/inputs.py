"""Commands about what goes in: demo, import-tiles, check."""

import sys
from pathlib import Path

import click

from soc_assets.cli.options import FiniteRange, config_option, console, explained, opened
from soc_assets.errors import SocError
from soc_assets.project import Project, load_project

SURVEYS = ("demo", "demo-960")  # of soc_assets.demo.soil, which takes longer to import than to name


@click.command()
@config_option
@click.option(
    "--if-empty", is_flag=True, help="Do nothing, successfully, where there are rasters or soil tables already."
)
@click.option("--seed", default=42, show_default=True, help="Another seed gives another region.")
@click.option(
    "--survey",
    type=click.Choice(SURVEYS),
    default=SURVEYS[0],
    show_default=True,
    help="How many samples are taken: 1,925 that the default study keeps, or the 960 of the benchmarks.",
)
@explained
def demo(config: Path | None, if_empty: bool, seed: int, survey: str) -> None:
    """Write a synthetic piece of Bavaria: rasters 2008-2023 and two soil tables.

    Everything in it is synthetic and labelled so. It goes to the folders of [paths] in soc.toml, and only if both are
    empty: your own files are never written over.
    """
    project = load_project(config)
    if not (if_empty and (_visible(project.raster_folder) or _visible(project.soil_folder))):
        report_demo(project, seed, survey)


def report_demo(project: Project, seed: int = 42, survey: str = SURVEYS[0]) -> None:
    """Write the synthetic region and say what was written."""
    from soc_assets.demo import write_demo

    rasters, soil = project.raster_folder, project.soil_folder
    written = write_demo(rasters, soil, seed, survey)
    console.print(f"{written.rasters} rasters ({written.megabytes:.1f} MB) in {rasters}", soft_wrap=True)
    console.print(f"{written.soil_rows} soil rows at {written.locations} places in {soil}", soft_wrap=True)
    console.print(f"All of it is synthetic. The noise in organic carbon allows an R2 of about {written.r2:.2f}.")


@click.command("import-tiles")
@config_option
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace rasters that are there already.")
@click.option(
    "--tolerance",
    type=FiniteRange(0, 0.5, max_open=True),
    default=0.01,
    show_default=True,
    help="How far, in pixels, a tile may lie from the pixel grid of the others before it is set aside.",
)
@explained
def import_tiles(config: Path | None, source: Path, overwrite: bool, tolerance: float) -> None:
    """Turn the original project's .npy tiles into GeoTIFFs, one per band and step.

    SOURCE is the folder RasterTensorData (or the one that holds it), with tiles named by their extent in degrees:

    \b
      StaticValue/<band>/ID<n>N<lat>S<lat>W<lon>E<lon>.npy
      YearlyValue/<band>/<year>/ID...npy
      SeasonalValue/<band>/<year>_<season>/ID...npy

    The rasters go to [paths] rasters of soc.toml, where the patterns of [rasters] look for them. What cannot be placed
    is reported with its reason, and listed in import-tiles.csv there.
    """  # noqa: D301 - click wants the sign itself
    from soc_assets.cli import terminal
    from soc_assets.cli.tiles_report import report
    from soc_assets.legacy import import_tiles as legacy_tiles
    from soc_assets.runtime import progress

    project = load_project(config)
    rasters = project.settings.rasters
    with terminal.showing_progress(console), progress.of("import-tiles"):
        outcome = legacy_tiles.import_tiles(source, rasters, project.raster_folder, overwrite, tolerance)
    report(outcome, source, rasters, project.raster_folder, console)
    if not outcome.rasters:
        raise SocError(f"None of the tiles in {source} could be imported; the reasons are above.")


@click.command()
@config_option
@explained
def check(config: Path | None) -> None:
    """Report what is suspicious about rasters and samples, with a fix for each, before anything is computed.

    Shows grids and values per band, which share of the samples' images are there (with a map,
    data/catalog/coverage.png), missing steps, unmasked fill values, wild pixels, upside-down and constant rasters,
    steps unlike the others, and what of the soil tables is rejected, not read or looks mistaken. Exit code 1 where
    a run would give wrong numbers or nothing; docs/check.md says what is looked for.
    """
    from soc_assets.cli import check_report, terminal
    from soc_assets.pipeline import inspection
    from soc_assets.rasters.names import band_names

    project = opened(config)
    with terminal.showing_progress(console):
        report = inspection.inspect(project)
    check_report.show(report, console, band_names(project.settings.rasters, report.catalog))
    if any(finding.severity == "error" for finding in report.findings):
        sys.exit(1)


def _visible(folder: Path) -> bool:
    return folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())
