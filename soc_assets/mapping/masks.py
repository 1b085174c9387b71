"""Rasters of classes in which there is no soil to map: which cells they mask."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rasterio.enums import Resampling
from rasterio.errors import RasterioError

from soc_assets.errors import MapError, RasterError
from soc_assets.geo.grid import box_on
from soc_assets.mapping.lattice import Cells, Lattice
from soc_assets.project import Project
from soc_assets.rasters.georeferencing import grid_of_dataset
from soc_assets.rasters.mosaic import read_source
from soc_assets.rasters.opening import open_raster
from soc_assets.rasters.tiles import Source
from soc_assets.settings import Mask
from soc_assets.storage import digest

_LOOKED_AT = 2048  # pixels along an edge of what is looked at for the classes of a file


def masked(project: Project, masks: Sequence[Mask], lattice: Lattice, cells: Cells) -> np.ndarray:
    """Which cells [h, w] belong to one of the masked classes, by the nearest pixel."""
    result = np.zeros(cells.shape, bool)
    rows, columns = lattice.pixels(cells)
    for mask in masks:
        path = project.path(mask.file)
        with open_raster(str(path)) as dataset:
            box = box_on(lattice.reference, grid_of_dataset(dataset))
        source = Source(str(path), "nearest", box=box, layer=mask.layer)
        top, left = int(rows[0]), int(columns[0])
        size = int(rows[-1]) - top + 1, int(columns[-1]) - left + 1
        codes = read_source(source, lattice.reference, top, left, *size)[:: lattice.step, :: lattice.step]
        result |= np.isin(codes, np.array(mask.classes, np.float32))
    return result


def content_of(project: Project, masks: Sequence[Mask]) -> list[object]:
    """What of the masks decides a map: their files' digests, and the classes."""
    return [[digest.of_file(_path(project, mask)), sorted(mask.classes), mask.layer] for mask in masks]


def require_classes(project: Project, masks: Sequence[Mask]) -> None:
    """Refuse masks of a class that their file does not hold; of a large file every n-th pixel is looked at.

    Raises:
        MapError: a file is missing, cannot be read, or lacks a class.
    """
    for mask in masks:
        path = _path(project, mask)
        found, whole = _classes(path, mask)
        unknown = sorted(set(mask.classes) - found)
        if unknown and whole:
            known = ", ".join(map(str, sorted(found)[:20]))
            raise MapError(
                f"classes = {list(mask.classes)} in [[map.masks]] of soc.toml: {path} holds no pixel of "
                f"{', '.join(map(str, unknown))}. Its classes are {known}."
            )


def _path(project: Project, mask: Mask) -> Path:
    path = project.path(mask.file)
    if not path.is_file():
        raise MapError(f"file = {mask.file!r} in [[map.masks]] of soc.toml: {path} does not exist. Correct the name.")
    return path


def _classes(path: Path, mask: Mask) -> tuple[set[int], bool]:
    """The classes seen in a file, and whether every pixel was looked at."""
    try:
        with open_raster(str(path)) as dataset:
            if mask.layer > dataset.count:
                raise MapError(
                    f"layer = {mask.layer} in [[map.masks]] of soc.toml: {path} has {dataset.count} bands. Correct it."
                )
            shape = tuple(min(size, _LOOKED_AT) for size in dataset.shape)
            values = dataset.read(mask.layer, out_shape=shape, resampling=Resampling.nearest)
            return set(np.unique(values).astype(int).tolist()), shape == tuple(dataset.shape)
    except (RasterioError, RasterError) as error:
        raise MapError(f"file = {mask.file!r} in [[map.masks]] of soc.toml cannot be read: {error}") from error
