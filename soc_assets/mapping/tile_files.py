"""Tiles of a map in progress: one file each, written atomically, with the digest of what it was made from."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from soc_assets.mapping.predictions import NUMBERS
from soc_assets.storage import files
from soc_assets.storage.access import opened

LAYERS = NUMBERS[:4]
_DAMAGE = (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError)


@dataclass(frozen=True)
class TileLayers:
    """Predictions of the cells of a tile.

    Attributes:
        numbers: [4, h, w] float32: predicted, lower, upper (g/kg) and dissimilarity; NaN where there is none.
        quality: [h, w] uint8, see `mapping.quality_classes.CLASSES`.
    """

    numbers: np.ndarray
    quality: np.ndarray


def write_tile(path: Path, layers: TileLayers, inputs: str) -> None:
    """Write a tile; `inputs` is the digest of what it was made from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, inputs=np.array(inputs), numbers=layers.numbers, quality=layers.quality)


def read_tile_inputs(path: Path) -> str | None:
    """The digest of what a tile was made from; None where it is missing or damaged at its ends."""
    if not path.is_file():
        return None
    try:
        with opened(path) as file, np.load(file, allow_pickle=False) as stored:
            return str(stored["inputs"]) if {"numbers", "quality"} <= set(stored.files) else None
    except _DAMAGE:
        return None


def read_tile(path: Path, inputs: str) -> TileLayers | None:
    """A tile made from these inputs; None where there is none, or a byte of it has changed (arrays have checksums)."""
    try:
        with opened(path) as file, np.load(file, allow_pickle=False) as stored:
            return None if str(stored["inputs"]) != inputs else TileLayers(stored["numbers"], stored["quality"])
    except _DAMAGE:
        return None
