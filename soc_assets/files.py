"""Writing files so that nobody ever sees half of one, and reading small tables back.

A file is written beside its place under a hidden temporary name and then renamed over it. What a killed process left of
a file goes when the file is next written. What is written, renamed and removed here in the copy of a folder on object
storage is so there, too (`soc_assets.remote`). Nothing about the content of files belongs here.
"""

import json
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from soc_assets import remote
from soc_assets.errors import SocWarning
from soc_assets.process import here, is_alive
from soc_assets.storage import new_beside, told_in_words


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path`, on failure it is removed.

    A new file has the permissions that the umask leaves, one that takes another's place has its permissions.

    Raises:
        StorageError: the disk is full or read-only, permission is missing, or object storage cannot be reached.
    """
    with told_in_words(path), _temporary(path) as temporary:
        yield temporary
        if path.is_file():
            shutil.copymode(path, temporary)
        temporary.replace(path)
        remote.send(path)


def rename(path: Path, to: Path) -> None:
    """Give a file another name, or a folder that is to be removed."""
    with remote.removing(path):
        path.replace(to)
    remote.send(to)


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    with remote.removing(path):
        path.unlink(missing_ok=True)


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    name = new_beside(path, f"{here()}-{os.getpid()}-")
    try:
        yield name
    finally:
        for left in (name, f"{name}.wal"):  # the latter is DuckDB's
            Path(left).unlink(missing_ok=True)


def _remove_abandoned(path: Path) -> None:
    """Remove temporary files of `path` whose process, of this machine, is no more."""
    prefix = f".{path.name}.{here()}-"
    with os.scandir(path.parent) as entries:
        left = [Path(entry.path) for entry in entries if entry.name.startswith(prefix)]
    for temporary in left:
        process = temporary.name.removeprefix(prefix).partition("-")[0]
        if process.isdecimal() and not is_alive(int(process)):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, values: Any) -> None:
    """Write indented JSON atomically."""
    write_text(path, json.dumps(values, indent=2, default=str) + "\n")


def write_table(path: Path, frame: pd.DataFrame, metadata: Mapping[str, str] | None = None) -> None:
    """Write a table as Parquet atomically; `metadata` goes into the file's key-value metadata."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    extra = {key.encode(): value.encode() for key, value in (metadata or {}).items()}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **extra})
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def stamp(path: Path) -> tuple[int, int, int, int]:
    """Bytes, time of change in ns, ctime in ns and inode of a file: what differs where another took its place.

    Size and time alone do not: of files that `rsync -t` or unzip put there both may be equal.
    """
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def read_metadata(path: Path) -> dict[str, str]:
    """The key-value metadata of a Parquet file, without reading its rows; empty where it is missing or damaged."""
    if not path.is_file():
        return {}
    try:
        stored = pq.read_metadata(path).metadata or {}
        return {key.decode(): value.decode() for key, value in stored.items() if key != b"ARROW:schema"}
    except PermissionError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError):  # a footer has no checksum: anything may be wrong with it
        warnings.warn(f"{path} is damaged: it is written anew.", SocWarning, stacklevel=2)
        return {}
