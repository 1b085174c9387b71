"""Whether a process of this machine is still there, by which a run left behind by a dead one is known."""

import os

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
