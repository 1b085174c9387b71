"""Ports of this machine's own address, for servers that nobody else is to reach."""

import errno
import socket

from soc_assets.errors import SettingsError

LOOPBACK = "127.0.0.1"


def bind(port: int, host: str = LOOPBACK) -> socket.socket:
    """A socket on a port of an address of this machine; what has just ended on it does not count.

    Raises:
        SettingsError: the port is in use, or this user may not have it; names a free one. Or the address is not one of
            this machine.
    """
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise SettingsError(f"--host {host} is not an address of this machine. 0.0.0.0 is all of them.") from error
        found = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
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
