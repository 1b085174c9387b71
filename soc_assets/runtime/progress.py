"""Progress of long work, from where it happens to where it is shown.

An asset or command says whose work it is (`with progress.of("features"):`), the work itself calls `report`, and the
command line listens and draws bars. Outside of `of` nothing is shown. In the Dagster UI the log has what is worth a
line there (`unit`). Messages without counts go to `logging` directly. The time left is estimated here for all of them.

Threads see the block that they are started in only where they run in a copy of its context, as those of
`soc_assets.runtime.threads` do.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from threading import Lock

from soc_assets.runtime import interrupts

_log = logging.getLogger(__name__)
_MB = 1_000_000
_LARGE = 5 * _MB  # bytes of a table whose rows are checked within some seconds
_SOONEST, _RECENT, _KEPT = 2.0, 10.0, 200  # seconds before an estimate, and that count at least; counts kept


@dataclass(frozen=True)
class Progress:
    """`done` of `total` units of an asset's work, and a few words (samples per second, loss).

    `left` is the estimated time to the end in seconds, None where it is not known (yet).
    """

    asset: str
    done: int
    total: int
    message: str = ""
    left: float | None = field(default=None, compare=False)


class Pace:
    """Estimates the time left from the counts of the last half of the time, so that what was there already drops out.

    Args:
        clock: seconds, from any beginning.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._total = clock, 0
        self._start = clock()
        self._seen: deque[tuple[float, int]] = deque()
        self._lock = Lock()  # threads of a pool report, too

    def left(self, done: int, total: int) -> float | None:
        """Seconds to the end, now that so much is done; None until two seconds show a pace, and at the end."""
        with self._lock:
            return self._left(done, total, self._clock())

    def _left(self, done: int, total: int, now: float) -> float | None:
        if total != self._total or (self._seen and done < self._seen[-1][1]):  # other work begins
            self._total, self._start = total, now
            self._seen.clear()
        cutoff = now - max((now - self._start) / 2, _RECENT)
        while len(self._seen) > 1 and self._seen[1][0] <= cutoff:
            self._seen.popleft()
        if not self._seen or now - self._seen[-1][0] >= (now - self._start) / _KEPT:
            self._seen.append((now, done))
        since, before = self._seen[0]
        if done >= total or done <= before or now - since < _SOONEST:
            return None
        return (now - since) * (total - done) / (done - before)


def time_left(seconds: float) -> str:
    """A time to the end as a person would say it.

    >>> time_left(0.2), time_left(75), time_left(1000), time_left(9000)
    ('about 1 s left', 'about 75 s left', 'about 17 min left', 'about 2.5 h left')
    """
    if seconds < 90:
        return f"about {max(seconds, 1):.0f} s left"
    return f"about {seconds / 60:.0f} min left" if seconds < 5400 else f"about {seconds / 3600:.1f} h left"


@dataclass(frozen=True)
class _Scope:
    """Whose progress it is, and what the counts reported inside are part of."""

    asset: str
    before: int = 0
    total: int | None = None
    step: Progress | None = None
    pace: Pace = field(default_factory=Pace)

    def place(self, done: int, total: int, message: str, left: float | None = None) -> Progress:
        """Counts reported inside, as progress of the whole: those of a step, and its time left, are in its message."""
        if self.step:
            left = self.pace.left(done, total) if left is None else left
            words = f"{self.step.message}: {done} of {total} {message}"
            return replace(self.step, message=words if left is None else f"{words}, {time_left(left)} in this step")
        now = Progress(self.asset, self.before + done, total if self.total is None else self.total, message)
        return replace(now, left=self.pace.left(now.done, now.total) if left is None else left)


_listeners: list[Callable[[Progress], None]] = []
_scope: ContextVar[_Scope | None] = ContextVar("soc_assets_progress", default=None)
_file: ContextVar[tuple[str, int, int] | None] = ContextVar("soc_assets_file", default=None)


@contextmanager
def listening(listener: Callable[[Progress], None]) -> Iterator[None]:
    """Send progress to `listener` inside the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextmanager
def of(asset: str) -> Iterator[None]:
    """What is reported in the block is progress of this asset or command."""
    with _in(_Scope(asset)):
        yield


@contextmanager
def silent() -> Iterator[None]:
    """What is reported in the block is nobody's progress: work that is only tried, or part of something larger."""
    with _in(None):
        yield


@contextmanager
def part(before: int, total: int) -> Iterator[None]:
    """What is reported in the block is part of more: its counts go on from `before`, up to `total`."""
    scope = _scope.get()
    with _in(scope and replace(scope, before=scope.before + before, total=total)):
        yield


@contextmanager
def step(done: int, total: int, message: str) -> Iterator[None]:
    """Report a step that begins, also in the log; what is reported in the block says how far the step has come.

    Args:
        done: steps done before this one.
        total: their number.
        message: what the step does.
    """
    interrupts.check()
    scope = _scope.get()
    now = scope and scope.place(done, total, message)
    if now:
        _log.info("step %d of %d: %s", now.done + 1, now.total, now.message)
        _send(now)
    with _in(scope and replace(scope, step=now and replace(now, left=None), pace=Pace())):
        yield


def report(done: int, total: int, message: str = "", unit: str = "", left: float | None = None) -> None:
    """Report how far the work has come; interrupted work ends here.

    Args:
        done: units done.
        total: their number.
        message: a few words.
        unit: what is counted; with it the report is a line of the log, too (`fit 3 of 10: ...`).
        left: seconds to the end, where the work knows better than the counts say.

    Raises:
        Interrupted: see `soc_assets.runtime.interrupts`.
    """
    interrupts.check()
    if scope := _scope.get():
        now = scope.place(done, total, message, left)
        if unit:
            words = [now.message, *([] if now.left is None else [time_left(now.left)])]
            _log.info("%s %d of %d: %s", unit, now.done, now.total, ", ".join(filter(None, words)))
        _send(now)


@contextmanager
def reading(name: str, before: int, total: int) -> Iterator[None]:
    """In the block a file is read, one of several.

    Args:
        name: of the file.
        before: bytes of the files before it.
        total: bytes of all of them.
    """
    token = _file.set((name, before, total))
    try:
        yield
    finally:
        _file.reset(token)


def report_bytes(done: int) -> None:
    """Report how many bytes of the file of `reading` are read, in MB of all files; of small ones nothing."""
    name, before, total = _file.get() or ("", 0, 0)
    if total >= _LARGE:
        report((before + done) // _MB, total // _MB, f"MB read, {name}")


@contextmanager
def logging_to(handler: logging.Handler, logger: str) -> Iterator[None]:
    """Let a handler have what this logger and those below it say inside the block, from INFO on."""
    found = logging.getLogger(logger)
    before = found.level
    found.addHandler(handler)
    found.setLevel(min(found.getEffectiveLevel(), logging.INFO))
    try:
        yield
    finally:
        found.setLevel(before)
        found.removeHandler(handler)


@contextmanager
def _in(scope: _Scope | None) -> Iterator[None]:
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)


def _send(now: Progress) -> None:
    for listener in list(_listeners):
        listener(now)
