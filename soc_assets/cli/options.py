"""What every command shares: the console, the option --config, and errors shown without a traceback."""

import math
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any

import click

from soc_assets.errors import SocError, SocWarning, StorageError, TableError
from soc_assets.project import Project, is_url, load_project, prepare
from soc_assets.reporting.as_text import PlainConsole, plain
from soc_assets.runtime import interrupts
from soc_assets.storage.one_look import one_look

console = PlainConsole(width=None if sys.stdout.isatty() else 140)
config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The soc.toml to use. Default: $SOC_CONFIG, or the nearest soc.toml from the current folder upwards.",
)


class FiniteRange(click.FloatRange):
    """A range of finite numbers: click lets nan pass, as it is neither below nor above an end."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def _showing_warnings() -> Callable[..., None]:
    """Shows the platform's own warnings, each once; those of libraries are for developers."""
    shown: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
        if issubclass(category, SocWarning) and str(message) not in shown:
            shown.add(str(message))
            click.secho(plain(f"Warning: {message}"), fg="yellow", err=True)

    return show


def explained(command: Callable[..., Any]) -> Callable[..., Any]:
    """Print errors that the user can fix without a traceback, and exit with 1; stop on a signal (`interrupts`)."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with warnings.catch_warnings():
            warnings.showwarning = _showing_warnings()
            try:
                return interrupts.heeding(lambda: command(*args, **kwargs))
            except interrupts.Interrupted:
                interrupts.say()
                sys.exit(interrupts.exit_code())
            except SocError as error:
                click.secho(plain(f"Error: {error}"), fg="red", err=True)
                sys.exit(1)

    return wrapped


@contextmanager
def _unless_it_cannot_be_written() -> Iterator[None]:
    """Another user's project can be read: what does need the database reports it."""
    try:
        yield
    except StorageError as error:
        warnings.warn(str(error), SocWarning, stacklevel=2)


def named(project: Project) -> Path | None:
    """The project's soc.toml, where there is one."""
    path = project.root / "soc.toml"
    return path if path.is_file() else None


@one_look()
def opened(config: Path | None) -> Project:
    """The project; its database, whose paths are absolute, is rebuilt where the folder was moved.

    What must be a file of this machine is downloaded first, and the database follows that of other hosts.
    """
    from soc_assets.cli import terminal
    from soc_assets.features import refresh

    project = load_project(config)
    with terminal.showing_progress(PlainConsole(stderr=True)):  # standard output is for results
        prepare(project)
    if refresh.moved(project):
        console.print(f"{project.data} was moved: rebuilding {project.database.name}.", soft_wrap=True, markup=False)
        with terminal.showing_progress(console), suppress(TableError), _unless_it_cannot_be_written():
            refresh.ensure(project)
    if is_url(project.settings.paths.data):
        with terminal.showing_progress(PlainConsole(stderr=True)):
            refresh.rebuild_database_if_stale(project)
    return project
