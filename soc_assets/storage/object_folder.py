"""One folder on object storage: what is in it, and bringing objects over, storing and removing them, each one whole.

Which of them are wanted, and what the copy on this host knows of them, is decided in `soc_assets.storage.mirror`.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from soc_assets.errors import StorageError
from soc_assets.runtime.process import mark_of_files
from soc_assets.storage.mirror_plan import Stored, same_bytes
from soc_assets.storage.objects import BUCKETS, explained, file_system

_ATTEMPTS = 3


@dataclass(frozen=True)
class ObjectFolder:
    """A folder on object storage, by its URL (`s3://bucket/prefix`); all methods raise StorageError."""

    url: str

    @property
    def _scheme(self) -> str:
        return self.url.partition("://")[0]

    @cached_property
    def _system(self) -> Any:
        with explained(self.url, StorageError):
            return file_system(self._scheme)

    @cached_property
    def _root(self) -> str:
        return str(self._system._strip_protocol(self.url)).rstrip("/")

    def list_objects(self, parts: Sequence[str]) -> dict[str, Stored]:
        """What is stored below these names, queried again."""
        with explained(self.url, StorageError):
            self._system.invalidate_cache()
            below = [f"{self._root}/{name}".rstrip("/") for name in parts]
            with ThreadPoolExecutor(len(below)) as pool:
                listed = [found for each in pool.map(self._find, below) for found in each.values()]
            if not listed and self._scheme in BUCKETS:  # a missing bucket is empty, too
                self._system.info(self._root.split("/")[0])
        return {str(info["name"]).removeprefix(self._root).lstrip("/"): Stored.of(info) for info in listed}

    def _find(self, folder: str) -> dict[str, dict[str, Any]]:
        try:
            return self._system.find(folder, detail=True)
        except FileNotFoundError:  # what an empty prefix is to some
            return {}

    def download(self, name: str, target: Path, stored: Stored) -> Stored:
        """One version of an object, whole; returns which. It may be written over while it is read."""
        for _ in range(_ATTEMPTS):
            with explained(f"{self.url}/{name}", StorageError):
                self._system.get_file(f"{self._root}/{name}", str(target))
            if same_bytes(target, stored):
                return stored
            before, stored = stored, self.look_up(name)
            if stored == before and target.stat().st_size == stored.size:  # its ETag only looks like an MD5
                return stored
        raise StorageError(f"{self.url}/{name} changes while it is read: another host writes it. `soc run` once more.")

    def upload(self, path: Path, name: str, kept: str) -> None:
        """Store a file so that no reader ever sees part of it; `kept` says in an error what became of the file."""
        key = f"{self._root}/{name}"
        with explained(f"{self.url}/{name}", StorageError, "written", kept):
            if self._scheme in BUCKETS:
                self._system.put_file(str(path), key)
                return
            folder, _, last = key.rpartition("/")
            temporary = f"{folder}/.{last}.{mark_of_files()}0.tmp"
            self._system.makedirs(folder, exist_ok=True)
            self._system.put_file(str(path), temporary)
            self._system.mv(temporary, key)

    def look_up(self, name: str) -> Stored:
        """What is stored under a name now."""
        with explained(f"{self.url}/{name}", StorageError):
            self._system.invalidate_cache()
            return Stored.of(self._system.info(f"{self._root}/{name}"))

    def remove(self, name: str) -> None:
        """Remove an object, if it is there."""
        try:
            with explained(f"{self.url}/{name}", StorageError, "removed", "The next `soc run` removes it."):
                self._system.rm_file(f"{self._root}/{name}")
        except StorageError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
