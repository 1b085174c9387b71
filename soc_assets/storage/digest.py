"""Digests: short fingerprints of inputs, which show whether an output is fresh.

Only hashing belongs here; what goes into a digest is decided by the stage that writes the output.
"""

import hashlib
import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from soc_assets.storage import access

LENGTH = 16  # hexadecimal digits: 64 bits, plenty for the files of one project


def of_values(values: Mapping[str, Any] | Sequence[Any]) -> str:
    """Digest of plain values (numbers, strings, lists, dicts), independent of dict order."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def of_inputs(version: str, *values: Any) -> str:
    """Digest of what decides an output: the version of the code behind it, and its inputs."""
    return of_values([version, *values])


def of_frame(frame: pd.DataFrame) -> str:
    """Digest of a table's column names and values, in the order given."""
    return of_rows(frame.columns, row_hashes(frame))


def row_hashes(frame: pd.DataFrame) -> np.ndarray:
    """A hash [n] uint64 of each row, which does not depend on the others."""
    return np.ascontiguousarray(pd.util.hash_pandas_object(frame, index=False).to_numpy())


def of_rows(columns: Iterable[Hashable], hashes: np.ndarray) -> str:
    """What `of_frame` says of the rows of a table that have these `row_hashes`."""
    hashed = hashlib.sha256(json.dumps([str(name) for name in columns]).encode())
    hashed.update(np.ascontiguousarray(hashes).tobytes())
    return hashed.hexdigest()[:LENGTH]


def of_bytes(content: bytes) -> str:
    """Digest of bytes."""
    return hashlib.sha256(content).hexdigest()[:LENGTH]


def of_file(path: Path, length: int = LENGTH) -> str:
    """sha256 of a file's bytes, the first `length` hexadecimal digits (64 for all)."""
    if access.is_stored(path):
        return hashlib.sha256(path.read_bytes()).hexdigest()[:length]
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:length]
