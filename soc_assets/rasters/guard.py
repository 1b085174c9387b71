"""Whether GDAL may open a raster at all: its sidecar files, and which other files it would make GDAL open.

GDAL opens overviews and masks next to a raster, and the sources of a VRT, with whatever driver recognises their bytes:
one that holds XML could make it send requests or read any file of this machine. So each of them is checked first. What
a VRT may hold is in `vrt`, links in HDF5 files are in `hdf_links`, how large a raster may claim to be in `limits`.
"""

import os
import posixpath
from functools import lru_cache
from pathlib import Path, PurePosixPath

from rasterio.io import DatasetReader

from soc_assets.errors import RasterError
from soc_assets.rasters.hdf_links import names_elsewhere
from soc_assets.rasters.vrt import sources_of
from soc_assets.storage import raster_location, zips
from soc_assets.storage.raster_drivers import allowed, drivers_of, suffix_of

_BESIDE = (".ovr", ".msk", ".aux", ".rrd")
_HEAD = 2**16
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MAGIC = {
    **dict.fromkeys((".tif", ".tiff", ".gtiff", ".ovr", ".msk"), _TIFF),
    **dict.fromkeys((".img", ".aux", ".rrd"), (b"EHFA_HEADER_TAG",)),
    **dict.fromkeys((".jp2", ".j2k"), (b"\0\0\0\x0cjP", b"\xff\x4f\xff\x51")),
    **dict.fromkeys((".nc", ".nc4", ".cdf"), (b"CDF", b"\x89HDF")),
    **dict.fromkeys((".h5", ".hdf5", ".he5", ".hdf"), (b"\x89HDF", b"\x0e\x03\x13\x01")),
    ".png": (b"\x89PNG",),
    **dict.fromkeys((".jpg", ".jpeg"), (b"\xff\xd8\xff",)),
}
_HDF = (".nc", ".nc4", ".cdf", ".h5", ".hdf5", ".he5", ".hdf")
_DEEPEST = 8  # VRTs within VRTs


def require_safe(location: str) -> None:
    """Refuse a raster that would make GDAL open what it must not, before GDAL sees it.

    Args:
        location: a path, `/vsizip/...` or an object on storage.

    Raises:
        RasterError: the suffix is not supported, a sidecar file is not what its name says, a VRT names a file
            elsewhere, an HDF5 file keeps values elsewhere, or a file in a zip unpacks to too much; names file and fix.
    """
    drivers_of(location)
    zips.require_moderate(location, allowed(location).unpacked_gb)
    _require_own(location)
    if location.lower().endswith(".vrt"):
        _require_sources(location, 0)


def require_no_other(dataset: DatasetReader, name: str) -> None:
    """Refuse an open raster whose metadata name another file for its overviews, before anything is read from it.

    Raises:
        RasterError: names the file.
    """
    if other := dataset.tags(ns="OVERVIEWS").get("OVERVIEW_FILE"):
        raise RasterError(
            f"The raster {name} names another file for its pyramids ({other}), and GDAL would open whatever that is. "
            "Rewrite it without its metadata: rio convert in.tif out.tif, without the .aux.xml beside it."
        )


def require_own_variable(location: str, subdataset: str) -> None:
    """Refuse a variable or page that lies in another file than the one that lists it.

    Raises:
        RasterError: names the file and what it lists.
    """
    kind = subdataset.partition(":")[0].upper()
    known = kind in ("NETCDF", "HDF5", "GTIFF_DIR") or kind.startswith("HDF4")
    if not known or location not in subdataset:
        raise RasterError(
            f"The raster {location} lists {subdataset}, which does not lie in it. Write the variable or page that you "
            "need into a file of its own, and let the band read that."
        )


