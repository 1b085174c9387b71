"""One raster file by its location: whether it is there, its stamp, digest and bytes, and what GDAL needs to open it.

A location is a string that GDAL opens: a path, `/vsizip/...` or `/vsis3/...`.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from soc_assets.errors import RasterError
from soc_assets.storage import digest, files, objects, zips
from soc_assets.storage.objects import file_system
from soc_assets.storage.raster_drivers import allowed
from soc_assets.storage.zips import explained

GDAL_PREFIXES = {"s3": "/vsis3/", "gs": "/vsigs/", "gcs": "/vsigs/", "az": "/vsiaz/", "abfs": "/vsiaz/"}
SCHEMES = {"/vsis3/": "s3", "/vsigs/": "gs", "/vsiaz/": "az"}
_NO_CODE = {"GDAL_VRT_ENABLE_PYTHON": "NO"}
OFFLINE = {**_NO_CODE, "CPL_VSIL_CURL_ALLOWED_FILENAME": "-", "GDAL_HTTP_PROXY": "127.0.0.1:1"}
"""What keeps GDAL off the network: no name is allowed, and any request that is made anyway fails."""


def is_local(location: str) -> bool:
    """Whether a location is a plain path on this machine."""
    return not location.startswith("/vsi")


def exists(location: str) -> bool:
    """Whether there is a file."""
    if is_local(location):
        return Path(location).is_file()
    if location.startswith(zips.PREFIX):
        archive, name = zips.split(location)
        return name in zips.names(Path(archive))
    scheme, key = _split_stored(location)
    with explained(location):
        return bool(file_system(scheme).exists(key))


def stamp_of(location: str) -> tuple[int, ...]:
    """Size in bytes and time of change in ns, on this machine also ctime and inode; of a file in a zip, the zip's."""
    if not location.startswith("/vsi") or location.startswith(zips.PREFIX):
        return files.stamp(Path(location if is_local(location) else zips.split(location)[0]))
    scheme, key = _split_stored(location)
    with explained(location):
        return objects.stamp_of(file_system(scheme).info(key))


def digest_of(location: str) -> str:
    """sha256 of the file's bytes, as `digest.of_file` writes it."""
    if is_local(location):
        try:
            return digest.of_file(Path(location))
        except OSError as error:
            words = f"The raster {location} cannot be read ({error.strerror}). Mend its permissions, or copy it again."
            raise RasterError(words) from error
    zips.require_moderate(location, allowed(location).unpacked_gb)
    with opened(location) as file:
        hashed = hashlib.sha256()
        while block := file.read(2**22):
            hashed.update(block)
    return hashed.hexdigest()[: digest.LENGTH]


def first_bytes(location: str, count: int = 2**16) -> bytes:
    """The beginning of a file."""
    with opened(location) as file:
        return file.read(count)


def gdal_options(location: str) -> dict[str, Any]:
    """What GDAL must be told to open a location: for one on this machine to stay off the network.

    On storage it is the endpoint of AWS_ENDPOINT_URL, and to forget what it has read: else parts of a changing raster
    would be read from before and parts from after the change.
    """
    if is_local(location) or location.startswith(zips.PREFIX):
        return OFFLINE
    options: dict[str, Any] = {**_NO_CODE, "CPL_VSIL_CURL_NON_CACHED": "/vsis3/:/vsigs/:/vsiaz/"}
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if location.startswith("/vsis3/") and endpoint:
        scheme, _, host = endpoint.rstrip("/").rpartition("://")
        options |= {"AWS_S3_ENDPOINT": host, "AWS_HTTPS": "NO" if scheme == "http" else "YES"}
        options["AWS_VIRTUAL_HOSTING"] = "FALSE"
    return options


def names_in(folder: str) -> list[str]:
    """Names of the files in a folder of a zip or of object storage, without the folder's."""
    with explained(folder):
        if folder.startswith(zips.PREFIX):
            archive, inside = zips.split(f"{folder}/")
            start = f"{inside}/" if inside else ""
            names = [name for name in zips.names(Path(archive)) if name.startswith(start)]
            return [name.removeprefix(start) for name in names if "/" not in name.removeprefix(start)]
        scheme, key = _split_stored(folder)
        return [str(name).rpartition("/")[2] for name in file_system(scheme).ls(key, detail=False)]


@contextmanager
def opened(location: str) -> Iterator[IO[bytes]]:
    """A file, for reading its bytes."""
    with explained(location):
        if is_local(location):
            with Path(location).open("rb") as file:
                yield file
        elif location.startswith(zips.PREFIX):
            archive, name = zips.split(location)
            with zips.archive_at(Path(archive)).open(name) as file:
                yield file
        else:
            scheme, key = _split_stored(location)
            with file_system(scheme).open(key, "rb") as file:
                yield file


def _split_stored(location: str) -> tuple[str, str]:
    prefix = next(prefix for prefix in SCHEMES if location.startswith(prefix))
    return SCHEMES[prefix], location.removeprefix(prefix)
