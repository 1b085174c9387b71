"""What the files of a folder may do: which drivers open them, which files a VRT may name, how large they may be.

A driver is chosen by the suffix of a name, never by the bytes: an untrusted LAI_2015.tif can hold anything. A project's
settings are registered here by its folder of rasters, so that any code that opens a file finds its rules. Nothing here
opens a file, and the module imports no raster library: loading a project stays light.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath

from soc_assets.errors import RasterError
from soc_assets.settings.rasters import Rasters

DRIVERS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys((".tif", ".tiff", ".gtiff"), ("GTiff",)),
    ".vrt": ("VRT",),
    ".img": ("HFA", "ENVI", "EHdr"),
    **dict.fromkeys((".jp2", ".j2k"), ("JP2OpenJPEG",)),
    **dict.fromkeys((".nc", ".nc4", ".cdf"), ("netCDF",)),
    **dict.fromkeys((".h5", ".hdf5", ".he5"), ("HDF5", "HDF5Image")),
    ".hdf": ("HDF4", "HDF4Image", "HDF5", "HDF5Image"),
    ".asc": ("AAIGrid", "GRASSASCIIGrid"),
    ".grd": ("RRASTER", "GSBG", "GS7BG", "GSAG", "NWT_GRD", "EHdr"),
    **dict.fromkeys((".bil", ".bip", ".bsq", ".flt"), ("EHdr", "ENVI")),
    **dict.fromkeys((".dat", ".envi"), ("ENVI",)),
    ".adf": ("AIG",),
    **dict.fromkeys((".grb", ".grb2", ".grib", ".grib2"), ("GRIB",)),
    ".hgt": ("SRTMHGT",),
    ".dem": ("USGSDEM",),
    ".sdat": ("SAGA",),
    ".rst": ("RST",),
    ".png": ("PNG",),
    **dict.fromkeys((".jpg", ".jpeg"), ("JPEG",)),
}
"""Suffix -> drivers of GDAL that may open such a file: formats with their values in it, or in files of its name."""


@dataclass(frozen=True)
class Allowed:
    """What the files below a folder may do.

    Attributes:
        root: the folder, a location; empty where none is known.
        start: what relative `vrt_folders` of the settings start from.
        drivers: suffix -> drivers, in addition to `DRIVERS`.
        folders: whose files a VRT may name, besides its own and `root`.
        pixels: without data, of one raster.
        block_mb: largest block, MB.
        unpacked_gb: largest file in a zip that is packed more than a hundredfold, GB.
    """

    root: str = ""
    start: Path = field(default_factory=Path.cwd)
    drivers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    pixels: float = Rasters.model_fields["max_pixels_without_data"].default
    block_mb: int = Rasters.model_fields["max_block_mb"].default
    unpacked_gb: float = Rasters.model_fields["max_unpacked_gb"].default


_SCHEMES = {"gcs": "gs", "abfs": "az"}  # as GDAL names them
_BY_FOLDER: dict[str, Allowed] = {}
_NOTHING_MORE = Allowed()


def allow(folder: Path | str, rasters: Rasters, start: Path | None = None) -> None:
    """Note what the settings allow the files of a folder.

    Args:
        folder: of the rasters: a path, a zip file, or a location on object storage as GDAL opens it.
        rasters: the settings.
        start: what relative `vrt_folders` start from; None: those given before, or the working folder.
    """
    root = _plain(str(folder))
    start = start or _BY_FOLDER.get(root, _NOTHING_MORE).start
    own = {f".{suffix.lower().lstrip('.')}": names for suffix, names in rasters.drivers.items()}
    folders = tuple(os.path.realpath(start / Path(name).expanduser()) for name in rasters.vrt_folders)
    limits = rasters.max_pixels_without_data, rasters.max_block_mb, rasters.max_unpacked_gb
    _BY_FOLDER[root] = Allowed(root, start, own, folders, *limits)
    _nearest.cache_clear()


def allowed(location: str) -> Allowed:
    """What the file at a location may do: by the nearest folder that `allow` was given."""
    if not _BY_FOLDER:
        return _NOTHING_MORE
    return _nearest(location.rpartition("/")[0] if "/" in location else str(Path(location).absolute().parent))


@lru_cache(maxsize=1024)
def _nearest(folder: str) -> Allowed:
    place = PurePosixPath(_plain(folder).replace(os.sep, "/"))
    above = (str(each) for each in (place, *place.parents))
    return next((_BY_FOLDER[name] for name in above if name in _BY_FOLDER), _NOTHING_MORE)


def drivers_of(name: str) -> tuple[str, ...]:
    """The drivers that may open a file, in the order in which they are tried.

    Args:
        name: a path or another location.

    Raises:
        RasterError: files with this suffix are not opened.
    """
    suffix = suffix_of(name)
    found = allowed(name).drivers.get(suffix) or DRIVERS.get(suffix)
    if not found:
        fault = f"its suffix {suffix!r} is" if suffix else "it has no suffix, which would be"
        raise RasterError(
            f"The raster {name} is not opened: {fault} that of no known raster format, and what a file holds does not "
            "decide. Give it the suffix of its format (.tif, .nc, .vrt, ...), or name GDAL's driver for it in "
            "soc.toml: "
            f'[rasters] drivers = {{ "{suffix or ".xyz"}" = ["NAME"] }}'
        )
    return found


def suffix_of(name: str) -> str:
    """The suffix of a path or another location, in lower case, with its dot."""
    file = name.rpartition("/")[2].rpartition(os.sep)[2] if os.sep != "/" else name.rpartition("/")[2]
    start, dot, end = file.rpartition(".")
    return f".{end.lower()}" if dot and start else ""


def _plain(location: str) -> str:
    """A location without the braces of `/vsizip/{archive}/name`."""
    if "://" in location:
        scheme, _, rest = location.partition("://")
        return f"/vsi{_SCHEMES.get(scheme, scheme)}/{rest}".rstrip("/")
    if not location.startswith("/vsi"):
        return str(Path(location).absolute())
    return location.removeprefix("/vsizip/").replace("{", "").replace("}", "").rstrip("/")
