"""The command `soc map`: says what it will do, makes the maps, and says what they hold."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from soc_assets.cli.options import config_option, console, explained, opened
from soc_assets.errors import SocError

if TYPE_CHECKING:
    from soc_assets.cli.runner import Outcome
    from soc_assets.mapping.inputs import MapInputs


@click.command("map")
@config_option
@click.option("--year", "years", type=int, multiple=True, help="May be given several times. Default: [map] years.")
@click.option(
    "--change",
    "changes",
    type=int,
    nargs=2,
    multiple=True,
    metavar="FROM TO",
    help="Two years whose maps are there: their difference, and whether it is more than the uncertainty.",
)
@click.option("--season", type=click.Choice(["winter", "spring", "summer", "autumn"]), help="Default: [map] season.")
@click.option("--version", "number", help="Of the registered model. Default: [map] model, the champion, or the newest.")
@click.option("--step", type=click.IntRange(min=1), help="Predict every n-th pixel. Default: [map] step.")
@click.option(
    "--zones", type=click.Path(path_type=Path), help="Polygons: their figures are written to zones/, view map_zones."
)
@click.option(
    "--zone-name", metavar="COLUMN", help="Column of --zones that names them. Default: one called like a name."
)
@explained
def map_command(
    config: Path | None,
    years: tuple[int, ...],
    changes: tuple[tuple[int, int], ...],
    season: str | None,
    number: str | None,
    step: int | None,
    zones: Path | None,
    zone_name: str | None,
) -> None:
    """Map organic carbon with its interval, and where the map may be believed.

    A Cloud Optimized GeoTIFF per layer and period in data/maps: organic_carbon, lower, upper (g/kg), dissimilarity and
    quality. Says first how much there is to do and how long it will take. Tiles that are done are kept: a map that was
    interrupted goes on where it was.

    With --change and without --year no map is made, only the change between two maps: change, change_lower,
    change_upper (g/kg), beyond_uncertainty and quality. It cannot prove that carbon has changed.
    """
    given = {"YEARS": json.dumps(years) if years or changes else None, "SEASON": season, "MODEL": number, "STEP": step}
    given |= {"CHANGES": json.dumps(changes) if years or changes else None}
    os.environ.update({f"SOC_MAP__{name}": str(value) for name, value in given.items() if value is not None})
    from soc_assets.cli import map_report, map_runner, runner
    from soc_assets.geo.zone_file import read_zones
    from soc_assets.mapping.change.changes import wanted_changes

    project = opened(config)
    runner.use_project(project, config)
    if zone_name and not zones:
        raise SocError(f"--zone-name {zone_name} names a column of which file? Add --zones FILE.")
    if not project.settings.map.wanted_years:
        raise SocError("Which year? `soc map --year 2020`, or years = [2020] in [map] of soc.toml.")
    inputs = map_runner.maps_of(project)
    if zones:
        read_zones(zones, inputs.lattice.grid.crs, zone_name)  # fails before anything is computed
    if years or not changes:
        _map(inputs)
    if wanted_changes(project):
        _compare(inputs)
    for line in map_report.zonal_tables(inputs, zones, zone_name) if zones else ():
        console.print(line, soft_wrap=True, markup=False)


def _map(inputs: "MapInputs") -> None:
    """Make the maps, and say what is to do and what came of it."""
    from soc_assets.cli import map_report, map_runner

    for line in map_report.plan(inputs):
        console.print(line, soft_wrap=True, markup=False)
    if due := map_report.due(inputs):
        console.print(map_report.time_needed(map_runner.with_model(inputs), due), soft_wrap=True, markup=False)
    _run(lambda: map_runner.make_maps(inputs), "Every map is fresh: nothing was computed.")
    map_runner.renew_maps(inputs)
    for table in map_report.tables(inputs):
        console.print(table)
    for line in map_report.where_to_look(inputs):
        console.print(line, soft_wrap=True, markup=False)


def _compare(inputs: "MapInputs") -> None:
    """Map the changes, and say what they hold."""
    from soc_assets.cli import change_report, map_runner

    for line in change_report.plan(inputs):
        console.print(line, soft_wrap=True, markup=False)
    _run(lambda: map_runner.make_changes(inputs), "Every change is fresh: nothing was computed.")
    map_runner.renew_changes(inputs)
    console.print(change_report.table(inputs))
    for line in change_report.where_to_look(inputs):
        console.print(line, soft_wrap=True, markup=False)


def _run(make: "Callable[[], Outcome]", nothing: str) -> None:
    """Launch what is due, with its progress."""
    from soc_assets.cli import terminal

    with terminal.showing_progress(terminal.own_console(console)):
        outcome = make()
    if outcome.failures:
        raise SocError("\n".join(outcome.failures))
    if not outcome.launched:
        console.print(nothing)
