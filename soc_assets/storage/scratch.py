"""Matrices for the time of a block: in memory, or where they would take too much of it as memory-mapped files.

The operating system writes pages of a mapped file to disk and drops them when memory is short, so that a matrix larger
than memory can be filled and read. Its numbers are those of a matrix in memory.
"""

import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from soc_assets.runtime import memory
from soc_assets.storage.temporary import temporary_beside
from soc_assets.storage.write_errors import translate_write_errors

Allocate = Callable[[tuple[int, int]], np.ndarray]
"""Gives an uninitialised float32 matrix of a shape."""

MOST = 0.4
"""Share of the available memory that a matrix may take: training in memory holds a second, standardised one."""


def in_memory(shape: tuple[int, int]) -> np.ndarray:
    """An uninitialised float32 matrix in memory."""
    return np.empty(shape, np.float32)


@contextmanager
def matrices(path: Path, most: float = MOST) -> Iterator[Allocate]:
    """What allocates matrices that last as long as the block.

    Args:
        path: a file; matrices that do not fit into memory are files next to it, removed at the end of the block, or,
            if the process is killed, by whoever writes there next.
        most: share of the available memory that a matrix may take; 0 maps every matrix.

    Raises:
        StorageError: the disk has no room for a mapped matrix.
    """
    with ExitStack() as stack:

        def allocate(shape: tuple[int, int]) -> np.ndarray:
            size, available = 4 * shape[0] * shape[1], memory.available()
            if size == 0 or (most > 0 and (available is None or size <= most * available)):
                return in_memory(shape)
            name = stack.enter_context(temporary_beside(path))
            with translate_write_errors(path):
                _reserve(name, size)
            return np.asarray(np.memmap(name, np.float32, "r+", shape=shape))

        yield allocate


def is_mapped(array: np.ndarray) -> bool:
    """Whether an array is a part of a memory-mapped file."""
    owner: Any = array
    while owner is not None and not isinstance(owner, mmap.mmap):
        owner = getattr(owner, "base", None)
    return owner is not None


def _reserve(path: Path, size: int) -> None:
    """A file of a size, of which every byte has its place on disk: a full disk would end the process later."""
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
