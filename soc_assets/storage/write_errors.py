"""Folders that cannot be written: full disks, read-only disks, missing permissions, each with its cure in words.

Libraries tell these in errors of their own kinds, so they are known by the system's words for them. What is written is
elsewhere.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from soc_assets.errors import SocError, StorageError

PATHS = "[paths] in soc.toml"
_NO_SPACE = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "disk is full")
_READ_ONLY = (os.strerror(errno.EROFS), "readonly database")
_FORBIDDEN = (os.strerror(errno.EACCES), os.strerror(errno.EPERM))
_VAGUE = ("disk I/O error", "unable to open database file")  # SQLite's, for any of them


@contextmanager
def translate_write_errors(path: Path, setting: str = PATHS) -> Iterator[None]:
    """Raise what `cannot_write` says of an error of writing `path` inside the block.

    Raises:
        StorageError: the disk is full or read-only, or permission is missing.
    """
    try:
        yield
    except Exception as error:
        if told := cannot_write(error, path, setting):
            raise told from error
        raise


def cannot_write(error: BaseException, path: Path, setting: str = PATHS) -> StorageError | None:
    """What a user can do about an error of writing `path`, or None where it is about something else.

    Args:
        error: of whatever library.
        path: the file or folder that was being written.
        setting: what names the folder.
    """
    if isinstance(error, SocError):
        return None
    if isinstance(error, OSError) and error.filename and not _inside(Path(os.fsdecode(error.filename)), path.parent):
        return None
    text = str(error)
    if not any(words in text for words in (*_NO_SPACE, *_READ_ONLY, *_FORBIDDEN, *_VAGUE)):
        return None
    if any(words in text for words in _NO_SPACE):
        found, cure = "no space is left on its disk", "Free some, or name a folder on a larger disk"
    elif os.strerror(errno.EROFS) in text or _read_only(path):
        found, cure = "its disk is read-only", "Make it writable, or name a folder on another disk"
    elif any(words in text for words in _FORBIDDEN) or not os.access(_nearest(path), os.W_OK):
        found, cure = "this user may not write there", "Change the permissions, or name another folder"
    elif any(words in text for words in _READ_ONLY):
        found, cure = "a file in it cannot be written", "Change its permissions, or name another folder"
    else:
        found, cure = "its disk is full or defective", "Free some space, or name a folder on another disk"
    kept = "What was finished before is kept, and `soc run` goes on from there."
    return StorageError(f"Cannot write {path}: {found}. {cure} ({setting}). {kept}")


def new_beside(path: Path, mark: str) -> Path:
    """Make an empty hidden file beside `path`, with the permissions of any new file (those of `tempfile` are private).

    Args:
        path: what it is to replace.
        mark: stands in its name after that of `path`.
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


def _read_only(path: Path) -> bool:
    if not hasattr(os, "statvfs"):  # Windows
        return False
    return bool(os.statvfs(_nearest(path)).f_flag & os.ST_RDONLY)
