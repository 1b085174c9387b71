"""What must be done to synchronise a copy with the stored folder, decided by three facts about each file.

How it is on this host, how it is stored, and how both were when they were last equal. What of a data folder is shared,
and what each host has for itself, is decided here too. Nothing is transferred here.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from soc_assets.storage.objects import stamp_of, version_of

SHARED = ("catalog", "samples", "embeddings", "features", "results", "maps")
"""Folders of data/ that all hosts share. soc.duckdb, whose paths are absolute, and exports are each host's own."""

_OWN = (  # made again where they are missing; states of a pre-training are of the host that trains
    *(("catalog", "previews"), ("results", "inputs")),
    *(("results", "pretraining"), ("results", "encoders")),
)
_OWN_ENDINGS = (".db", ".db-journal", ".wrong")  # Optuna's database; batches set aside
_MD5 = re.compile(r"[0-9a-f]{32}")  # the ETag of an object that was stored in one piece and without a key of its own


@dataclass(frozen=True)
class Kept:
    """A file of the copy: bytes, and time of change in ns."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> "Kept | None":
        """The file as it is; None where there is none."""
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return cls(found.st_size, found.st_mtime_ns) if path.is_file() else None


@dataclass(frozen=True)
class Stored:
    """A stored object: bytes, time of change in ns, and what differs from its other versions."""

    size: int
    changed_ns: int
    version: str

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> "Stored":
        """From what fsspec says of it."""
        return cls(*stamp_of(info), version_of(info))


@dataclass(frozen=True)
class Row:
    """A file when copy and storage were last equal; `removed` where it has been removed here since."""

    kept: Kept
    version: str
    removed: bool = False


@dataclass(frozen=True)
class Todo:
    """A file, and what is to be done with it; `adopt` notes that both are equal."""

    name: str
    what: Literal["get", "put", "remove here", "remove there", "adopt", "forget"]
    stored: Stored | None = None


def plan(known: Mapping[str, Row], here: Mapping[str, Kept], there: Mapping[str, Stored], sends: bool) -> list[Todo]:
    """What to do with each file.

    A file that was written here and never stored is sent, not removed; if two differ, the newer one wins.

    Args:
        known: how files were when copy and storage were last equal.
        here: files of the copy.
        there: files stored.
        sends: whether the copy's own files count; otherwise what is stored wins.
    """
    return list(_plan(known, here, there, sends))


def _plan(
    known: Mapping[str, Row], here: Mapping[str, Kept], there: Mapping[str, Stored], sends: bool
) -> Iterator[Todo]:
    for name in sorted(known.keys() | here.keys() | there.keys()):
        row, kept, stored = known.get(name), here.get(name), there.get(name)
        own = kept is not None and (row is None or kept != row.kept)  # written here since
        new = stored is not None and (row is None or stored.version != row.version)
        if stored is None:
            if kept is None:
                yield Todo(name, "forget")
            else:
                yield Todo(name, "put" if own and sends else "remove here")
        elif kept is None:
            yield Todo(name, "remove there" if sends and row and row.removed and not new else "get", stored)
        elif own and row is None and (kept.size, kept.mtime_ns) == (stored.size, stored.changed_ns):
            yield Todo(name, "adopt", stored)
        elif own and sends and (not new or kept.mtime_ns > stored.changed_ns):
            yield Todo(name, "put", stored)
        elif own or new:
            yield Todo(name, "get", stored)


def same_bytes(path: Path, stored: Stored) -> bool:
    """Whether a file has the stored object's bytes, as far as size and ETag tell."""
    if path.stat().st_size != stored.size:
        return False
    etag = stored.version.strip('"')
    if not _MD5.fullmatch(etag):
        return True
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == etag


def is_shared(name: str) -> bool:
    """Whether all hosts have a file of the data folder in common, by its name below it."""
    parts = tuple(name.split("/"))
    return (
        len(parts) > 1
        and parts[0] in SHARED
        and parts[:2] not in _OWN
        and not name.endswith(_OWN_ENDINGS)
        and is_plain(name)
    )


def is_plain(name: str) -> bool:
    """Not hidden, no folder, and below the folder it is to be in."""
    return all(part and not part.startswith(".") for part in name.split("/"))
