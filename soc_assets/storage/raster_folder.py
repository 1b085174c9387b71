"""Where rasters lie: a local folder, a zip file, or object storage; the names in it, and how GDAL opens each.

One file by its location is in `soc_assets.storage.raster_location`. Which names belong to which band is
in `ingest.catalog.find`, opening rasters in `rasters.opening`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from soc_assets.errors import RasterError
from soc_assets.storage import zips
from soc_assets.storage.objects import file_system
from soc_assets.storage.raster_location import GDAL_PREFIXES, SCHEMES
from soc_assets.storage.zips import explained


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
    if text.startswith(zips.PREFIX):
        archive, inside = zips.split(text)
        return ZippedRasters(Path(archive), f"{inside}/" if inside else "")
    for prefix, scheme in SCHEMES.items():
        if text.startswith(prefix):
            return StoredRasters(scheme, text.removeprefix(prefix).strip("/"))
    if "://" in text:
        scheme, _, rest = text.partition("://")
        if scheme == "file":
            return LocalRasters(Path(rest))
        if scheme not in GDAL_PREFIXES:
            raise RasterError(
                f"Rasters cannot be read from {text}: known are {', '.join(f'{name}://' for name in GDAL_PREFIXES)}, "
                "folders and zip files. Set [paths] rasters in soc.toml to one of them."
            )
        return StoredRasters(SCHEMES[GDAL_PREFIXES[scheme]], rest.strip("/"))
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
        return f"{zips.PREFIX}{{{self.archive}}}/{self.inside}{name}"


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
        return f"{GDAL_PREFIXES[self.scheme]}{self.root}/{name}"
