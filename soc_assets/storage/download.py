"""What is only read and needed as files: soil tables and a checkpoint on object storage, downloaded when they change.

It goes one way. What was downloaded is noted beside the files with its version; what is gone from storage is removed.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from soc_assets.errors import StorageError
from soc_assets.runtime import progress
from soc_assets.storage import files
from soc_assets.storage.access import temporary_file
from soc_assets.storage.object_path import ObjectPath, of_url
from soc_assets.storage.objects import BUCKETS, explained
from soc_assets.storage.temporary import remove_tree

_NOTES, _AT_ONCE, _ATTEMPTS = ".downloaded.json", 8, 3


def folder(url: str, to: Path) -> None:
    """Bring a folder of this machine to what is stored at a URL; hidden files are left out.

    Raises:
        StorageError: storage does not answer, or the folder cannot be written.
    """
    stored = of_url(url)
    wanted = {name: stored / name for name in stored.names() if _is_plain(name)}
    if not wanted and _known(to):
        raise StorageError(
            f"There is nothing at {url} any more, and {to} holds what was downloaded from there. Correct the URL in "
            f"[paths] of soc.toml; or, if it is meant, remove the folder {to}."
        )
    _download(stored, wanted, to, _NOTES)
    for name in set(_present(to)) - wanted.keys():
        remove_tree(to / name)


def file(url: str, to: Path) -> None:
    """Bring a file of this machine to what is stored at a URL; where there is nothing, it is removed.

    Raises:
        StorageError: storage does not answer, or the file cannot be written.
    """
    stored, notes = of_url(url), f".{to.name}{_NOTES}"
    if stored.is_file():
        _download(stored.parent, {to.name: stored}, to.parent, notes)
    else:
        remove_tree(to)
        remove_tree(to.parent / notes)


def _download(where: ObjectPath, wanted: dict[str, ObjectPath], to: Path, notes: str) -> None:
    known = _known(to, notes)
    with progress.of("files"), ThreadPoolExecutor(_AT_ONCE) as pool:
        versions = dict(zip(wanted, pool.map(ObjectPath.version, wanted.values()), strict=True))
        new = [name for name in wanted if known.get(name) != versions[name] or not (to / name).is_file()]
        for done, (name, version) in enumerate(pool.map(lambda name: (name, _get(wanted[name], to / name)), new), 1):
            progress.report(done, len(new), str(where))
            versions[name] = version
    if versions != known:
        files.write_json(to / notes, versions)


def _get(stored: ObjectPath, path: Path) -> str | None:
    """Download one version, whole, though another may be written meanwhile; returns which."""
    for _ in range(_ATTEMPTS):
        version = stored.version()
        with temporary_file(path.name) as copy:
            stored.get(copy)
            if stored.version() == version:
                with files.replacing(path) as temporary:
                    temporary.write_bytes(copy.read_bytes())
                return version
    raise StorageError(f"{stored} changes while it is read: another host writes it. Run the same command once more.")


def _known(to: Path, notes: str = _NOTES) -> dict[str, str | None]:
    try:
        return dict(json.loads((to / notes).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _present(to: Path) -> Iterator[str]:
    for path in to.rglob("*"):
        name = path.relative_to(to).as_posix()
        if path.is_file() and _is_plain(name):
            yield name


def _is_plain(name: str) -> bool:
    """Not hidden, and below the folder it is to be in."""
    return all(part and not part.startswith(".") for part in name.split("/"))


def require_bucket(url: str) -> None:
    """Refuse a bucket that is not there, in which everything would count as missing.

    Raises:
        StorageError: storage does not answer, or there is no such bucket.
    """
    path = of_url(url)
    if path.protocol in BUCKETS and not path.exists():
        with explained(url, StorageError):
            path.fs.ls(path.key.split("/")[0])
