"""The `soc` command: demo, import-tiles, check, run, status, sql, refit, ui, mlflow.

Parsing and exit codes only; the work is elsewhere.
"""

import atexit
import os
import sys
import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from soc_assets.errors import SocError, SocWarning
from soc_assets.freshness import ASSETS
from soc_assets.project import Project, load_project

console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The soc.toml to use. Default: $SOC_CONFIG, or the nearest soc.toml from the current folder upwards.",
)


def _show_warning(message: Warning | str, category: type[Warning], *where: Any) -> None:
    """Warnings in the words of the platform; those of libraries are for developers."""
    if issubclass(category, SocWarning):
        click.secho(f"Warning: {message}", fg="yellow", err=True)


def _explained(command: Callable[..., Any]) -> Callable[..., Any]:
    """Print errors that the user can mend without a traceback, and exit with 1."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            try:
                return command(*args, **kwargs)
            except SocError as error:
                click.secho(f"Error: {error}", fg="red", err=True)
                sys.exit(1)

    return wrapped


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="soc-assets")
def main() -> None:
    r"""Soil organic carbon from soil samples and multi-year rasters, as Dagster assets.

    \b
    First steps:
      soc demo      write a small synthetic region to try things on
      soc check     look at rasters and samples before computing anything
      soc run       compute everything that is missing or out of date
      soc status    what is there and what is stale
      soc sql       ask the database
      soc ui        see it all in the Dagster UI

    Settings are in soc.toml; any of them can be overridden by an environment variable, for example
    SOC_EMBEDDING__STAGE=encoder.

    Exit codes: 0 done, 1 failed (the message says what to mend), 2 wrong usage.
    """


@main.command()
@config_option
@click.option(
    "--if-empty", is_flag=True, help="Do nothing, successfully, where there are rasters or soil tables already."
)
@click.option("--seed", default=42, show_default=True, help="Another seed gives another region.")
@_explained
def demo(config: Path | None, if_empty: bool, seed: int) -> None:
    """Write a synthetic piece of Bavaria: rasters 2008-2023 and two soil tables.

    Everything in it is invented and says so. It goes to the folders of [paths] in soc.toml, and only if both are empty:
    your own files are never written over.
    """
    from soc_assets.demo import write_demo

    project = load_project(config)
    rasters = project.raster_folder
    if if_empty and (_visible(rasters) or _visible(project.soil)):
        return
    written = write_demo(rasters, project.soil, seed)
    console.print(f"{written.rasters} rasters ({written.megabytes:.1f} MB) in {rasters}", soft_wrap=True)
    console.print(f"{written.soil_rows} soil rows at {written.locations} places in {project.soil}", soft_wrap=True)
    console.print(f"All of it is synthetic. The noise in organic carbon allows an R2 of about {written.r2:.2f}.")


@main.command("import-tiles")
@config_option
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace rasters that are there already.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 0.5, max_open=True),
    default=0.01,
    show_default=True,
    help="How far, in pixels, a tile may lie from the pixel grid of the others before it is set aside.",
)
@_explained
def import_tiles(config: Path | None, source: Path, overwrite: bool, tolerance: float) -> None:
    r"""Turn the original project's .npy tiles into GeoTIFFs, one per band and step.

    SOURCE is the folder RasterTensorData (or the one that holds it), with tiles named by their extent in degrees:

    \b
      StaticValue/<band>/ID<n>N<lat>S<lat>W<lon>E<lon>.npy
      YearlyValue/<band>/<year>/ID...npy
      SeasonalValue/<band>/<year>_<season>/ID...npy

    The rasters go to [paths] rasters of soc.toml, where the patterns of [rasters] look for them. What finds no place is
    told with its reason, and listed in import-tiles.csv there.
    """
    from soc_assets import progress, terminal
    from soc_assets.ingest.legacy import tiles as legacy_tiles
    from soc_assets.tiles_report import report

    project = load_project(config)
    rasters = project.settings.rasters

    def tell(done: int, total: int, words: str) -> None:
        progress.emit("import-tiles", done, total, words)

    with terminal.showing_progress(console):
        outcome = legacy_tiles.import_tiles(source, rasters, project.raster_folder, overwrite, tolerance, tell)
    report(outcome, source, rasters, project.raster_folder, console)
    if not outcome.rasters:
        raise SocError(f"None of the tiles in {source} could be imported; the reasons are above.")


@main.command()
@config_option
@_explained
def check(config: Path | None) -> None:
    """Report what is suspicious about rasters and samples, with a cure for each, before anything is computed.

    Shows grids and values per band, which share of the samples' images are there (with a map,
    data/catalog/coverage.png), missing steps, unmasked fill values, upside-down and constant rasters, and steps unlike
    the others. Exit code 1 where a run would give wrong numbers or nothing; docs/check.md says what is looked for.
    """
    from soc_assets import check_report, inspection, progress, terminal

    project = load_project(config)
    with terminal.showing_progress(console):
        report = inspection.inspect(project, lambda done, total, name: progress.emit("rasters", done, total, name))
    check_report.show(report, console)
    if any(finding.severity == "error" for finding in report.findings):
        sys.exit(1)


@main.command()
@config_option
@click.option("--to", type=click.Choice(ASSETS), default=ASSETS[-1], show_default=True, help="The last asset wanted.")
@_explained
def run(config: Path | None, to: str) -> None:
    """Materialise what is missing or stale, in order: prepare, embed, learn.

    The runs are kept in the project's Dagster instance and show in its UI. What is fresh is not computed again. A
    batch that fails is named, the others are finished, and the exit code is 1.
    """
    from soc_assets import runner, terminal

    project = load_project(config)
    runner.use_project(project, config)
    own = terminal.own_console(console)
    with terminal.showing_progress(own):
        outcome = runner.run(project, to, lambda words: own.print(f"[bold]{words}[/]"))
    if outcome.failures:
        raise SocError("\n".join(outcome.failures))
    if not outcome.launched:
        console.print("Everything is fresh: nothing was computed.")
    console.print(terminal.summary_table(project))
    for line in terminal.where_to_look(project, config):
        console.print(line, soft_wrap=True, markup=False)


@main.command()
@config_option
@click.option("--check", is_flag=True, help="Exit with 1 unless every asset is fresh.")
@_explained
def status(config: Path | None, check: bool) -> None:
    """Say of each asset whether it is missing, stale, fresh or failed, and how many batches are done.

    An output is fresh when the digest stored with it equals the digest of its inputs computed now. Nothing is computed.
    """
    from soc_assets import runner, terminal

    project = load_project(config)
    runner.use_project(project, config)
    states = runner.assess(project)
    console.print(terminal.states_table(states, runner.failed_assets(project)))
    if check and not all(item.fresh for item in states):
        sys.exit(1)


@main.command()
@config_option
@click.argument("query", required=False)
@click.option("--rows", default=40, show_default=True, help="Most rows shown.")
@_explained
def sql(config: Path | None, query: str | None, rows: int) -> None:
    r"""Ask the database a question in SQL; without QUERY, a prompt.

    \b
    Views: samples, embeddings, features, folds; table: feature_index.
      soc sql "SELECT split, count(*) FROM features GROUP BY split"
      soc sql "SELECT * FROM feature_index WHERE position = 768"
    """
    from soc_assets import prompt

    prompt.answer(load_project(config).database, query, rows, console)


@main.command()
@config_option
@_explained
def refit(config: Path | None) -> None:
    """Freeze a new embedding spec with the present rasters' statistics.

    The embeddings of the old spec stay where they are; the next `soc run` embeds every batch under the new one.
    """
    import pandas as pd

    from soc_assets.embedding.inputs import settled
    from soc_assets.embedding.spec import choices_of, freeze

    project = load_project(config)
    if not project.catalog.is_file():
        raise SocError(f"{project.catalog} does not exist: run `soc run --to raster_catalog` first.")
    choices = choices_of(project.settings, project.checkpoint)
    catalog = pd.read_parquet(project.catalog)
    spec = freeze(project.embeddings, choices, catalog, refit=True, settle=lambda spec: settled(spec, project))
    console.print(f"The spec is now {spec.digest}.")


@main.command()
@config_option
@click.option("--port", default=3000, show_default=True)
@_explained
def ui(config: Path | None, port: int) -> None:
    """Start the Dagster UI and daemon on this machine (loopback only), on the instance that `soc run` uses."""
    from soc_assets import runner

    project = load_project(config)
    runner.use_project(project, config or _named(project))
    workspace = Path(__file__).parents[1] / "workspace.yaml"
    code = ["-w", str(workspace)] if workspace.is_file() else ["-m", "soc_assets.definitions"]
    command = ["-W", "ignore", "-m", "dagster", "dev", *code, "-h", "127.0.0.1", "-p", str(port)]
    os.chdir(project.dagster_home if _named(project) else project.root)
    os.execv(sys.executable, [sys.executable, *command])


@main.command()
@config_option
@click.option("--port", default=5000, show_default=True)
@_explained
def mlflow(config: Path | None, port: int) -> None:
    """Start the MLflow UI on this machine (loopback only)."""
    from soc_assets.defs.resources import tracking_of

    project = load_project(config)
    project.mlruns.mkdir(parents=True, exist_ok=True)
    stores = [
        "--backend-store-uri",
        tracking_of(project).uri,
        "--default-artifact-root",
        str(project.mlruns / "artifacts"),
    ]
    command = ["-m", "mlflow", "server", *stores, "--host", "127.0.0.1", "--port", str(port)]
    os.execv(sys.executable, [sys.executable, *command])


def _named(project: Project) -> Path | None:
    path = project.root / "soc.toml"
    return path if path.is_file() else None


def _visible(folder: Path) -> bool:
    return folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())


def entry() -> None:
    """Run the command and leave at once: after torch.export the interpreter's teardown makes DuckDB report leaks."""
    try:
        main()
    except SystemExit as end:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else int(end.code is not None))
