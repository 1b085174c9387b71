"""The data folder on object storage: a local copy of it, from which everything reads, kept in sync with the storage.

`fetch` downloads what other hosts wrote; `send` is called when one of our files was moved into place, `removing` round
its removal. A copy knows where it belongs (`.remote/` in it), so that whoever writes a file in it, in whatever process,
need not.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from soc_assets.errors import SettingsError, StorageError
from soc_assets.runtime import progress
from soc_assets.runtime.process import mark_of_files
from soc_assets.storage.mirror_index import Index, Row
from soc_assets.storage.mirror_plan import SHARED, Kept, Stored, Todo, is_plain, is_shared, plan, same_bytes
from soc_assets.storage.object_folder import ObjectFolder
from soc_assets.storage.write_errors import cannot_write, new_beside, translate_write_errors

_HOME, _AT_ONCE = ".remote", 8
_SETTING = "[paths] data_copy in soc.toml"
_KEPT = "The file itself is kept in {0}; `soc run` sends it when storage answers again."


@dataclass(frozen=True)
class Remote:
    """A folder on object storage and its copy on this host.

    Attributes:
        url: for example `s3://bucket/prefix`.
        copy: the folder of the copy.
        folders: what of it is shared; None for all of it, which is then only read.
        only: the one file wanted of a folder that is only read.
    """

    url: str
    copy: Path
    folders: tuple[str, ...] | None = SHARED
    only: str = ""

    @cached_property
    def _objects(self) -> ObjectFolder:
        return ObjectFolder(self.url)

    @cached_property
    def _index(self) -> Index:
        return Index(self.copy / _HOME / "index.sqlite")

    def fetch(self) -> int:
        """Bring the copy in sync with the storage; files that were written here and not yet sent are sent.

        Returns:
            Files fetched, sent and removed.

        Raises:
            StorageError: storage cannot be reached, or the copy cannot be written.
            SettingsError: the copy belongs to another URL.
        """
        with translate_write_errors(self.copy / _HOME, _SETTING):
            self._claim()
            known, local = self._index.rows(), self._local()  # before the listing: what is not in it was removed
            todo = plan(known, local, self._listing(), sends=self.folders is not None)
            with progress.of("files"), ThreadPoolExecutor(_AT_ONCE) as pool:
                for done, _ in enumerate(pool.map(lambda each: self._do(each, known, local), todo), 1):
                    progress.report(done, len(todo), f"{self.url}/{self.only}".rstrip("/"))
            for folder in {(self.copy / each.name).parent for each in todo if each.what == "remove here"}:
                with suppress(OSError):  # not empty
                    folder.rmdir()
        return len(todo)

    def send(self, path: Path) -> None:
        """Store a file that is in its place.

        Raises:
            StorageError: it cannot be stored; it stays, and the next `fetch` sends it.
        """
        name = path.relative_to(self.copy).as_posix()
        if self.folders is not None and is_shared(name):
            self._put(name)

    @contextmanager
    def removing(self, path: Path) -> Iterator[None]:
        """Around the removal or renaming of a file or folder of the copy: what is shared of it is removed there too.

        Raises:
            StorageError: it cannot be removed there; the next `fetch` does that.
        """
        own = path.relative_to(self.copy).as_posix()
        names = [name for name in self._index.rows() if name == own or name.startswith(f"{own}/")]
        self._index.mark_removed(names)
        yield
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self._remove, names))

    def _claim(self) -> None:
        """Note in the copy where it belongs."""
        mark = self.copy / _HOME / "url"
        if not mark.is_file():
            mark.parent.mkdir(parents=True, exist_ok=True)
            with self._beside(mark) as temporary:
                temporary.write_text(f"{self.url}\n")
                temporary.replace(mark)
        elif (found := mark.read_text().strip()) != self.url:
            raise SettingsError(
                f"{self.copy} is the copy of {found}, and [paths] in soc.toml says {self.url}. Name another folder in "
                "data_copy, or remove this one: whatever was sent is stored."
            )

    def _listing(self) -> dict[str, Stored]:
        """What is stored, queried again."""
        found = self._objects.list_objects((self.only,) if self.folders is None else self.folders)
        return {name: stored for name, stored in found.items() if self._is_ours(name)}

    def _local(self) -> dict[str, Kept]:
        found = {}
        for folder in [self.copy] if self.folders is None else [self.copy / name for name in self.folders]:
            for path in folder.rglob("*"):
                name = path.relative_to(self.copy).as_posix()
                if self._is_ours(name) and (kept := Kept.of(path)):
                    found[name] = kept
        return found

    def _is_ours(self, name: str) -> bool:
        return is_shared(name) if self.folders is not None else is_plain(name) and self.only in ("", name)

    def _do(self, todo: Todo, known: dict[str, Row], local: dict[str, Kept]) -> None:
        row, kept = known.get(todo.name), local.get(todo.name)
        if todo.what == "get" and todo.stored:
            self._get(todo.name, todo.stored, row, kept)
        elif todo.what == "put":
            self._put(todo.name)
        elif todo.what == "remove there":
            self._remove(todo.name)
        elif todo.what == "remove here":
            with self._index.replacing(todo.name, row) as change:
                path = self.copy / todo.name
                if change and Kept.of(path) == kept:
                    path.unlink(missing_ok=True)
                    change.forget()
        elif todo.what == "adopt" and todo.stored and kept:
            self._index.note(todo.name, Row(kept, todo.stored.version))
        elif todo.what == "forget":
            self._index.forget(todo.name)

    def _get(self, name: str, stored: Stored, row: Row | None, kept: Kept | None) -> None:
        """Download a file, unless this host writes or removes it at the same time."""
        path = self.copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._beside(path) as temporary:
            try:
                stored = self._objects.download(name, temporary, stored)
            except StorageError as error:
                if isinstance(error.__cause__, FileNotFoundError):  # removed since it was listed
                    return
                raise (error.__cause__ and cannot_write(error.__cause__, temporary, _SETTING)) or error from error
            os.utime(temporary, ns=(stored.changed_ns, stored.changed_ns))
            arrived = Kept.of(temporary)
            with self._index.replacing(name, row) as change:
                if change and arrived and Kept.of(path) == kept:
                    temporary.replace(path)
                    change.note(Row(arrived, stored.version))

    def _put(self, name: str) -> None:
        path = self.copy / name
        kept = Kept.of(path)
        if kept is None:  # replaced or removed since, by whoever sends that
            return
        self._objects.upload(path, name, _KEPT.format(path))
        stored = self._objects.look_up(name)
        ours = stored.size == kept.size and same_bytes(path, stored)
        self._index.note(name, Row(kept, stored.version if ours else ""))  # another host's is fetched next time

    def _remove(self, name: str) -> None:
        self._objects.remove(name)
        self._index.forget(name)

    @contextmanager
    def _beside(self, path: Path) -> Iterator[Path]:
        """A hidden temporary file of this process, removed at the end unless it was renamed."""
        name = new_beside(path, mark_of_files())
        try:
            yield name
        finally:
            name.unlink(missing_ok=True)


def remote_of(path: Path) -> Remote | None:
    """What the copy that holds a file or folder is a copy of; None in a folder that is no copy."""
    for folder in (path, *path.parents):
        mark = folder / _HOME / "url"
        if mark.is_file():
            return Remote(mark.read_text().strip(), folder)
    return None


def send(path: Path) -> None:
    """Store a file that was put in its place, where it is in the copy of a folder on object storage.

    Raises:
        StorageError: it cannot be stored; it stays, and the next `fetch` sends it.
    """
    if remote := remote_of(path):
        remote.send(path)


@contextmanager
def removing(path: Path) -> Iterator[None]:
    """Around the removal or renaming of a file or folder: it is removed on object storage too, where it is shared.

    Raises:
        StorageError: it cannot be removed there; the next `fetch` does that.
    """
    remote = remote_of(path)
    if remote is None:
        yield
        return
    with remote.removing(path):
        yield
