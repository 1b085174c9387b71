"""Progress of long work, from wherever it happens to whoever shows it.

The stages report through callbacks; the assets pass them on to `emit`; the command line listens and draws bars. Without
a listener nothing happens (in the Dagster UI the log tells the same).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from soc_assets.runtime import interrupts


@dataclass(frozen=True)
class Progress:
    """`done` of `total` units of an asset's work, and a few words (samples per second, loss)."""

    asset: str
    done: int
    total: int
    words: str = ""


_MB = 1_000_000
_LARGE = 5 * _MB  # bytes of a table whose rows are judged within some seconds

_listeners: list[Callable[[Progress], None]] = []


def emit(asset: str, done: int, total: int, words: str = "") -> None:
    """Tell the listeners; work that was told to end ends here.

    Raises:
        Interrupted: see `soc_assets.runtime.interrupts`.
    """
    interrupts.check()
    for listener in _listeners:
        listener(Progress(asset, done, total, words))


def reading(asset: str) -> Callable[[int, int, str], None]:
    """Tells how much of large files is read, in MB; of small ones nothing."""

    def tell(done: int, total: int, name: str) -> None:
        if total >= _LARGE:
            emit(asset, done // _MB, total // _MB, f"MB read, {name}")

    return tell


@contextmanager
def listening(listener: Callable[[Progress], None]) -> Iterator[None]:
    """Send progress to `listener` inside the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
