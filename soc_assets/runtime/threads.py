"""The same work on many things in several threads, with the results in the order of the things.

For work that waits for files, or runs in libraries that let other threads run meanwhile (GDAL, numpy, hashlib). Each
call runs in a copy of the caller's context, so that progress is attributed correctly.
"""

import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from typing import TypeVar

from soc_assets.runtime import interrupts

MOST_AT_ONCE = 8
"""Threads at most by default, however many cores there are, so that memory stays small."""

T = TypeVar("T")
R = TypeVar("R")


def threaded_map(work: Callable[[T], R], things: Sequence[T], threads: int | None = None) -> Generator[R, None, None]:
    """The result of each thing in order, as soon as it and those before it are there.

    An error of `work` is raised in its turn. When the generator is closed, pending work is cancelled, and running work
    is waited for.

    Args:
        work: called in another thread.
        things: what it is called with.
        threads: how many at once; by default as many as the machine has cores, up to `MOST_AT_ONCE`.
    """

    def heeding_signals(thing: T, context: Context) -> R:
        interrupts.check()
        return context.run(work, thing)

    with ThreadPoolExecutor(threads or min(os.cpu_count() or 1, MOST_AT_ONCE)) as pool:
        yield from pool.map(heeding_signals, things, [copy_context() for _ in things])
