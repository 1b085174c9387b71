"""`soc doctor`: loads no library itself that could be broken, so it does not share the other commands' options."""

import sys
from pathlib import Path

import click


@click.command()
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="The soc.toml to use.")
def doctor(config: Path | None) -> None:
    """Look at this machine: Python, packages, torch and its GPU, GDAL and PROJ, DuckDB, folders, disks and ports.

    Each fault comes with a cure. What is printed belongs into a bug report. Nothing is changed. Exit code 1 where
    something would stop a run.
    """
    from rich.table import Table
    from rich.text import Text

    from soc_assets.diagnostics.examination import examine
    from soc_assets.reporting.as_text import PlainConsole

    home = str(Path.home())
    console = PlainConsole(width=None if sys.stdout.isatty() else 140)
    counted = {"ok": 0, "warning": 0, "error": 0}
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    styles = {"ok": "green", "warning": "yellow", "error": "red"}
    for verdict in examine(config):
        counted[verdict.state] += 1
        style = styles[verdict.state]
        table.add_row(Text(verdict.state, style), Text(verdict.subject), Text(verdict.found.replace(home, "~")))
        if verdict.cure:
            table.add_row("", "", Text(f"-> {verdict.cure.replace(home, '~')}", style))
    console.print(table)
    words = [f"{counted[state]} {state}{'' if counted[state] == 1 else 's'}" for state in ("error", "warning")]
    console.print(f"{', '.join(words)}. Please add all of this to a bug report.")
    sys.exit(1 if counted["error"] else 0)
