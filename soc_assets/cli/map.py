"""The command `soc map`: says what it will do, makes the maps, and says what they hold."""

import json
import os
from pathlib import Path

import click

from soc_assets.cli.options import config_option, console, explained, opened
from soc_assets.errors import SocError


@click.command("map")
@config_option
@click.option("--year", "years", type=int, multiple=True, help="May be given several times. Default: [map] years.")
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
    """
    given = {"YEARS": json.dumps(years) if years else None, "SEASON": season, "MODEL": number, "STEP": step}
    os.environ.update({f"SOC_MAP__{name}": str(value) for name, value in given.items() if value is not None})
    from soc_assets.cli import map_report, map_runner, runner, terminal
    from soc_assets.geo.zone_file import read_zones

    project = opened(config)
    runner.use_project(project, config)
    if zone_name and not zones:
        raise SocError(f"--zone-name {zone_name} names a column of which file? Add --zones FILE.")
    if not project.settings.map.years:
        raise SocError("Which year? `soc map --year 2020`, or years = [2020] in [map] of soc.toml.")
    inputs = map_runner.maps_of(project)
    if zones:
        read_zones(zones, inputs.lattice.grid.crs, zone_name)  # fails before anything is computed
    for line in map_report.plan(inputs):
        console.print(line, soft_wrap=True, markup=False)
    if due := map_report.due(inputs):
        console.print(map_report.time_needed(map_runner.with_model(inputs), due), soft_wrap=True, markup=False)
    own = terminal.own_console(console)
    with terminal.showing_progress(own):
        outcome = map_runner.make_maps(inputs)
    if outcome.failures:
        raise SocError("\n".join(outcome.failures))
    if not outcome.launched:
        map_runner.renew_documents(inputs)
        console.print("Every map is fresh: nothing was computed.")
    for table in map_report.tables(inputs):
        console.print(table)
    zonal = map_report.zonal_tables(inputs, zones, zone_name) if zones else ()
    for line in [*map_report.where_to_look(inputs), *zonal]:
        console.print(line, soft_wrap=True, markup=False)
