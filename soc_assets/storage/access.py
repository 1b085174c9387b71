"""Reading a file wherever it lies, on this machine or on object storage: by ranges, as a copy, or by its listing.

Stages open files of the data folder with what is here; writing them is in `soc_assets.storage.files`.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING, Any, cast

from soc_assets.storage.write_errors import translate_write_errors

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from soc_assets.storage.object_path import ObjectPath

Stamp = tuple[int, int, int, int]
"""Bytes, mtime in ns, ctime in ns and inode: what changes when another file takes a file's place."""


def is_stored(path: Any) -> "TypeIs[ObjectPath]":
    """Whether a path is on object storage, where it has a Path's methods and is no file of this machine."""
    return not isinstance(path, PurePath | str)


def folder_at(url: str) -> Path:
    """The folder at a URL, declared as the Path whose methods it has."""
    from soc_assets.storage.object_path import of_url

    return cast(Path, of_url(url))


def at(place: str) -> Path:
    """The file or folder at a path or URL, as text."""
    return folder_at(place) if "://" in place else Path(place)


def source(path: "Path | ObjectPath") -> Any:
    """What pyarrow and pandas read a file from: a path, or a file that reads the ranges asked for."""
    return path.open("rb") if is_stored(path) else path


@contextmanager
def local_copy(path: Path) -> Iterator[Path]:
    """The file itself, or for the time of a block a copy of it on this machine, for libraries that need a path.

    Raises:
        FileNotFoundError: there is none.
        StorageError: storage does not answer.
    """
    if not is_stored(path):
        yield path
        return
    with temporary_file(path.name) as copy:
        path.get(copy)
        yield copy


def kept_copy(path: Path, folder: Path) -> Path:
    """The file itself, or a copy of it in a folder of this machine, downloaded again only when it has changed.

    Raises:
        StorageError: storage does not answer.
    """
    if not is_stored(path):
        return path
    from soc_assets.storage import download

    copy = folder / "downloaded" / path.name
    download.file(str(path), copy)
    return copy


@contextmanager
def temporary_file(name: str) -> Iterator[Path]:
    """A path for a file of this name in a folder of its own, which is removed after the block."""
    with tempfile.TemporaryDirectory(prefix="soc-") as folder:
        path = Path(folder) / name
        with translate_write_errors(path, "TMPDIR"):
            yield path


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A file for reading many times over, such as a zip: one on storage is downloaded first."""
    with local_copy(path) as copy, copy.open("rb") as file:
        yield file


def stamp(path: "Path | ObjectPath") -> Stamp:
    """Bytes, mtime, ctime and inode of a file: size and time alone may be equal, with `rsync -t` or unzip.

    Raises:
        FileNotFoundError: there is none.
    """
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def version_of_nothing(folder: Path) -> str | None:
    """The `version` of a file that is not in a folder."""
    return None if is_stored(folder) else ""


def versions_in(folder: "Path | ObjectPath") -> dict[str, str]:
    """Names of the files in a folder with their `version`, from one listing; none where it is not there."""
    if is_stored(folder):
        return {name: found.version for name, found in folder.stats().items()}
    if not folder.is_dir():
        return {}
    with os.scandir(folder) as entries:
        return {entry.name: "" for entry in entries}


def local_lock(path: Path) -> Path:
    """The file of a lock among the processes of this machine that write a file or folder; its folder is made."""
    if is_stored(path):
        name = hashlib.sha256(str(path).encode()).hexdigest()[:16]
        lock = Path(tempfile.gettempdir()) / f"soc_assets-{name}.lock"
    else:
        lock = path.with_name(f".{path.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    return lock


def version(path: Path) -> str | None:
    """Which version of a file is on object storage, None where there is none; empty on this machine, where none counts.

    A writer asks before it reads what it writes from, and hands it to `files.replacing`.
    """
    return path.version() if is_stored(path) else ""


def gdal_name(path: Path) -> str:
    """What GDAL opens."""
    from soc_assets.storage.raster_location import GDAL_PREFIXES

    if not is_stored(path):
        return str(path)
    scheme, _, key = str(path).partition("://")
    return f"{GDAL_PREFIXES[scheme]}{key}"
