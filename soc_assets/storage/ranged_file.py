"""Asking object storage for a file, and reading one of its versions by ranges; errors name the URL and the cure."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from soc_assets.errors import StorageError
from soc_assets.storage.objects import explained


@contextmanager
def asking(path: object, what: str = "read", after: str = "") -> Iterator[None]:
    """Turn what storage raises into a StorageError; that a file is missing stays a FileNotFoundError."""
    try:
        with explained(str(path), StorageError, what, after):
            yield
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise error.__cause__ from None
        raise


class RangedFile(io.RawIOBase):
    """One version of a file on storage, read by ranges; what storage raises becomes a StorageError.

    Not an OSError, which a reader would take for damage of the file.
    """

    def __init__(self, path: object, file: Any) -> None:
        self._path, self._file = path, file

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The position, in bytes."""
        return int(self._file.tell())

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position; nothing is read."""
        return int(self._file.seek(offset, whence))

    def readinto(self, buffer: Any) -> int:
        """Read the bytes from here on, by one request."""
        with asking(self._path, after="Another host may have replaced it: run the same command once more."):
            found = self._file.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
