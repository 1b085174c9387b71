"""A port of this machine that nobody listens on, for servers that tests start."""

import socket


def free_port() -> int:
    """Free when it was looked for."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
