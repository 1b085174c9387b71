"""Commands about the assets: run, status, refit, clean."""

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.progress import track

from soc_assets.cli.options import config_option, console, explained, opened
from soc_assets.errors import SocError, SocWarning, StorageError, TrainingError
from soc_assets.pipeline.assets import ASSETS, MAPS, RESULTS
from soc_assets.project import Project
from soc_assets.reporting.as_text import PlainConsole, one_line
from soc_assets.runtime import interrupts
from soc_assets.storage import vouching
from soc_assets.storage.one_look import one_look

if TYPE_CHECKING:
    from soc_assets.mapping.clean import ModelMaps
    from soc_assets.mapping.registered import Registered


@click.command()
@config_option
@click.option(
    "--to",
    type=click.Choice(ASSETS + RESULTS + MAPS),
    default=ASSETS[-1],
    show_default=True,
    help="The last asset wanted.",
)
@explained
def run(config: Path | None, to: str) -> None:
    """Materialise what is missing or stale, in order: prepare, embed, learn.

    The runs are kept in the project's Dagster instance and show in its UI. What is fresh is not computed again. A
    batch that fails is named, the others are finished, and the exit code is 1. `--to evaluation` compares models on
    identical folds; it shows its fits before they start, and a killed one goes on where it was.
    """
    from soc_assets.cli import runner, terminal

    project = opened(config)
    runner.use_project(project, config)
    own = terminal.own_console(console)
    with terminal.showing_progress(own):
        outcome = runner.run(project, to)
    if outcome.failures:
        raise SocError("\n".join(outcome.failures))
    unsound = vouching.wrong(project.results / "predictions.parquet") if to in RESULTS else ""
    if unsound:  # not among what was asked for
        words = f"{unsound}. It is of mlp_model, which `--to {to}` leaves as it is: `soc run` makes it again."
        warnings.warn(words, SocWarning, stacklevel=1)
    if not outcome.launched:
        asked = f"Everything that {to} needs is fresh" if unsound else "Everything is fresh"
        console.print(f"{asked}: nothing was computed.")
    console.print(terminal.summary_table(project, to, outcome.states))
    if to in RESULTS:
        terminal.show_results(project, console, to)
    for line in terminal.where_to_look(project, config):
        console.print(line, soft_wrap=True, markup=False)


@click.command()
@config_option
@click.option("--check", is_flag=True, help="Exit with 1 unless every asset is fresh.")
@click.option("--verify", is_flag=True, help="Read every batch and check it; set aside corrupt files.")
@explained
@one_look()
def status(config: Path | None, check: bool, verify: bool) -> None:
    """Say of each asset whether it is missing, stale, fresh or failed, and how many batches are done.

    An output is fresh when the digest stored with it equals the digest of its inputs computed now. Nothing is computed.
    Without --verify only the ends of the batches are read, where a cut file shows, but not flipped bits; with it a
    damaged batch is named and set aside, and the next `soc run` computes it again.
    """
    from soc_assets.cli import runner, terminal
    from soc_assets.cli.failed import failed_assets
    from soc_assets.pipeline import freshness, repairs

    project = opened(config)
    runner.use_project(project, config)
    repairs.warn_of_repairs(project)
    if verify:
        _verify(project)
    with terminal.showing_progress(PlainConsole(stderr=True)):
        try:
            states = runner.assess(project)
        except StorageError as error:  # MLflow's database was moved, and this user may not put its paths right
            warnings.warn(f"The state of the model is not known. {error}", SocWarning, stacklevel=1)
            states = freshness.assess(project)
    optional = [item for item in freshness.assess_results(project, states) if item.state != "missing"]
    try:
        failed = failed_assets(project)
    except StorageError as error:  # states are read from the files
        warnings.warn(f"Failed runs are not shown. {error}", SocWarning, stacklevel=1)
        failed = set()
    maps = freshness.assess_maps(project, lambda: _registered(project))
    console.print(terminal.states_table([*states, *optional, *maps], failed))
    if check and not all(item.fresh for item in states):
        sys.exit(1)


def _registered(project: Project) -> "Registered":
    from soc_assets.cli import map_runner  # loaded only where maps are wanted

    return map_runner.registered_of(project)


