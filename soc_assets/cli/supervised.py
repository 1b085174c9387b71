"""A command that terminates together with all its child processes: `python -m soc_assets.cli.supervised COMMAND ...`.

`dagster dev` ends its servers only where Ctrl+C reaches each of them; on SIGTERM, as service managers and scripts send
it, it would leave them running. Here SIGTERM, SIGHUP and SIGINT all count as Ctrl+C, what does not end within seconds
is killed, and a second signal kills at once. POSIX only.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from soc_assets.runtime.interrupts import MESSAGE, SIGNALS

GRACE = 3.0  # seconds for a clean end
_AFTER = 1.0  # seconds for what the command has left behind
_POLL = 0.05


def run(command: list[str], grace: float = GRACE) -> int:
    """Run a command in a process group of its own until it ends or this process gets a signal; returns the exit code.

    After a signal it says so, and the code is what a shell shows for the signal (130 for Ctrl+C, 143 for SIGTERM).

    Args:
        command: program and arguments.
        grace: seconds between the interrupt and the kill.
    """
    received: list[int] = []
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, lambda found, _: received.append(found))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # `soc ui` holds them back until here
    process = subprocess.Popen(command, start_new_session=True)
    _wait(lambda: process.poll() is not None or bool(received))
    if received:
        print(MESSAGE, file=sys.stderr, flush=True)
        _signal(process.pid, signal.SIGINT)
        _wait(lambda: process.poll() is not None or len(received) > 1, grace)
    _wait(lambda: len(received) > 1 or not _signal(process.pid, 0), _AFTER if process.poll() is not None else 0.0)
    _signal(process.pid, signal.SIGKILL)
    code = process.wait()
    if received:
        return 128 + received[0]
    return code if code >= 0 else 128 - code


def _wait(done: Callable[[], bool], seconds: float = float("inf")) -> None:
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        time.sleep(_POLL)


def _signal(group: int, number: int) -> bool:
    """Signal every process of a group; returns whether there is any."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS: not permitted where all have ended
        return False
    return True


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
