"""The files of a spec's folder by batch, listed once for many batches: listing it for each would be quadratic."""

import re
from pathlib import Path

from soc_assets.errors import ConflictError
from soc_assets.storage import files
from soc_assets.storage.access import version, version_of_nothing, versions_in

SET_ASIDE = ".wrong"  # ends the name of a file that failed a check
_NAME = re.compile(rf"(batch_\d+)_size_\d+\.parquet({re.escape(SET_ASIDE)})?")


def is_batch(name: str) -> bool:
    """Whether a file is that of a batch, and was not set aside."""
    found = _NAME.fullmatch(name)
    return bool(found and not found[2])


class Listing:
    """Which files of batches were in a folder when it was listed; each batch has its own, whoever writes others."""

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, list[Path]] = {}
        self._aside: dict[str, list[Path]] = {}
        self._versions, self._absent = versions_in(folder), version_of_nothing(folder)
        for name in sorted(self._versions):
            if found := _NAME.fullmatch(name):
                kind = self._aside if found[2] else self._files
                kind.setdefault(found[1], []).append(folder / name)

    def files(self, key: str) -> list[Path]:
        """Files of a batch, of whatever number of samples."""
        return self._files.get(key, [])

    def version(self, path: Path) -> str | None:
        """Which version of a file was there when the folder was listed, as `access.version` says it."""
        return self._versions.get(path.name, self._absent)

    def aside(self, key: str) -> list[Path]:
        """Files of a batch that were set aside as wrong."""
        return self._aside.get(key, [])

    def keep_one(self, key: str, path: Path) -> None:
        """Give a file of a batch with another number of samples the name of its replacement: no pattern matches two."""
        for old in self.files(key):
            if old != path and path.is_file():
                files.remove(old)
            elif old != path:
                files.rename(old, path)

    def remove_others(self, key: str, path: Path) -> None:
        """Remove the files of a batch with another number of samples that were there when the folder was listed.

        Raises:
            ConflictError: another host has replaced one since; ours, which was just written, is removed.
        """
        for old in self.files(key):
            now = version(old) if old != path else None
            if now is not None and now != self.version(old):
                files.remove(path)
                raise ConflictError(f"{old} was written by another host meanwhile, of other samples. Run again.")
            if now is not None:
                files.remove(old)
