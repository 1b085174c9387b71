"""Ports of this machine's own address, for servers that nobody else is to reach."""

import errno
import socket

from soc_assets.errors import SettingsError

LOOPBACK = "127.0.0.1"


def bind(port: int) -> socket.socket:
    """A socket on a port of 127.0.0.1; what has just ended on it does not count.

    Raises:
        SettingsError: the port is in use, or this user may not have it; names a free one.
    """
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((LOOPBACK, port))
    except OSError as error:
        made.close()
        found = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
        raise SettingsError(f"Port {port} of this machine {found}. Choose another: --port {_another()}") from error
    return made


def require_free(port: int) -> None:
    """Look before anything is started: the daemon would run on without its UI, and MLflow exit as if successful.

    Raises:
        SettingsError: see `bind`.
    """
    bind(port).close()


def _another() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
