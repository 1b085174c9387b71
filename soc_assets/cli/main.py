"""The `soc` command: assembles the commands of `soc_assets.cli`, in the order of --help.

The process begins and ends in `soc_assets.cli.start`. Exit codes are decided in `soc_assets.cli.options`; the work is
elsewhere.
"""

import click

from soc_assets.cli import assets, database, inputs, map, points, pretrain, servers, suggest, view


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="soc-assets")
def main() -> None:
    """Soil organic carbon from soil samples and multi-year rasters, as Dagster assets.

    \b
    First steps:
      soc demo      write a small synthetic region to try things on
      soc check     look at rasters and samples before computing anything
      soc run       compute everything that is missing or out of date
      soc status    what is there and what is stale
      soc sql       ask the database
      soc predict   organic carbon at new points, with an interval
      soc map       organic carbon everywhere, as Cloud Optimized GeoTIFFs
      soc view      the maps in a browser
      soc suggest   where the next samples should be taken
      soc pretrain  let the encoder learn from your own rasters
      soc ui        see it all in the Dagster UI

    Settings are in soc.toml; any of them can be overridden by an environment variable, for example
    SOC_EMBEDDING__STAGE=encoder.

    Exit codes: 0 done, 1 failed (the message says what to fix), 2 usage error, 130 ended by Ctrl+C, 143 by SIGTERM.
    """  # noqa: D301 - click wants the sign itself


for command in (
    inputs.demo,
    inputs.import_tiles,
    inputs.check,
    assets.run,
    assets.status,
    database.sql,
    database.export_command,
    database.import_run_command,
    points.predict,
    map.map_command,
    view.view,
    suggest.suggest,
    pretrain.pretrain,
    assets.refit,
    assets.clean,
    servers.ui,
    servers.mlflow,
):
    main.add_command(command)
