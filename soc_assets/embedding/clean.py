"""Embeddings of specs that are no longer in use: what there is, and removing it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from soc_assets.embedding.spec import Spec, all_specs
from soc_assets.storage import folders
from soc_assets.storage.access import is_stored
from soc_assets.storage.temporary import is_being_written

_ABANDONED = 3600  # seconds after which a temporary file is no longer being written
_GOING = ".removing-"  # prefix of a folder that is being removed, which no reader looks into


@dataclass(frozen=True)
class SpecFolder:
    """One spec's folder.

    Attributes:
        spec: the spec.
        path: the folder.
        batches: Parquet files of batches in it.
        size: bytes of everything in it.
        in_use: why it is kept: the present settings lead to it, or soc.duckdb shows it; empty text otherwise.
    """

    spec: Spec
    path: Path
    batches: int
    size: int
    in_use: str


def spec_folders(folder: Path, in_use: Mapping[str, str]) -> list[SpecFolder]:
    """Every spec in the embeddings folder, oldest first; `in_use` says why, by the spec's digest."""
    found = []
    for spec in sorted(all_specs(folder), key=lambda spec: spec.created):
        path = folder / spec.digest
        batches = len(list(path.glob("batch_*_size_*.parquet")))
        found.append(SpecFolder(spec, path, batches, folders.sizes_below(path), in_use.get(spec.digest, "")))
    return found


def remove(found: SpecFolder) -> None:
    """Remove a spec's folder: on this machine renamed first, so that a half-removed one is never read.

    Raises:
        ValueError: it is the folder in use.
    """
    if found.in_use:
        raise ValueError(f"{found.path} is in use")
    folders.remove_renamed(found.path, _GOING)


def leftovers(folder: Path) -> list[Path]:
    """What killed removals and runs left behind on this machine: hidden folders, and temporary files an hour old."""
    if is_stored(folder):
        return []
    going = [path for path in folder.glob(f"{_GOING}*") if path.is_dir()]
    temporary = [path for path in folder.glob("*/.*.tmp") if _is_abandoned(path)]
    return [*going, *temporary]


def _is_abandoned(path: Path) -> bool:
    """Whether a temporary file is no longer being written; not decided by a clock that was set forward alone."""
    return time.time() - path.stat().st_mtime > _ABANDONED and not is_being_written(path)


def remove_leftover(path: Path) -> None:
    """Remove one of `leftovers`."""
    folders.remove_all(path)
