"""Where rasters lie: a local folder, a zip file, or object storage; the names in it, and how GDAL opens each.

A location is a string that GDAL opens: a path, `/vsizip/...` or `/vsis3/...`. Size, time and digest of a location's
bytes are here too. Which names belong to which band is in `rasters.files`, opening rasters in `rasters.io`.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Protocol

from soc_assets.errors import RasterError
from soc_assets.storage import digest, files, objects, zips
from soc_assets.storage.objects import file_system
from soc_assets.storage.raster_drivers import allowed
from soc_assets.storage.zips import explained

_GDAL_PREFIXES = {"s3": "/vsis3/", "gs": "/vsigs/", "gcs": "/vsigs/", "az": "/vsiaz/", "abfs": "/vsiaz/"}
_SCHEMES = {"/vsis3/": "s3", "/vsigs/": "gs", "/vsiaz/": "az"}
_ZIP = zips.PREFIX
_NO_CODE = {"GDAL_VRT_ENABLE_PYTHON": "NO"}
OFFLINE = {**_NO_CODE, "CPL_VSIL_CURL_ALLOWED_FILENAME": "-", "GDAL_HTTP_PROXY": "127.0.0.1:1"}
"""What keeps GDAL off the network: no name is allowed, and whatever asks all the same meets a closed door."""


class RasterFolder(Protocol):
    """Something that holds rasters."""

    @property
    def where(self) -> str:
        """What people call it."""
        ...

    def exists(self) -> bool:
        """Whether it is there."""
        ...

    def names(self, pattern: str = "**/*") -> Iterator[str]:
        """Names of files relative to it, with `/`; those that match the glob, or more."""
        ...

    def location(self, name: str) -> str:
        """What GDAL opens."""
        ...


def open_folder(place: Path | str) -> RasterFolder:
    """The folder of rasters at a path, a zip file, a `/vsi...` path or a URL.

    Raises:
        RasterError: the kind of URL is not known, what it needs is not installed, or the zip file is damaged.
    """
    text = str(place)
    if text.startswith(_ZIP):
        archive, inside = zips.split(text)
        return ZippedRasters(Path(archive), f"{inside}/" if inside else "")
    for prefix, scheme in _SCHEMES.items():
        if text.startswith(prefix):
            return StoredRasters(scheme, text.removeprefix(prefix).strip("/"))
    if "://" in text:
        scheme, _, rest = text.partition("://")
        if scheme == "file":
            return LocalRasters(Path(rest))
        if scheme not in _GDAL_PREFIXES:
            raise RasterError(
                f"Rasters cannot be read from {text}: known are {', '.join(f'{name}://' for name in _GDAL_PREFIXES)}, "
                "folders and zip files. Set [paths] rasters in soc.toml to one of them."
            )
        return StoredRasters(_SCHEMES[_GDAL_PREFIXES[scheme]], rest.strip("/"))
    path = Path(text)
    return (
        ZippedRasters(path.absolute(), "") if path.suffix.lower() == ".zip" and path.is_file() else LocalRasters(path)
    )


@dataclass(frozen=True)
class LocalRasters:
    """A folder on this machine."""

    folder: Path

    @property
    def where(self) -> str:
        """The path."""
        return str(self.folder)

    def exists(self) -> bool:
        """Whether the folder is there."""
        return self.folder.is_dir()

    def names(self, pattern: str = "**/*") -> Iterator[str]:
        """Files that match the glob."""
        for path in self.folder.glob(pattern):
            if path.is_file():
                yield path.relative_to(self.folder).as_posix()

    def location(self, name: str) -> str:
        """The absolute path."""
        return str(self.folder.absolute() / name)


@dataclass(frozen=True)
class ZippedRasters:
    """A zip file on this machine, or a folder (`inside`, with a final `/`) in it."""

    archive: Path
    inside: str

    @property
    def where(self) -> str:
        """The path."""
        return str(self.archive / self.inside)

    def exists(self) -> bool:
        """Whether the archive is there and holds the folder."""
        return self.archive.is_file() and (not self.inside or next(self.names(), None) is not None)

    def names(self, pattern: str = "**/*") -> Iterator[str]:
        """All files."""
        for name in self._index:
            if name.startswith(self.inside) and not name.endswith("/") and ".." not in name.split("/"):
                yield name.removeprefix(self.inside)

    @cached_property
    def _index(self) -> list[str]:
        return zips.index(self.archive)

    def location(self, name: str) -> str:
        """`/vsizip/{/path/rasters.zip}/name`."""
        return f"{_ZIP}{{{self.archive}}}/{self.inside}{name}"


@dataclass(frozen=True)
class StoredRasters:
    """A bucket, or a prefix in it, on object storage."""

    scheme: str
    root: str

    @property
    def where(self) -> str:
        """The URL."""
        return f"{self.scheme}://{self.root}"

    def exists(self) -> bool:
        """Whether there is anything below the prefix."""
        return next(self.names(), None) is not None

    def names(self, pattern: str = "**/*") -> Iterator[str]:
        """All objects."""
        yield from self._listing

    @cached_property
    def _listing(self) -> list[str]:
        """Asked for once, past what fsspec remembers; `stamp_of` then takes sizes and times from it."""
        with explained(self.where):
            system = file_system(self.scheme)
            system.invalidate_cache()
            return [str(name).removeprefix(self.root).strip("/") for name in system.find(self.root)]

    def location(self, name: str) -> str:
        """`/vsis3/bucket/prefix/name`."""
        return f"{_GDAL_PREFIXES[self.scheme]}{self.root}/{name}"


def is_local(location: str) -> bool:
    """Whether a location is a plain path on this machine."""
    return not location.startswith("/vsi")


def exists(location: str) -> bool:
    """Whether there is a file."""
    if is_local(location):
        return Path(location).is_file()
    if location.startswith(_ZIP):
        archive, name = zips.split(location)
        return name in zips.names(Path(archive))
    scheme, key = _split_stored(location)
    with explained(location):
        return bool(file_system(scheme).exists(key))


def stamp_of(location: str) -> tuple[int, ...]:
    """Size in bytes and time of change in ns, on this machine also ctime and inode; of a file in a zip, the zip's."""
    if not location.startswith("/vsi") or location.startswith(_ZIP):
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

    On storage it is the endpoint of AWS_ENDPOINT_URL, and to forget what it has read: else a raster that changes would
    be read in parts from before and from after.
    """
    if is_local(location) or location.startswith(_ZIP):
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
        if folder.startswith(_ZIP):
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
        elif location.startswith(_ZIP):
            archive, name = zips.split(location)
            with zips.archive_at(Path(archive)).open(name) as file:
                yield file
        else:
            scheme, key = _split_stored(location)
            with file_system(scheme).open(key, "rb") as file:
                yield file


def _split_stored(location: str) -> tuple[str, str]:
    prefix = next(prefix for prefix in _SCHEMES if location.startswith(prefix))
    return _SCHEMES[prefix], location.removeprefix(prefix)
