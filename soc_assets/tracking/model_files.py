"""The files of a registered model in MLflow's folder: their digest, kept with the version, and whether they have it.

Behind a server they are not looked at.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

MODEL_TAG = "soc.model_sha256"
_FILES = ("MLmodel", "data/*")


def digest_of(folder: Path) -> str:
    """SHA-256 of what a prediction is made from."""
    found = hashlib.sha256()
    for path in sorted(path for pattern in _FILES for path in folder.glob(pattern) if path.is_file()):
        found.update(f"{path.name}:{path.stat().st_size}:".encode())
        with path.open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()


def are_whole(folder: Path, tags: Mapping[str, str]) -> bool:
    """Whether the files are there and, where the version's tags tell their digest, are those that were registered."""
    known = tags.get(MODEL_TAG)
    return (folder / "MLmodel").is_file() and (known is None or known == digest_of(folder))
