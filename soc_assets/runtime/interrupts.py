"""Ctrl+C, SIGTERM and SIGHUP: long work ends at its next step, and whatever does not end in time is killed.

A command works in its own thread, so that the main thread, the only one to which Python delivers signals, can always
handle them; Dagster leaves their handlers alone there, too. The handler only records the signal; `check`, which long
work calls between batches, epochs, fits, trials, tiles, rasters and files, raises `Interrupted`. What has not ended
after `GRACE` seconds, and everything at a second signal, ends as if it were killed: no file is ever half written.

Without `listen`, in notebooks, tests and Dagster's own processes, nothing here does anything.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from pathlib import Path
from types import FrameType
from typing import NoReturn, TypeVar

GRACE = 2.5
"""Seconds for a clean end."""

MESSAGE = "Interrupted; what was finished is kept: run again"
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_LEAVE_AT_ONCE = threading.Event()  # nothing is in progress that could end by itself
_received: list[int] = []
_listening: list[bool] = []
_stops: list[Callable[[], None]] = []
_said: list[bool] = []
_SAYING = threading.RLock()
_STANDARD_ERROR: list[int] = []  # as it was in the beginning: Dagster sends that of a step through a file and `tail`
_asking: list[Callable[[], None]] = []  # gives the terminal back as it was before the question

T = TypeVar("T")


class Interrupted(BaseException):
    """The user, or the system, has asked the command to end.

    Not a `KeyboardInterrupt`: Dagster would take that for the crash of a step, and retry the step.
    """


def listen() -> None:
    """Handle signals from now on; called first in a command's process. Ignored signals stay ignored (nohup)."""
    _LEAVE_AT_ONCE.set()
    _listening.append(True)
    with suppress(OSError):  # closed
        _STANDARD_ERROR.append(os.dup(2))
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _heed)


def requested() -> bool:
    """Whether a signal has come."""
    return bool(_received)


def check() -> None:
    """Go on unless a signal has come; costs nothing, so call it often.

    Raises:
        Interrupted: it has.
    """
    if _received:
        raise Interrupted


def exit_code() -> int:
    """What a shell shows for a process that the signal has ended: 130 for Ctrl+C, 143 for SIGTERM."""
    return 128 + _received[0]


def heeding(work: Callable[[], T]) -> T:
    """What `work` returns; it runs in another thread where signals are listened to, and in this one elsewhere.

    Raises:
        Interrupted: a signal came, whatever became of the work.
    """
    if not _listening:
        return work()
    found: list[T] = []
    failed: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        _keep_from_children()
        try:
            found.append(work())
        except BaseException as error:  # raised below, in the main thread
            failed.append(error)
        finally:
            done.set()

    _LEAVE_AT_ONCE.clear()
    threading.Thread(target=copy_context().run, args=(run,), name="soc", daemon=True).start()
    while not done.wait(1.0):  # where signals do not interrupt a wait, as on Windows, they are heard in between
        continue
    check()
    _LEAVE_AT_ONCE.set()
    if failed:
        raise failed[0]
    return found[0]


@contextmanager
def asking() -> Iterator[None]:
    """In the block the user is asked for something: a signal ends the command at once, silently."""
    _asking.append(_terminal())
    try:
        yield
    finally:
        _asking.pop()


@contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[None]:
    """In the block `stop` is called when a signal comes, for work that nobody else can end, such as a query."""
    _stops.append(stop)
    try:
        yield
    finally:
        _stops.remove(stop)


def say() -> None:
    """Tell the user, once."""
    with _SAYING:  # another thread waits for it before it ends the process
        if not _said:
            _write(MESSAGE.encode() + b"\n", before_on_terminal=b"\x1b[?25h\n")  # progress bars hide the cursor
            _said.append(True)


def leave(code: int) -> NoReturn:
    """End the process and those that it has started, now."""
    if os.name != "nt":
        for process in descendants():
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)
    os._exit(code)


def _heed(number: int, _: FrameType | None) -> None:
    _received.append(number)
    if len(_received) > 1 or _asking or _LEAVE_AT_ONCE.is_set():
        _leave_as_requested()
    ending = threading.Timer(GRACE, _leave_as_requested)
    ending.daemon = True
    ending.start()
    for stop in list(_stops):
        stop()


def _leave_as_requested() -> NoReturn:
    if _asking:
        _asking[0]()
        _said.append(True)
        _write(b"\n")
    say()
    leave(exit_code())


def _write(words: bytes, before_on_terminal: bytes = b"") -> None:
    """What the process says before it ends goes past whatever its standard error is redirected to at that moment."""
    where = _STANDARD_ERROR[0] if _STANDARD_ERROR else 2
    with suppress(OSError):  # nobody reads it any more
        os.write(where, (before_on_terminal if os.isatty(where) else b"") + words)


def _terminal() -> Callable[[], None]:
    """Puts the terminal back into its present state, which a line with a history to go through changes."""
    if os.name == "nt" or not sys.stdin.isatty():
        return lambda: None
    import termios

    state = termios.tcgetattr(sys.stdin)
    return lambda: termios.tcsetattr(sys.stdin, termios.TCSANOW, state)


def descendants() -> list[int]:
    """Processes that this one has started, and theirs: of its pools, and of libraries (torch compiles in some)."""
    proc = Path("/proc")
    if not (proc / "self" / "stat").is_file():  # not Linux: those of Python's own pools
        pools = sys.modules.get("multiprocessing")
        return [child.pid for child in pools.active_children() if child.pid] if pools else []
    parents: dict[int, int] = {}
    for path in proc.glob("[0-9]*/stat"):
        with suppress(OSError):  # ended meanwhile
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found, wave = [], [os.getpid()]
    while wave:
        wave = [process for process, parent in parents.items() if parent in wave]
        found += wave
    return found


def _keep_from_children() -> None:
    """Ctrl+C in a terminal goes to every process: those that this thread starts leave it to this one to end them."""
    hold_back({signal.SIGINT})


def hold_back(numbers: Iterable[signal.Signals] = SIGNALS) -> None:
    """Keep signals from this thread, from the processes that it starts, and from the program that takes its place."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
