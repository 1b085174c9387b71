"""`soc doctor`: loads no library itself that could be broken, so it does not share the other commands' options."""

import re
import shutil
import sys
import textwrap
from pathlib import Path

import click

_COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}
_SUBJECT = 28  # characters of the column


@click.command()
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="The soc.toml to use.")
def doctor(config: Path | None) -> None:
    """Look at this machine: Python, packages, torch and its GPU, GDAL and PROJ, DuckDB, folders, disks and ports.

    Each fault comes with a cure. Include what is printed in a bug report. Nothing is changed. Exit code 1 where
    something would stop a run.
    """
    from soc_assets.diagnostics.examination import examine

    counted = dict.fromkeys(_COLOURS, 0)
    for verdict in examine(config):
        counted[verdict.state] += 1
        colour = _COLOURS[verdict.state]
        click.echo(click.style(f"{verdict.state:<9}", colour) + _in_columns(verdict.subject, verdict.found))
        if verdict.cure:
            click.echo(click.style(" " * 9 + _in_columns("", f"-> {verdict.cure}"), colour))
    words = [f"{counted[state]} {state}{'' if counted[state] == 1 else 's'}" for state in ("error", "warning")]
    click.echo(f"{', '.join(words)}. Include this output in any bug report.")
    sys.exit(1 if counted["error"] else 0)


def _in_columns(subject: str, found: str) -> str:
    """A line, or several under each other, as wide as the terminal; without control characters, home folder as ~."""
    plain = "".join(sign if sign.isprintable() else " " for sign in _without_home(found))
    width = max(shutil.get_terminal_size((140, 24)).columns - 9 - _SUBJECT, 30)
    lines = textwrap.wrap(plain, width, break_long_words=False, break_on_hyphens=False) or [""]
    return f"{subject:<{_SUBJECT - 1}} " + f"\n{' ' * (9 + _SUBJECT)}".join(lines)


def _without_home(text: str) -> str:
    try:
        home = Path.home()
    except RuntimeError:  # a user without an entry, as in containers
        return text
    if len(home.parts) < 3:
        return text
    return re.sub(rf"{re.escape(str(home))}(?=[/\\\s:;,)]|$)", "~", text)
