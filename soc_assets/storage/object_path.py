"""Files on object storage where they lie: a path of universal_pathlib, whose errors name the URL and the cure.

It has the methods of a `pathlib.Path`, so that stages need not know which of the two they have. What they differ in
(replacing a file, renaming, opening it by ranges, a copy on this machine) is in `soc_assets.storage.files` and
`soc_assets.storage.access`. Nothing is remembered of what storage has said: another host may have written since.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from upath import UPath
from upath.extensions import ProxyUPath

from soc_assets.errors import StorageError
from soc_assets.runtime.process import mark_of_files
from soc_assets.storage import just_written
from soc_assets.storage.objects import BUCKETS, ObjectStat, explained, is_conflict, options_of, stamp_of, version_of
from soc_assets.storage.one_look import SMALL, forget, is_looking, remembered
from soc_assets.storage.ranged_file import RangedFile, asking

_ONE_PUT = 5 * 2**30  # bytes of the largest file that S3 takes in one request
_KEPT = 64 * 2**20  # bytes of a file that is kept in memory for whoever reads it next


class ObjectPath(ProxyUPath):
    """A file or folder on object storage; every method raises StorageError where storage does not answer."""

    __slots__ = ()

    @property
    def key(self) -> str:
        """What the file system calls it: bucket and key."""
        return self.path.rstrip("/")

    def info(self) -> dict[str, Any] | None:  # type: ignore[override]
        """What storage says of it now; None where there is nothing."""
        return remembered("info", self.key, self._info, lambda answer: True)

    def _info(self) -> dict[str, Any] | None:
        with asking(self):
            try:
                return self.fs.info(self.key)
            except FileNotFoundError:
                return None

    def version(self) -> str | None:
        """What differs between two versions of the file, None where there is none; for `put`."""
        found = self.info()
        return version_of(found) if found and found["type"] == "file" else None

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Whether there is a file, or anything below it."""
        return self.info() is not None

    def is_file(self) -> bool:
        """Whether there is a file."""
        return (self.info() or {}).get("type") == "file"

    def is_dir(self) -> bool:
        """Whether there is anything below it."""
        return (self.info() or {}).get("type") == "directory"

    def stat(self, *, follow_symlinks: bool = True) -> ObjectStat:  # type: ignore[override]
        """Size and time of change.

        Raises:
            FileNotFoundError: there is nothing.
        """
        if (found := self.info()) is None:
            raise FileNotFoundError(str(self))
        return ObjectStat(*stamp_of(found), version_of(found))

    def stats(self) -> dict[str, ObjectStat]:
        """The files in this folder by name, from one listing, a request per 1,000 files."""
        return remembered("stats", self.key, self._stats, lambda answer: True)

    def _stats(self) -> dict[str, ObjectStat]:
        with asking(self):
            try:
                listed = self.fs.ls(self.key, detail=True)
            except FileNotFoundError:
                return {}
        files = (each for each in listed if each["type"] == "file" and each["name"].rstrip("/") != self.key)
        return {str(each["name"]).rpartition("/")[2]: ObjectStat(*stamp_of(each), version_of(each)) for each in files}

    def names(self) -> set[str]:
        """Names of all files below it, with `/`."""
        return {name.removeprefix(f"{self.key}/") for name in self._found()}

    def sizes(self) -> list[int]:
        """Bytes of each file below it."""
        return [int(each["size"] or 0) for each in self._found().values()]

    def _found(self) -> dict[str, dict[str, Any]]:
        with asking(self):
            try:
                return cast(dict[str, dict[str, Any]], self.fs.find(self.key, detail=True))
            except FileNotFoundError:  # what an empty prefix is to some
                return {}

    def iterdir(self) -> Iterator["ObjectPath"]:
        """Files and folders in it."""
        with asking(self):
            yield from super().iterdir()

    def glob(self, pattern: str, **options: Any) -> Iterator["ObjectPath"]:  # type: ignore[override]
        """Files and folders below it that match."""

        def ask() -> list["ObjectPath"]:
            with asking(self):
                return sorted(super(ObjectPath, self).glob(pattern, **options))

        yield from remembered(f"glob {pattern}", self.key, ask, lambda answer: True)

    def rglob(self, pattern: str, **options: Any) -> Iterator["ObjectPath"]:  # type: ignore[override]
        """Files and folders anywhere below it that match."""
        return self.glob(f"**/{pattern}", **options)

    def open(self, mode: str = "r", encoding: str | None = None) -> IO[Any]:  # type: ignore[override]
        """The file for reading: as bytes by the ranges asked for, or, as text or where it is small, whole."""
        if set(mode) & set("wax+"):
            raise ValueError(f"{self} is written by `storage.files`, which stores it as a whole")
        if "b" not in mode:
            return io.StringIO(self.read_text(encoding))
        if is_looking() and ((self.info() or {}).get("size") or 0) <= SMALL:
            return io.BytesIO(self.read_bytes())
        if (content := self._just_written()) is not None:
            return io.BytesIO(content)
        with asking(self):
            return cast(IO[bytes], RangedFile(self, self.fs.open(self.key, "rb", cache_type="none")))

    def read_bytes(self) -> bytes:
        """The whole file, by one request."""
        if (content := self._just_written()) is not None:
            return content
        return remembered("content", self.key, self._content, lambda content: len(content) <= SMALL)

    def _content(self) -> bytes:
        with asking(self):
            return cast(bytes, self.fs.cat_file(self.key))

    def read_text(self, encoding: str | None = None, errors: str | None = None, newline: str | None = None) -> str:
        """The whole file as text."""
        return self.read_bytes().decode(encoding or "utf-8", errors or "strict")

    def _just_written(self) -> bytes | None:
        return just_written.find(self.key, self.version()) if just_written.is_kept(self.key) else None

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the file."""
        forget(self.key)
        with asking(self, "removed"):
            try:
                self.fs.rm_file(self.key)
            except FileNotFoundError:
                if not missing_ok:
                    raise

    def remove_all(self) -> None:
        """Remove everything below it."""
        forget(self.key)
        with asking(self, "removed"):
            for each in self._found():
                self.fs.rm_file(each)

    def rename(self, target: Any, **options: Any) -> "ObjectPath":  # type: ignore[override]
        """Give the file another name: it is copied, then removed."""
        forget(self.key)
        forget(target.key)
        with asking(self, "renamed"):
            self.fs.mv(self.key, target.key)
        return target

    replace = rename  # type: ignore[assignment]

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: a folder is there as soon as something is in it."""

    def is_relative_to(self, other: Any, /, *_: Any) -> bool:
        """Whether it lies in another folder on storage."""
        return isinstance(other, ObjectPath) and super().is_relative_to(other.__wrapped__)

    def resolve(self, strict: bool = False) -> "ObjectPath":
        """Itself."""
        return self

    def get(self, target: Path) -> None:
        """Download the file to a path on this machine."""
        with asking(self):
            self.fs.get_file(self.key, str(target))

    def put(self, source: Path, unless_changed_since: str | None = "") -> bool:
        """Store a file of this machine, so that no reader ever sees part of it.

        Args:
            source: the file.
            unless_changed_since: a `version`: nothing is stored where the file is no longer that one (None: where
                there is one). Empty text stores it in any case. Storage other than S3 compares just before it stores.

        Returns:
            Whether it was stored.
        """
        forget(self.key)
        with asking(self, "written", "What was there stays."):
            if self.protocol not in BUCKETS:
                return self._put_and_rename(source, unless_changed_since)
            condition: dict[str, Any] = {}
            if unless_changed_since != "" and self.protocol == "s3":
                none = unless_changed_since is None
                condition = {"IfNoneMatch": "*"} if none else {"IfMatch": unless_changed_since}
            elif unless_changed_since != "" and unless_changed_since != self.version():
                return False
            try:
                size = source.stat().st_size
                if condition and size < _ONE_PUT:  # several parts, which s3fs makes of 100 MB, would lose the condition
                    condition["chunksize"] = size + 1
                elif condition and unless_changed_since != self.version():
                    return False
                self.fs.put_file(str(source), self.key, **condition)
            except Exception as error:
                if condition and is_conflict(error):
                    return False
                raise
        forget(self.key)  # somebody may have asked meanwhile
        if source.stat().st_size < _KEPT:
            just_written.keep(self.key, self.version(), source.read_bytes())
        return True

    def _put_and_rename(self, source: Path, unless_changed_since: str | None) -> bool:
        temporary = str(self.with_name(f".{self.name}.{mark_of_files()}0.tmp").path)
        self.fs.makedirs(str(self.parent.path), exist_ok=True)
        self.fs.put_file(str(source), temporary)
        if unless_changed_since != "" and unless_changed_since != self.version():
            self.fs.rm_file(temporary)
            return False
        self.fs.mv(temporary, self.key)
        return True


def of_url(url: str) -> ObjectPath:
    """The file or folder at a URL.

    Raises:
        StorageError: the kind of storage is not known.
    """
    scheme = url.partition("://")[0]
    with explained(url, StorageError):
        return ObjectPath._from_upath(UPath(url.rstrip("/"), **options_of(scheme, exact=True)))
