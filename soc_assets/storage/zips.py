"""Zip files of rasters: the names in them, what is too much to unpack, and what is raised for damaged ones."""

import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath

from soc_assets.errors import RasterError
from soc_assets.storage import objects

PREFIX = "/vsizip/"
_BOMB = 100  # how many times as large a file in a zip is unpacked


def split(location: str) -> tuple[str, str]:
    """The archive and the name in it, of `/vsizip/a.zip/name` or `/vsizip/{a.zip}/name`."""
    rest = location.removeprefix(PREFIX)
    if rest.startswith("{") and "}" in rest:
        archive, _, name = rest[1:].partition("}")
        return archive, name.strip("/")
    path = PurePosixPath(rest)
    for parent in (path, *path.parents):
        if parent.suffix.lower() == ".zip":
            return str(parent), path.relative_to(parent).as_posix().removeprefix(".")
    raise RasterError(f"{location} names no zip file. Expected for example {PREFIX}/home/me/rasters.zip/folder.")


def require_moderate(location: str, most_gb: float) -> None:
    """Refuse a file in a zip that unpacks to much more than it is.

    Raises:
        RasterError: names it, both sizes and the setting.
    """
    if not location.startswith(PREFIX):
        return
    archive, name = split(location)
    with explained(archive):
        found = archive_at(Path(archive)).NameToInfo.get(name)
    if found and found.file_size > max(most_gb * 10**9, _BOMB * found.compress_size):
        raise RasterError(
            f"The raster {name} in {archive} unpacks from {found.compress_size / 1e6:,.1f} MB to "
            f"{found.file_size / 1e9:,.1f} GB; more than {most_gb:g} GB that are packed more than a hundredfold are "
            "not read. Replace it, or raise max_unpacked_gb in [rasters] of soc.toml if it is right."
        )


def index(archive: Path) -> list[str]:
    """The names in an archive, in order."""
    return sorted(names(archive))


def names(archive: Path) -> Collection[str]:
    """The names in an archive, to look one up."""
    return archive_at(archive).NameToInfo.keys()


def archive_at(archive: Path) -> zipfile.ZipFile:
    """The archive as it is now: its index is read once, however many files in it are asked for."""
    with explained(str(archive)):
        found = archive.stat()
        return _opened(archive, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@lru_cache(maxsize=2)
def _opened(archive: Path, *stamp: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(archive)


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Turn what storage and zip files raise into an error that names the place and the fix."""
    with objects.explained(where, RasterError):
        try:
            yield
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error, EOFError) as error:
            raise RasterError(f"{where} is no zip file or damaged ({error}): copy or download it again.") from error
