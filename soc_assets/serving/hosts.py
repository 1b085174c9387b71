"""Under which names a server of this machine is asked: a page elsewhere that leads here has another."""

import re

_HOSTS = ("127.0.0.1", "localhost", "[::1]")


def is_local(host: str) -> bool:
    """Whether a request's header `host` names this machine."""
    return re.sub(r":\d+$", "", host).lower() in _HOSTS