def _require_sources(location: str, depth: int) -> None:
    if depth >= _DEEPEST:
        raise RasterError(
            f"The raster {location} is a VRT of VRTs, {_DEEPEST} deep. Let one VRT name the files: rio convert it to "
            "GeoTIFF if you know where it comes from."
        )
    for source, raw in sources_of(location, allowed(location)):
        if raw:
            continue
        if source == location:
            raise RasterError(f"The VRT {location} names itself as its source. Rewrite it.")
        try:
            _require_source(source, depth)
        except RasterError as error:
            raise RasterError(f"The VRT {location} takes values from {source}. {error}") from error


def _require_source(source: str, depth: int) -> None:
    drivers_of(source)
    if suffix_of(source) == ".vrt":
        _require_sources(source, depth + 1)
    else:
        _require_kind(source, "which is a source,")
    _require_own(source)


def _require_own(location: str) -> None:
    """Look at the files beside a raster, and at links in it."""
    for name in _files_beside(location):
        _require_kind(name, f"which GDAL would open beside {PurePosixPath(location).name},")
        if name.lower().endswith(_BESIDE[:2]):
            _require_plain_pyramid(name, _mark(name))
    if location.lower().endswith(_HDF) and (found := _elsewhere(location, _mark(location))):
        raise RasterError(
            f"The raster {location} takes values from another file ({found}): external links, external storage and "
            "virtual datasets of HDF5 are not followed. Copy the values into one file (h5repack, nccopy or "
            "xarray's to_netcdf)."
        )


def _require_kind(location: str, what: str) -> None:
    if (found := _wrong_kind(location, _mark(location))) is not None:
        raise RasterError(
            f"The file {location}, {what} does not hold what its suffix says: it begins with {found!r}. Replace "
            "it, or remove it."
        )


@lru_cache(maxsize=2**16)
def _wrong_kind(location: str, mark: tuple[int, ...]) -> bytes | None:
    """The first bytes of a file that is not what its suffix says; None where it is."""
    head = raster_location.first_bytes(location, _HEAD)
    suffix = suffix_of(location)
    kinds = (*_MAGIC.get(suffix, ()), *(_MAGIC[".aux"] if suffix in (".ovr", ".msk") else ()))
    right = head.startswith(kinds) if kinds else True
    text = head.partition(b"\0")[0]  # drivers look for XML and JSON before the first zero byte
    plain = b"<" not in text and b"{" not in text
    return None if right and plain else head[:24]


@lru_cache(maxsize=2**12)
def _require_plain_pyramid(location: str, mark: tuple[int, ...]) -> None:
    """Refuse overviews or a mask that name further files."""
    import rasterio

    if raster_location.first_bytes(location, 4) in _TIFF:
        options = raster_location.gdal_options(location)
        with rasterio.Env(**options), rasterio.open(location, driver="GTiff", OVERVIEW_LEVEL="NONE") as dataset:
            require_no_other(dataset, location)


@lru_cache(maxsize=2**12)
def _elsewhere(location: str, mark: tuple[int, ...]) -> str | None:
    with raster_location.opened(location) as file:
        return names_elsewhere(file)


def _files_beside(location: str) -> list[str]:
    """Overviews, masks and older metadata files next to a raster, as GDAL finds them: case-insensitively."""
    head, name = os.path.split(location) if raster_location.is_local(location) else posixpath.split(location)
    if not (others := _candidates(head or ".", location)):
        return []
    starts = f"{name.lower()}.", f"{name.rpartition('.')[0].lower()}."
    return [f"{head or '.'}/{other}" for other in others if other.lower().startswith(starts)]


def _candidates(head: str, location: str) -> tuple[str, ...]:
    if not raster_location.is_local(location):
        return tuple(name for name in raster_location.names_in(head) if name.lower().endswith(_BESIDE))
    return _local_candidates(head, Path(head).stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _local_candidates(folder: str, changed: int) -> tuple[str, ...]:
    with os.scandir(folder) as entries:
        return tuple(entry.name for entry in entries if entry.name.lower().endswith(_BESIDE))


def _mark(location: str) -> tuple[int, ...]:
    """What a change of a file is detected by."""
    return tuple(raster_location.stamp_of(location))
