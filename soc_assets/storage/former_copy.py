"""A folder of this machine whose files belong on object storage: a local data folder, or an earlier version's copy.

Earlier versions kept a copy of the storage on every host. What of it was never stored is stored once; then nothing
reads it any more, and it may be removed.
"""

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from soc_assets.errors import SettingsError, SocWarning
from soc_assets.runtime import progress
from soc_assets.storage import files
from soc_assets.storage.object_path import ObjectPath, of_url

_FOLDERS = ("catalog", "samples", "embeddings", "features", "results", "maps")
_OWN = (("catalog", "previews"), ("results", "inputs"), ("results", "pretraining"), ("results", "encoders"))
_OWN_ENDINGS = (".db", ".db-journal", ".wrong")
_MARK, _FORMER_MARK = Path(".stored_at"), Path(".remote/url")  # each holds the URL
_AT_ONCE = 8


def move_in(folder: Path, url: str) -> None:
    """Store the files of a host's own folder that belong on storage and are not there, once, and say what may go.

    The folder then notes where it belongs. Where a file is stored already, the stored one counts.

    Raises:
        SettingsError: the folder belongs to another URL.
        StorageError: storage does not answer, or the folder cannot be written.
    """
    for mark in (folder / _MARK, folder / _FORMER_MARK):
        if mark.is_file() and (found := mark.read_text(encoding="utf-8").strip()) != url:
            raise SettingsError(
                f"{folder} belongs to {found}, and [paths] data in soc.toml is {url}. Name another folder in "
                "data_copy, or remove this one."
            )
    if (folder / _MARK).is_file():
        return
    if there := [name for name in _FOLDERS if (folder / name).is_dir() and any(_files(folder, name))]:
        _move(folder, url, there)
    files.write_text(folder / _MARK, f"{url}\n", "[paths] data_copy in soc.toml")


def _move(folder: Path, url: str, there: list[str]) -> None:
    stored = of_url(url)
    known = stored.names()
    new = [name for part in there for name in _files(folder, part) if name not in known]
    with progress.of("files"), ThreadPoolExecutor(_AT_ONCE) as pool:
        for done, _ in enumerate(pool.map(lambda name: _store(folder / name, stored / name), new), 1):
            progress.report(done, len(new), url)
    words = f"{len(new)} of its files were not stored yet and are now. " if new else ""
    other = [
        name for part in there for name in _files(folder, part) if name in known and _differs(folder, stored, name)
    ]
    if other:
        words += f"{len(other)} differ from what is stored, which counts (first: {other[0]}): look at them before. "
    warnings.warn(
        f"Data are read and written at {url} now, without a copy on this machine. {words}The folders "
        f"{', '.join(there)} in {folder} are read no more: remove them when you like.",
        SocWarning,
        stacklevel=4,
    )


def _differs(folder: Path, stored: ObjectPath, name: str) -> bool:
    return (folder / name).stat().st_size != (stored / name).stat().st_size or (
        (folder / name).read_bytes() != (stored / name).read_bytes()
    )


def _store(path: Path, to: ObjectPath) -> None:
    to.put(path, None)


def _files(folder: Path, part: str) -> Iterator[str]:
    """Names of the files that all hosts share."""
    for path in sorted((folder / part).rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(each.startswith(".") for each in parts)
        if path.is_file() and not hidden and parts[:2] not in _OWN and not path.name.endswith(_OWN_ENDINGS):
            yield "/".join(parts)
