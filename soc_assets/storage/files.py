"""Writing files so that no reader ever sees a partial one, and reading tables back, never assuming they are intact.

A file is written to a hidden temporary file, then atomically renamed; one on object storage is written to a temporary
file of this machine and stored by one request, which is atomic there. What a killed process left of a file is removed
when the file is next written. Nothing about the content of files belongs here.
"""

import io
import json
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from soc_assets.errors import ConflictError, SocWarning, TableError
from soc_assets.storage import access, sealed
from soc_assets.storage.access import is_stored, source
from soc_assets.storage.temporary import temporary_beside
from soc_assets.storage.write_errors import PATHS, translate_write_errors

stamp = access.stamp
INPUTS, FILES, SPLIT, CONTENT = "soc.inputs", "soc.files", "soc.split", "soc.content"
"""Keys of metadata in Parquet: digest of what the file was made from; digests of the soil files that were read (JSON);
digest of the settings that decide the split; digest of what the file says, for what is made from it."""
_DAMAGE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError)  # of a footer without a seal
_ASSETS = {  # name of a file or folder of results -> the asset that writes it, which `soc run` alone does not run
    **dict.fromkeys(("evaluation.parquet", "out_of_fold.parquet", "verdict.json", "fits"), "evaluation"),
    **dict.fromkeys(("learning_curve.parquet", "source_offsets.parquet"), "evaluation"),
    **dict.fromkeys(("highest_values.parquet", "network_choices.parquet"), "evaluation"),
    "baselines.parquet": "baselines",
    **dict.fromkeys(("pretrained_encoder.parquet", "pretrained_encoder.pth"), "pretrained_encoder"),
    **dict.fromkeys(("encoder_comparison.parquet", "encoders.html"), "encoder_comparison"),
    **dict.fromkeys(("hyperparameters.parquet", "hyperparameters.json"), "hyperparameters"),
}


@contextmanager
def replacing(path: Path, setting: str = PATHS, since: str | None = "") -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path`, on failure it is removed.

    A new file has the permissions that the umask leaves, one that takes another's place has its permissions.

    Args:
        path: of the file.
        setting: what names its folder, for the fix.
        since: from `access.version`: only that version is replaced, and nothing where it is None. Empty text replaces
            whatever is there.

    Raises:
        StorageError: the disk is full or read-only, permission is missing, or object storage does not answer.
        ConflictError: another host has written the file since.
    """
    if is_stored(path):
        with access.temporary_file(path.name) as temporary:
            temporary.touch()
            yield temporary
            if not path.put(temporary, since):
                raise ConflictError(f"{path} was written by another host meanwhile: theirs stays. Run again.")
        return
    with translate_write_errors(path, setting), temporary_beside(path) as temporary:
        yield temporary
        if path.is_file():
            shutil.copymode(path, temporary)
        temporary.replace(path)


def require_writable(path: Path, setting: str = PATHS) -> None:
    """Fail before the work is done that its result could not be written.

    Raises:
        StorageError: the disk is full or read-only, or permission is missing.
    """
    if is_stored(path):
        return
    with translate_write_errors(path, setting), temporary_beside(path) as temporary:
        temporary.touch()


def rename(path: Path, to: Path) -> None:
    """Give a file another name, or a folder that is to be removed."""
    path.replace(to)


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    path.unlink(missing_ok=True)


def write_text(path: Path, text: str, setting: str = PATHS) -> None:
    """Write a text file atomically; `setting` as for `replacing`."""
    with replacing(path, setting) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, values: Any) -> None:
    """Write indented JSON atomically."""
    write_text(path, json.dumps(values, indent=2, default=str) + "\n")


def write_table(
    path: Path, frame: pd.DataFrame | pa.Table, metadata: Mapping[str, str] | None = None, since: str | None = ""
) -> None:
    """Write a table as Parquet atomically, sealed; `metadata` goes into its key-value metadata, `since` as above."""
    table = frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame, preserve_index=False)
    with replacing(path, since=since) as temporary:
        sealed.write(temporary, table, metadata or {})


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """A table that `write_table` wrote, compared with its seal and the checksums of its pages.

    Raises:
        TableError: it is missing or damaged, or may not be read.
    """
    try:
        content = _bytes_of(path)
        if not sealed.holds(content):
            raise ValueError("its bytes are not those that were written")
        return pd.read_parquet(io.BytesIO(content), columns=columns, page_checksum_verification=True)
    except FileNotFoundError:
        raise TableError(f"{path} does not exist. {cure_of(path)}") from None
    except _DAMAGE as error:
        raise TableError(f"{path} is damaged. {cure_of(path)}") from error


def require_whole(path: Path) -> None:
    """Refuse a table of ours whose bytes are not those that were written; of one without a seal only the end is read.

    Raises:
        TableError: they are not.
    """
    if not is_whole(path):
        raise TableError(f"{path} is damaged. {cure_of(path)}")


def is_whole(path: Path) -> bool:
    """Whether one of our tables exists and is undamaged; of one without a seal only the end is read.

    Raises:
        TableError: this user may not read it.
    """
    try:
        content = _bytes_of(path)
        return sealed.holds(content) and pq.read_metadata(io.BytesIO(content)) is not None
    except (FileNotFoundError, *_DAMAGE):
        return False


def known_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame | None:
    """As `read_table`; None where it is missing, and with a warning where it is damaged."""
    if not path.is_file():
        return None
    try:
        return read_table(path, columns)
    except TableError as error:
        warnings.warn(str(error), SocWarning, stacklevel=2)
        return None


def table_metadata(path: Path) -> dict[str, str]:
    """As `read_metadata`, of a table that is compared with its seal first: empty where one byte of it has changed."""
    if path.is_file() and not sealed.holds(_bytes_of(path)):
        warnings.warn(f"{path} is damaged. {cure_of(path)}", SocWarning, stacklevel=2)
        return {}
    return read_metadata(path)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except PermissionError as error:
        raise TableError(f"{path} cannot be read: this user may not. Change its permissions.") from error


def cure_of(path: Path) -> str:
    """The command that makes one of our files again."""
    asset = _ASSETS.get(path.name) or _ASSETS.get(path.parent.name)
    return f"`soc run{f' --to {asset}' if asset else ''}` makes it again."


def read_metadata(path: Path) -> dict[str, str]:
    """The key-value metadata of a Parquet file, without reading its rows; empty where it is missing or damaged."""
    return read_footer(path)[1]


def read_footer(path: Path) -> tuple[int, dict[str, str]]:
    """Rows and key-value metadata of a Parquet file from its footer; none where it is missing or damaged."""
    if not path.is_file():
        return 0, {}
    try:
        found = pq.read_metadata(source(path))
        stored = found.metadata or {}
        return found.num_rows, {key.decode(): value.decode() for key, value in stored.items() if key != b"ARROW:schema"}
    except PermissionError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError):  # a footer has no checksum: anything may be wrong with it
        warnings.warn(f"{path} is damaged. {cure_of(path)}", SocWarning, stacklevel=3)
        return 0, {}
