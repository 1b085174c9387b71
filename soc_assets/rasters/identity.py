"""What identifies a raster file: the files it consists of, their stamp, and the digest of their content."""

import contextlib
from pathlib import Path, PurePosixPath
from typing import Any

from rasterio.io import DatasetReader

from soc_assets.errors import RasterError
from soc_assets.rasters.classes import attribute_tables, is_classes
from soc_assets.rasters.georeferencing import crs_of
from soc_assets.rasters.opening import open_raster
from soc_assets.storage import digest, raster_location

_WORLD_FILES = (".tfw", ".tifw", ".wld")


_SIDECARS = (".aux.xml", *_WORLD_FILES, *(suffix.upper() for suffix in _WORLD_FILES))  # GDAL reads these, too


def beside(path: str) -> list[str]:
    """Sidecar files that hold what the raster itself does not: georeferencing, CRS, nodata, scale, class names."""
    stem = path.rpartition(".")[0]
    names = [f"{path if suffix == '.aux.xml' else stem}{suffix}" for suffix in _SIDECARS]
    return [*(name for name in names if raster_location.exists(name)), *attribute_tables(path)]


def how_read(dataset: DatasetReader, path: str) -> list[Any]:
    """What decides how a file's bytes are read, wherever it is written; not statistics that programs leave there."""
    tags = (dataset.nodatavals, dataset.scales, dataset.offsets, dataset.descriptions)
    classes = [n for n in range(1, dataset.count + 1) if is_classes(dataset, path, n)]
    place = [crs_of(dataset).to_wkt(), tuple(dataset.transform)]
    return [*place, *(list(map(str, values)) for values in tags), *([classes] if classes else [])]


_WHOLE = (".tif", ".tiff", ".nc", ".nc4", ".h5", ".hdf5", ".he5")  # need not be opened to list their files


def stamp(path: Path | str) -> dict[str, Any]:
    """What a change is detected by without reading: the files that a raster consists of, as the folder lists them.

    Returns:
        Bytes of all (`size`), the newest time of change (`mtime_ns`), and a digest of all that is known (`stamp`): a
        file on this machine that took the place of another of equal size and time has another inode or ctime.
    """
    used = sorted({*_files(str(path)), *beside(str(path))})
    stamps = {file: raster_location.stamp_of(file) for file in used if raster_location.exists(file)}
    names = [PurePosixPath(file).name for file in stamps]
    return {
        "size": sum(size for size, *_ in stamps.values()),
        "mtime_ns": max((time for _, time, *_ in stamps.values()), default=0),
        "stamp": digest.of_values([*zip(names, stamps.values(), strict=True)]),
    }


def _files(path: str) -> list[str]:
    """The raster and what it takes values from: a mask beside it, and the sources of a format that only describes."""
    if not path.lower().endswith(_WHOLE):
        with contextlib.suppress(RasterError), open_raster(path) as dataset:
            return sorted({path, *(str(name) for name in dataset.files if raster_location.exists(str(name)))})
    known = (".msk",) if path.lower().endswith(_WHOLE[:2]) else (".aux.xml", ".msk", ".ovr")
    return [path, *(path + end for end in known if raster_location.exists(path + end))]


def content_digest(path: str) -> str:
    """Digest of the bytes of a raster and of what it takes values from, as the catalog holds it."""
    digests = [raster_location.digest_of(file) for file in _files(path)]
    if path.lower().endswith(_WHOLE[:2]) and beside(path):
        with contextlib.suppress(RasterError), open_raster(path) as dataset:
            digests.append(digest.of_values(how_read(dataset, path)))
    return digests[0] if len(digests) == 1 else digest.of_values(digests)


def readable_digest(path: str) -> str:
    """`content_digest`, or empty text where the file cannot be read."""
    try:
        return content_digest(path)
    except (RasterError, OSError, MemoryError):  # opening the file reports why
        return ""
