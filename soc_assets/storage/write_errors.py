"""Folders that cannot be written: full disks, read-only disks, missing permissions, each with its fix.

Libraries report these with their own exceptions, so they are recognised by the system's messages. What is written is
elsewhere.
"""

import errno
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from soc_assets.errors import SocError, StorageError

PATHS = "[paths] in soc.toml"
_NO_SPACE = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "disk is full")
_READ_ONLY = (os.strerror(errno.EROFS), "readonly database")
_FORBIDDEN = (os.strerror(errno.EACCES), os.strerror(errno.EPERM))
_NO_FOLDER = (os.strerror(errno.ENOTDIR), os.strerror(errno.EEXIST))
_VAGUE = ("disk I/O error", "unable to open database file")  # SQLite's, for any of them
_LITTLE = 2**24  # free bytes of a disk that is practically full
_NOWHERE = "No usable temporary directory found"  # Python's
_KEPT = "What was finished before is kept, and the same command goes on from there."


@contextmanager
def translate_write_errors(path: Path, setting: str = PATHS) -> Iterator[None]:
    """Raise what `cannot_write` says of an error of writing `path` inside the block.

    Raises:
        StorageError: the disk is full or read-only, or permission is missing.
    """
    try:
        yield
    except Exception as error:
        if translated := cannot_write(error, path, setting):
            raise translated from error
        raise


def probe(folder: Path) -> None:
    """Write some megabytes into a folder and remove them, where a library has failed without saying why.

    Raises:
        OSError: they cannot be written.
    """
    path = new_beside(folder / "probe", "")
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(_LITTLE // 2**20):
                if file.write(bytes(2**20)) < 2**20:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        path.unlink()


def cannot_write(error: BaseException, path: Path, setting: str = PATHS) -> StorageError | None:
    """What a user can do about an error of writing `path`, or None where it is about something else.

    Args:
        error: of whatever library.
        path: the file or folder that was being written.
        setting: what names the folder.
    """
    if isinstance(error, SocError):
        return None
    if words := temporary_in(str(error), path):
        return StorageError(words)
    if isinstance(error, OSError) and error.filename and not _inside(Path(os.fsdecode(error.filename)), path.parent):
        return None
    text = str(error)
    if not any(words in text for words in (*_NO_SPACE, *_READ_ONLY, *_FORBIDDEN, *_VAGUE, *_NO_FOLDER)):
        return None
    if any(words in text for words in _NO_FOLDER):
        file = _nearest(path)
        if file == path or file.is_dir():
            return None
        found, cure = f"{file} is a file, not a folder", "Rename it, or name another folder"
    elif any(words in text for words in _NO_SPACE):
        found, cure = "no space is left on its disk", "Free some, or name a folder on a larger disk"
    elif os.strerror(errno.EROFS) in text or _read_only(path):
        found, cure = "its disk is read-only", "Make it writable, or name a folder on another disk"
    elif any(words in text for words in _FORBIDDEN) or not os.access(_nearest(path), os.W_OK):
        found, cure = "this user may not write there", "Change the permissions, or name another folder"
    elif any(words in text for words in _READ_ONLY):
        found, cure = "a file in it cannot be written", "Change its permissions, or name another folder"
    else:
        found, cure = "its disk is full or defective", "Free some space, or name a folder on another disk"
    return StorageError(f"Cannot write {path}: {found}. {cure} ({setting}). {_KEPT}")


def temporary(error: BaseException | None) -> str | None:
    """What to do where an error, or one that it came from, is of the folder of temporary files; None where not."""
    while error is not None:
        if words := temporary_in(str(error)):
            return words
        error = error.__cause__ or error.__context__
    return None


def temporary_in(message: str, path: Path | None = None) -> str | None:
    """The same for an error's message; libraries put models, figures and sockets into that folder first.

    Args:
        message: of the error.
        path: what was to be written in the end: where the message names no file, the disk with less space is meant.
    """
    cure = f"Set the environment variable TMPDIR to a folder on a disk with space. {_KEPT}"
    if _NOWHERE in message:
        return f"There is no folder that temporary files can be written to ({message}). {cure}"
    if not any(words in message for words in _NO_SPACE):
        return None
    try:
        folder = Path(tempfile.gettempdir())
    except FileNotFoundError:  # every disk is full
        return None
    named = re.search(rf"{re.escape(str(folder))}\b", message) is not None
    if path is not None and (str(path.parent) in message or folder.stat().st_dev == _nearest(path).stat().st_dev):
        return None
    if not named and _free(folder) >= (_LITTLE if path is None else _free(_nearest(path))):
        return None
    return f"Cannot write temporary files: no space is left on the disk of {folder}. Free some, or s{cure[1:]}"


def new_beside(path: Path, mark: str) -> Path:
    """Make an empty hidden file beside `path`, with the permissions of any new file (those of `tempfile` are private).

    Args:
        path: what it is to replace.
        mark: is in its name after that of `path`.
    """
    while True:
        made = path.with_name(f".{path.name}.{mark}{secrets.token_hex(4)}.tmp")
        with suppress(FileExistsError):
            os.close(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            return made


def _inside(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def _nearest(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next(each for each in (path, *path.parents) if each.exists())


def _free(folder: Path) -> int:
    """Bytes that this user may still write there."""
    return shutil.disk_usage(folder).free


def _read_only(path: Path) -> bool:
    if not hasattr(os, "statvfs"):  # Windows
        return False
    return bool(os.statvfs(_nearest(path)).f_flag & os.ST_RDONLY)