def _verify(project: Project) -> None:
    from soc_assets.embedding.inputs import known_embeddings
    from soc_assets.embedding.write import verify
    from soc_assets.features import by_band, refresh
    from soc_assets.features.sql.opening import unreadable

    if project.database.is_file() and (error := unreadable(project.database)):
        click.secho(str(error), fg="red", err=True)
    for copy in by_band.drop_damaged(refresh.contents_of(project).by_band):
        click.secho(f"{copy} was damaged and is removed: SQL reads the batch itself.", fg="yellow", err=True)
    inputs = known_embeddings(project)
    if inputs is None:
        return
    for key, found in track(verify(inputs), "verifying", total=len(inputs.keys), console=console, transient=True):
        for finding in found:
            click.secho(
                one_line(f"{key}: {finding.words}"), fg="red" if finding.severity == "error" else "yellow", err=True
            )


@click.command()
@config_option
@explained
def refit(config: Path | None) -> None:
    """Freeze a new embedding spec with the present rasters' statistics.

    The embeddings of the old spec stay where they are; the next `soc run` embeds every batch under the new one.
    """
    from soc_assets.embedding.inputs import freeze_spec

    project = opened(config)
    if not project.catalog.is_file():
        raise SocError(f"{project.catalog} does not exist: run `soc run --to raster_catalog` first.")
    console.print(f"The spec is now {freeze_spec(project, refit=True).digest}.")


@click.command()
@config_option
@click.option("--keep-current", is_flag=True, help="Remove everything that is not in use, after listing and asking.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@explained
def clean(config: Path | None, keep_current: bool, yes: bool) -> None:
    """List the embeddings of every spec, the fits of evaluations and the maps, and remove those no longer in use.

    In use are the spec of the present settings and the one that soc.duckdb shows, the fits and features of the last
    evaluation and baselines, and the maps of the model that `soc map` would use. Without --keep-current nothing is
    removed. Models in MLflow stay, also where the embeddings that they were trained on go.
    """
    from soc_assets.cli import terminal
    from soc_assets.embedding import clean as cleaning
    from soc_assets.embedding.inputs import known_embeddings
    from soc_assets.features.sql.database import read_info
    from soc_assets.mapping import clean as old_maps
    from soc_assets.regression.evaluation import kept

    project = opened(config)
    current = known_embeddings(project)
    if keep_current and current is None:
        raise SocError("No spec of the present settings was ever used, so nothing is current: `soc run` first.")
    shown = read_info(project.database).get("spec")
    in_use = {shown: "shown by soc.duckdb"} if shown else {}
    found = cleaning.spec_folders(project.embeddings, in_use | ({current.spec.digest: "current"} if current else {}))
    results = kept.kept(project.results, project.scratch)
    maps = _maps_by_model(project)
    left = [*cleaning.leftovers(project.embeddings), *kept.leftovers(project.scratch)]
    left += old_maps.leftovers(project.data / "maps")
    specs, others = [item for item in found if not item.in_use], [item for item in results if not item.in_use]
    unused = [item for item in maps if not item.in_use]
    console.print(terminal.specs_table(found, left))
    if results:
        console.print(terminal.kept_table(results))
    if maps:
        console.print(terminal.maps_table(maps))
    if not keep_current or not (specs or others or unused or left):
        nothing = not (specs or others or unused or left)
        console.print("Nothing to remove." if nothing else "Nothing was removed; --keep-current does.")
        return
    size = sum(item.size for item in (*specs, *others, *unused)) / 1e6
    fits = sum(len(item.paths) for item in others if item.what == "fits")
    of_maps = f", maps of {len(unused)} models" if unused else ""
    words = f"{len(specs)} specs, {fits} fits with their features{of_maps} ({size:,.1f} MB) and {len(left)} leftovers"
    if not yes:
        with interrupts.asking():
            click.confirm(f"Remove {words}?", abort=True)
    for item in specs:
        cleaning.remove(item)
    for item in others:
        kept.remove(item)
    for item in unused:
        old_maps.remove(item)
    for path in left:
        cleaning.remove_leftover(path)
    console.print(f"Removed {words}.")


def _maps_by_model(project: Project) -> "list[ModelMaps]":
    """The maps on disk; MLflow, which takes seconds, is asked only where there are some."""
    from soc_assets.mapping.clean import model_maps

    maps = project.data / "maps"
    if not model_maps(maps, None):
        return []
    try:
        from soc_assets.cli.map_runner import registered_of

        return model_maps(maps, registered_of(project).digest)
    except TrainingError:  # no such model
        return model_maps(maps, None)
