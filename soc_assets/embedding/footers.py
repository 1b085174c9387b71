"""What the footers of a folder's batches say, each read once: kept in a small local file by the stamps of the files.

A listing says which files there are and gives each a stamp, which another content cannot have. A footer is read only
where the stamp is not the one that was kept with it. The local file is an aid: deleted, damaged or of another version
it is ignored and made anew.
"""

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from soc_assets.embedding.batch import FACTS, facts_in
from soc_assets.embedding.listing import is_batch
from soc_assets.errors import StorageError, TableError
from soc_assets.storage import files
from soc_assets.storage.access import is_stored, versions_in

SETTLED_NS = 2 * 10**9  # a file changed less long ago may be changed again without another time of change
_AT_ONCE = 16  # footers read
_KEYS = (*sorted(FACTS), "soc.missing_images", "soc.seconds")
_SCHEMA = pa.schema(
    [("name", pa.string()), ("stamp", pa.string()), ("rows", pa.int64()), *((key, pa.string()) for key in _KEYS)]
)


@dataclass(frozen=True)
class Footer:
    """Rows of a batch's file, and what it says of itself; neither where it is damaged."""

    rows: int
    stored: dict[str, str]

    def facts(self, rows: int | None = None) -> dict[str, str]:
        """As `read_facts`: empty where the file is damaged, or has not as many rows as are expected."""
        return facts_in(self.stored) if rows in (None, self.rows) else {}


class Footers:
    """The footers of one folder.

    Args:
        kept: the local file; None keeps nothing.
        read: reads a footer, of a file by its name.
    """

    def __init__(self, kept: Path | None, read: Callable[[str], Footer]) -> None:
        self._kept, self._read = kept, read

    def of(self, listing: Mapping[str, str | None]) -> dict[str, Footer]:
        """The footer of each file of a listing.

        Args:
            listing: name -> stamp, for example size and time of change, or the ETag of an object. None where the stamp
                could be that of a later content, too: such a footer is read, and not kept.
        """
        before = self._load()
        found: dict[str, Footer] = {}
        keep: dict[str, tuple[str, Footer]] = {}
        new = [name for name, stamp in listing.items() if name not in before or before[name][0] != stamp]
        with ThreadPoolExecutor(_AT_ONCE) as threads:  # for their answers from storage, one after the other
            read = dict(zip(new, threads.map(self._read, new), strict=True))
        for name, stamp in listing.items():
            found[name] = footer = read[name] if name in read else before[name][1]
            if stamp is not None and footer.stored:
                keep[name] = (stamp, footer)
        if keep != before:
            self._save(keep)
        return found

    def _load(self) -> dict[str, tuple[str, Footer]]:
        if self._kept is None or not self._kept.is_file():
            return {}
        with suppress(TableError, KeyError):
            table = files.read_table(self._kept, _SCHEMA.names)
            columns = [table[name].to_numpy(object).tolist() for name in _SCHEMA.names]
            return {
                name: (
                    stamp,
                    Footer(int(rows), {k: v for k, v in zip(_KEYS, values, strict=True) if isinstance(v, str)}),
                )
                for name, stamp, rows, *values in zip(*columns, strict=True)
            }
        return {}

    def _save(self, footers: Mapping[str, tuple[str, Footer]]) -> None:
        if self._kept is None:
            return
        rows = [
            {"name": name, "stamp": stamp, "rows": footer.rows, **footer.stored}
            for name, (stamp, footer) in footers.items()
        ]
        with suppress(StorageError, OSError):  # a read-only project is read without it
            files.write_table(self._kept, pa.Table.from_pylist(rows, _SCHEMA))


def read_footers(folder: Path, kept: Path | None = None) -> dict[str, Footer]:
    """The footers of the batches in a folder, by name of the file.

    Args:
        folder: of a spec.
        kept: the local file in which they are kept; None reads them all.
    """

    def read(name: str) -> Footer:
        rows, stored = files.read_footer(folder / name)
        return Footer(rows, {key: stored[key] for key in _KEYS if key in stored})

    return Footers(kept, read).of(stamps(folder))


def stamps(folder: Path) -> dict[str, str | None]:
    """The stamp of each batch's file in a folder; None of those that were changed on this machine just now."""
    if is_stored(folder):
        versions = versions_in(folder)
        return {name: version for name, version in versions.items() if is_batch(name)}
    if not folder.is_dir():
        return {}
    found: dict[str, str | None] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_batch(entry.name):
                with suppress(FileNotFoundError):  # removed since, or a broken link
                    found[entry.name] = _stamp(entry)
    return found


def _stamp(entry: "os.DirEntry[str]") -> str | None:
    """As `storage.files.stamp`."""
    now, at = time.time_ns(), entry.stat()
    if max(at.st_mtime_ns, at.st_ctime_ns) > now - SETTLED_NS:
        return None
    return f"{at.st_size} {at.st_mtime_ns} {at.st_ctime_ns} {at.st_ino}"
