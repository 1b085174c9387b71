"""What a map has left on disk, comparable between projects and between runs."""

from pathlib import Path
from typing import Any

import rasterio

from soc_assets_tests.small_project import SmallProject


def layers_of(maps: Path) -> dict[str, Any]:
    """Checksums of the layers of every map."""
    found = {}
    for path in maps.glob("*/*/*.tif"):
        with rasterio.open(path) as dataset:
            found["/".join(path.parts[-2:])] = dataset.checksum(1)
    return found


def tiles_of(made: SmallProject) -> dict[Path, int]:
    """The tiles of maps that are done, with the time of each."""
    return {path: path.stat().st_mtime_ns for path in made.root.glob("data/maps/*/tiles/*.npz")}
