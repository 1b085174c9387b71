"""Commands that start a server on this machine: ui, mlflow."""

import os
import sys
from pathlib import Path
from typing import NoReturn

import click

import soc_assets
from soc_assets.cli.options import config_option, explained, named
from soc_assets.errors import SettingsError
from soc_assets.project import load_project
from soc_assets.runtime import interrupts
from soc_assets.runtime.ports import require_free
from soc_assets.storage.write_errors import translate_write_errors

_PORT = click.IntRange(1, 65535)


@click.command()
@config_option
@click.option("--port", type=_PORT, default=3000, show_default=True)
@explained
def ui(config: Path | None, port: int) -> None:
    """Start the Dagster UI and daemon on this machine (loopback only), on the instance that `soc run` uses.

    Ctrl+C or SIGTERM ends them and the runs that they have in progress.
    """
    from soc_assets.cli import instance, runner

    project = load_project(config)
    require_free(port)
    runner.use_project(project, config or named(project))
    instance.prepare_instance(project)
    _require_alone(project.dagster_home, port)
    workspace = ["-w", str(Path(soc_assets.__file__).parent / "defs/workspace.yaml")]
    command = ["-W", "ignore", "-m", "dagster", "dev", *workspace, "-h", "127.0.0.1", "-p", str(port)]
    os.chdir(project.dagster_home if named(project) else project.root)
    _become(command)


@click.command()
@config_option
@click.option("--port", type=_PORT, default=5000, show_default=True)
@explained
def mlflow(config: Path | None, port: int) -> None:
    """Start the MLflow UI on this machine (loopback only)."""
    from soc_assets.storage.tracked_database import require_whole
    from soc_assets.tracking.relocated import follow_the_folder
    from soc_assets.tracking.store import tracking_of

    project = load_project(config)
    if server := project.settings.tracking.server:
        click.echo(f"MLflow is at {server} ([tracking] server in soc.toml).")
        return
    require_free(port)
    project.mlruns.mkdir(parents=True, exist_ok=True)
    require_whole(project.mlruns / "mlflow.db")
    follow_the_folder(project.mlruns / "mlflow.db")
    stores = [
        "--backend-store-uri",
        tracking_of(project).uri,
        "--default-artifact-root",
        (project.mlruns / "artifacts").as_uri(),
    ]
    command = ["-m", "mlflow", "server", *stores, "--host", "127.0.0.1", "--port", str(port)]
    _become(command)


def _require_alone(home: Path, port: int) -> None:
    """Hold a lock until this process, or the program that replaces it, ends: two daemons start every run twice.

    Raises:
        SettingsError: another `soc ui` holds it.
    """
    if sys.platform == "win32":
        return
    import fcntl

    with translate_write_errors(home, "DAGSTER_HOME"):
        held = os.open(home / ".ui.lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        where = os.read(held, 16).decode(errors="replace").strip()
        os.close(held)
        raise SettingsError(
            f"`soc ui` is running on {home} already: see http://127.0.0.1:{where}, or end that one first. Two at once "
            "would start scheduled runs twice."
        ) from error
    os.ftruncate(held, 0)
    os.write(held, str(port).encode())
    os.set_inheritable(held, True)


def _become(arguments: list[str]) -> NoReturn:
    """Replace this process by one that runs Python with these arguments and ends with all its processes."""
    interrupts.check()
    interrupts.hold_back()  # the program handles them itself, once it can
    supervised = ["-m", "soc_assets.cli.supervised", sys.executable, *arguments]
    os.execv(sys.executable, [sys.executable, *supervised])
