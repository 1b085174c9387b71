"""Files and folders under a temporary name in the target folder, and removing what killed processes left of them."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from soc_assets.runtime.process import is_gone_from_name, mark_of_files
from soc_assets.storage.write_errors import new_beside

_TEMPORARY = re.compile(r"\..+\.tmp(\.wal)?")
_SELDOM = 20.0
_clock = time.perf_counter
_looked: dict[Path, tuple[float, float]] = {}  # folder -> when it was last looked through, and the seconds it took


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A name in the same folder, which may be written for the time of a block; what is left of it then goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path)
    name = new_beside(path, mark_of_files())
    try:
        yield name
    finally:
        for left in (name, f"{name}.wal"):  # the latter is DuckDB's
            Path(left).unlink(missing_ok=True)


def remove_abandoned(path: Path) -> None:
    """Remove what dead processes of this machine left half-written next to `path`.

    Looking through a folder of thousands of files at each of thousands of writes would take most of the time: it is
    left out until 20 times as long has passed as the last look took.
    """
    folder, now = path.parent.absolute(), _clock()
    looked, took = _looked.get(folder, (0.0, 0.0))
    if now < looked + _SELDOM * took:
        return
    with os.scandir(folder) as entries:
        left = [entry.path for entry in entries if _TEMPORARY.fullmatch(entry.name) and is_gone_from_name(entry.name)]
    for temporary in left:
        remove_tree(Path(temporary))
    _looked[folder] = (after := _clock()), after - now


def is_being_written(temporary: Path) -> bool:
    """Whether the process of this machine that a temporary file or folder is of is still there."""
    return _TEMPORARY.fullmatch(temporary.name) is not None and is_gone_from_name(temporary.name) is False


def remove_tree(path: Path) -> None:
    """Remove a file, or a folder with everything in it, if it is there; nothing of it is on object storage."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
