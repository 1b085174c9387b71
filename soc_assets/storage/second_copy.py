"""A second copy of what cannot be derived again: the ledger of batches, the splits, and the specs.

It lies next to the file (`splits.parquet`, `splits.copy.parquet`) with the same bytes; on object storage it is a
separate object. Of the two, the one that is intact is read and, where the expected digest is known, the one that
matches it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from soc_assets.storage import access, digest, files

_ALL = 64  # digits of a SHA-256


@dataclass(frozen=True)
class Repair:
    """Something that can be repaired without computing anything.

    Attributes:
        words: what is wrong; empty where nobody need know.
        act: repairs it.
        urgent: whether nothing works without it, so that a folder that cannot be written is an error.
    """

    words: str
    act: Callable[[], None]
    urgent: bool = True


Judge = Callable[[Path], bool]
"""Whether an existing file is intact."""


def copy_of(path: Path) -> Path:
    """Where the second copy of a file is."""
    return path.with_name(f"{path.stem}.copy{path.suffix}")


def write(path: Path, content: Callable[[Path], None], since: str | None = "") -> None:
    """Write a file and its second copy.

    On this machine the copy comes first: a reader in between sees the previous state. On object storage the file does,
    which may be refused.

    Args:
        path: of the file.
        content: writes it to a path.
        since: the version that may be replaced, as in `files.replacing`.

    Raises:
        ConflictError: another host has written the file since.
    """
    if not access.is_stored(path):
        content(copy_of(path))
        _put(copy_of(path), path)
        return
    with access.temporary_file(path.name) as made:  # the copy never holds what was not accepted
        content(made)
        _put(made, path, since)
        _put(made, copy_of(path))


def choose(path: Path, is_whole: Judge, known: str | None = None) -> Path | None:
    """The file to trust: itself, its copy, or None where neither is intact.

    Args:
        path: of the first.
        is_whole: whether one of them is.
        known: SHA-256 of the one that belongs there, where that is known; the copy is taken only if it is that one or
            the first is not whole.
    """
    whole = list(_whole(path, is_whole))
    right = [each for each in whole if known and digest.of_file(each, _ALL) == known]
    return next(iter(right or whole), None)


def repairs(path: Path, is_whole: Judge, known: str | None = None) -> Iterator[Repair]:
    """Restoring a file from its copy if that is to be trusted, or making a copy that is missing or damaged."""
    chosen, copy = choose(path, is_whole, known), copy_of(path)
    if chosen == copy:
        ailing = "is an older or edited one" if path.is_file() and is_whole(path) else "is damaged"
        words = f"{path} {ailing if path.is_file() else 'is missing'}, its copy {copy.name} is whole"
        yield Repair(words, partial(_put, copy, path))
    elif chosen is not None and not (copy.is_file() and is_whole(copy)):
        yield Repair(f"{copy} is damaged" if copy.is_file() else "", partial(_put, path, copy), urgent=False)


def _whole(path: Path, is_whole: Judge) -> Iterator[Path]:
    for each in (path, copy_of(path)):
        if each.is_file() and is_whole(each):
            yield each


def _put(source: Path, target: Path, since: str | None = "") -> None:
    with files.replacing(target, since=since) as temporary:
        temporary.write_bytes(source.read_bytes())
