"""Folders whose files belong together: replaced so that no reader mixes old and new ones, measured, and removed."""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from soc_assets.runtime.process import is_gone_from_name, mark_of_files
from soc_assets.storage.access import is_stored, temporary_file
from soc_assets.storage.temporary import remove_abandoned, remove_tree
from soc_assets.storage.write_errors import PATHS, translate_write_errors

if TYPE_CHECKING:
    from soc_assets.storage.object_path import ObjectPath


@contextmanager
def replacing_folder(path: Path, setting: str = PATHS, last: str = "") -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it takes its place, on failure what was there stays.

    Each call has a name of its own. What was there is renamed first and removed last; if the new one cannot take its
    place it is put back. On object storage, which has no folders, the file `last` says that all others are there: it
    is removed first and stored last, so that no reader takes old files for new ones.

    Raises:
        StorageError: the disk is full or read-only, permission is missing, or storage does not answer.
    """
    if is_stored(path):
        with temporary_file(path.name) as temporary:
            temporary.mkdir()
            yield temporary
            _store_folder(temporary, path, last)
        return
    with translate_write_errors(path, setting):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(path)
        _put_back(path)
        own = f".{path.name}.{mark_of_files()}{secrets.token_hex(4)}"
        temporary, former = path.with_name(f"{own}.tmp"), path.with_name(f"{own}.former")
        temporary.mkdir()
        try:
            yield temporary
            if os.path.lexists(path):
                path.replace(former)
            try:
                temporary.replace(path)
            except OSError:
                if os.path.lexists(former):
                    former.replace(path)
                raise
            remove_tree(former)
        finally:
            remove_tree(temporary)


def _store_folder(folder: Path, to: "ObjectPath", last: str) -> None:
    names = sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file())
    names.sort(key=lambda name: name == last)
    if last:
        (to / last).unlink(missing_ok=True)
    for name in names:
        (to / name).put(folder / name)
    for left in to.names() - set(names):
        (to / left).unlink(missing_ok=True)


def _put_back(path: Path) -> None:
    """What a killed process had renamed to make room for a folder: put back where the new one never came."""
    mark = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}-\d+-.*\.former")
    with os.scandir(path.parent) as entries:
        left = [Path(entry.path) for entry in entries if mark.fullmatch(entry.name)]
    for former in left:
        if is_gone_from_name(former.name):
            remove_tree(former) if os.path.lexists(path) else former.replace(path)


def remove_all(path: Path) -> None:
    """Remove a folder with everything in it, or a file, if it is there."""
    if is_stored(path):
        path.remove_all()
    else:
        remove_tree(path)


def remove_renamed(path: Path, prefix: str) -> None:
    """Remove a folder that is renamed first, so that half of it is never read; storage cannot rename a folder.

    Args:
        path: of the folder.
        prefix: begins its name while it is removed, and hides it.
    """
    if is_stored(path):
        path.remove_all()
        return
    going = path.with_name(prefix + path.name)
    path.replace(going)
    remove_tree(going)


def sizes_below(folder: Path) -> int:
    """Bytes of all files below a folder, while others of them may come and go."""
    if is_stored(folder):
        return sum(folder.sizes())
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                size += (Path(place) / name).stat().st_size
    return size
