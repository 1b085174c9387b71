"""Whether a process of this machine is still there, by which runs and files left behind by a dead one are known."""

import os
import socket
import zlib
from functools import cache
from pathlib import Path

HOST_TAG, PROCESS_TAG = "soc/host", "soc/process"
"""Tags of Dagster runs that are executed in the process of `soc run`."""


def is_alive(process: int) -> bool:
    """Whether a process of this number exists on this machine."""
    if os.name == "nt":  # there, signal 0 would end the process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


@cache
def here() -> str:
    """Eight digits for this machine and its numbering of processes, which a container has of its own."""
    try:
        numbering = str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # not Linux
        numbering = ""
    return f"{zlib.crc32(f'{socket.gethostname()} {numbering}'.encode()):08x}"
