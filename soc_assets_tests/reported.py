"""What is reported of progress inside a block."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from soc_assets.runtime import progress
from soc_assets.runtime.progress import Progress


@contextmanager
def reported(listener: Callable[[Progress], None] | None = None) -> Iterator[list[Progress]]:
    """Collects it; a listener hears it, too."""
    seen: list[Progress] = []
    with progress.of("asset"), progress.listening(seen.append), progress.listening(listener or (lambda now: None)):
        yield seen
