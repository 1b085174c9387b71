"""Running the page's server on this machine's own address until it is told to end."""

import socket
from typing import Any

from soc_assets.project import Project
from soc_assets.runtime import interrupts
from soc_assets.serving.app import make_app
from soc_assets.serving.state import State


def serve(project: Project, listening: socket.socket) -> None:
    """Answer requests for the page of the maps until a signal comes.

    Args:
        project: whose maps are shown.
        listening: a bound socket.
    """
    run(make_app(State(project)), listening)


def run(app: Any, listening: socket.socket) -> None:
    """Answer requests by an ASGI application until a signal comes."""
    import uvicorn

    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, lifespan="off")
    with interrupts.asking():  # nothing is in progress that could be lost: a signal ends it at once
        uvicorn.Server(config).run(sockets=[listening])
