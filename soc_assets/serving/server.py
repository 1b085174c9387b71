"""Running the page's server on this machine's own address until it is told to end."""

import socket

from soc_assets.project import Project
from soc_assets.runtime import interrupts
from soc_assets.serving.app import make_app
from soc_assets.serving.state import State

_GRACE = 1  # seconds for answers in progress


def serve(project: Project, listening: socket.socket) -> None:
    """Answer requests; returns when a signal comes.

    Args:
        project: whose maps are shown.
        listening: a bound socket.
    """
    import uvicorn

    config = uvicorn.Config(
        make_app(State(project)),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
        lifespan="off",
    )
    server = uvicorn.Server(config)

    def stop() -> None:
        server.should_exit = True

    with interrupts.stopping(stop):
        server.run(sockets=[listening])
