"""`soc serve`: the service for points."""

import os
from pathlib import Path

import click

from soc_assets.cli.options import config_option, console, explained
from soc_assets.errors import SettingsError
from soc_assets.project import open_project
from soc_assets.settings.loading import TOKEN_VARIABLE

_LEAST = 16  # characters of a token


@click.command()
@config_option
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on. Others need a token.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"A file with the token that requests must carry. Default: ${TOKEN_VARIABLE}.",
)
@click.option("--version", "number", help="Of the registered model. Default: the champion, or else the newest.")
@explained
def serve(config: Path | None, port: int, host: str, token_file: Path | None, number: str | None) -> None:
    """Answer questions for organic carbon at places over HTTP, with an interval, as `soc predict` does for a table.

    POST /predict takes {"places": [{"longitude": 11.43, "latitude": 48.22, "year": 2018}]}; GET /docs explains it, GET
    /model has the model's card. It listens on this machine only unless --host says otherwise, and then every request
    needs the token, as the header "authorization: Bearer TOKEN". Ctrl+C ends it.
    """
    from soc_assets.mapping.points import values_of
    from soc_assets.mapping.rows import Predictor
    from soc_assets.runtime import ports
    from soc_assets.serving.server import run
    from soc_assets.serving.service.api import Service, make_api
    from soc_assets.serving.service.batches import Batches
    from soc_assets.serving.service.places import points_of
    from soc_assets.tracking.champion import card_of
    from soc_assets.tracking.registered import load_registered
    from soc_assets.tracking.store import tracking_of

    token = _token(token_file)
    local = host in ("127.0.0.1", "localhost", "::1")
    if not local and token is None:
        raise SettingsError(
            f"--host {host} can be reached by others, so requests need a token: put one of {_LEAST} characters or more "
            f"into a file (openssl rand -hex 32 > token) and name it by --token-file, or set {TOKEN_VARIABLE}."
        )
    project = open_project(config)
    tracking = tracking_of(project)
    registered = load_registered(tracking, number)
    predictor = Predictor(project, registered)
    batches = Batches(lambda cells: values_of(points_of(cells), predictor))
    service = Service(registered, card_of(tracking, registered), batches, token, local)
    with ports.bind(port, host) as listening:
        listening.listen(1024)  # who reads that it answers may ask at once
        shown = f"[{host}]" if ":" in host else host
        console.print(f"{registered.uri} answers at http://{shown}:{port}/docs (Ctrl+C ends)", markup=False)
        run(make_api(service), listening)


def _token(file: Path | None) -> str | None:
    """The token of the file, or of the variable."""
    where = str(file) if file else TOKEN_VARIABLE
    try:
        token = file.read_text(encoding="utf-8").strip() if file else os.environ.get(TOKEN_VARIABLE)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"--token-file {file} cannot be read: {error}.") from error
    if token is not None and len(token) < _LEAST:
        raise SettingsError(f"The token of {where} has {len(token)} characters; at least {_LEAST} are needed.")
    return token
