"""The `soc` command: the commands of `soc_assets.cli`, in the order of --help, each loaded when it is called.

`soc doctor` so runs where a library that the others need cannot be loaded. The process begins and ends in
`soc_assets.cli.start`. Exit codes are decided in `soc_assets.cli.options`; the work is elsewhere.
"""

from importlib import import_module

import click

COMMANDS = {
    "init": "project.init",
    "settings": "project.settings",
    "demo": "inputs.demo",
    "import-tiles": "inputs.import_tiles",
    "check": "inputs.check",
    "run": "assets.run",
    "status": "assets.status",
    "sql": "database.sql",
    "export": "database.export_command",
    "figures": "figures.figures",
    "import-run": "database.import_run_command",
    "predict": "points.predict",
    "map": "map.map_command",
    "view": "view.view",
    "serve": "serve.serve",
    "suggest": "suggest.suggest",
    "pretrain": "pretrain.pretrain",
    "refit": "assets.refit",
    "clean": "assets.clean",
    "ui": "servers.ui",
    "mlflow": "servers.mlflow",
    "doctor": "doctor.doctor",
}


class _Commands(click.Group):
    """The group whose commands are in `COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in this order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, loaded now."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(".")
        command: click.Command = getattr(import_module(f"soc_assets.cli.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of --help, also where a library that some commands need cannot be loaded."""
        try:
            super().format_commands(ctx, formatter)
        except ImportError as error:
            with formatter.section("Commands"):
                formatter.write_dl([(name, "") for name in COMMANDS])
            formatter.write_text(f"A library cannot be loaded ({error}): see `soc doctor`.")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="soc-assets")
def main() -> None:
    """Soil organic carbon from soil samples and multi-year rasters, as Dagster assets.

    \b
    First steps:
      soc init      begin a project: soc.toml, folders, a README
      soc demo      write a small synthetic region to try things on
      soc check     look at rasters and samples before computing anything
      soc run       compute everything that is missing or out of date
      soc status    what is there and what is stale
      soc sql       ask the database
      soc figures   figures for a publication
      soc predict   organic carbon at new points, with an interval
      soc map       organic carbon everywhere, as Cloud Optimized GeoTIFFs
      soc view      the maps in a browser
      soc serve     organic carbon at places, over HTTP
      soc suggest   where the next samples should be taken
      soc pretrain  let the encoder learn from your own rasters
      soc ui        see it all in the Dagster UI
      soc doctor    what this machine has, and what is wrong with it

    Settings are in soc.toml; any of them can be overridden by an environment variable, for example
    SOC_EMBEDDING__STAGE=encoder.

    Exit codes: 0 done, 1 failed (the message says what to fix), 2 usage error, 130 ended by Ctrl+C, 143 by SIGTERM.
    """  # noqa: D301 - click wants the sign itself
