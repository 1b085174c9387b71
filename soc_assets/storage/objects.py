"""Object storage through fsspec: opening it, the properties of an object, and readable messages for its errors.

fsspec is imported when storage is opened, and never for a local folder. Rasters on storage are in
`soc_assets.storage.raster_folder`, the data folder on storage in `soc_assets.storage.object_path`.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from soc_assets.errors import SocError

_EXTRAS = {"s3": 'pip install "soc-assets[s3]"', "gs": "pip install gcsfs", "az": "pip install adlfs"}
_EXTRAS |= {"gcs": _EXTRAS["gs"], "abfs": _EXTRAS["az"]}
BUCKETS = ("s3", "gs", "gcs", "az", "abfs")
"""Schemes of storage that holds buckets, and in which an object is written in one piece."""

_CHECK = (
    "Check that it exists, the network, and the credentials in the environment (for s3:// AWS_ACCESS_KEY_ID, "
    "AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL)."
)


@dataclass(frozen=True)
class ObjectStat:
    """What `Path.stat` says of a file, as far as storage knows it; the fraction of the time tells versions apart."""

    st_size: int
    st_mtime_ns: int
    version: str
    st_ctime_ns: int = 0
    st_ino: int = 0

    @property
    def st_mtime(self) -> float:
        """Seconds since 1970."""
        return self.st_mtime_ns / 1e9


def file_system(scheme: str, exact: bool = False) -> Any:
    """The file system of a scheme; see `options_of`."""
    import fsspec

    return fsspec.filesystem(scheme, **options_of(scheme, exact))


def options_of(scheme: str, exact: bool = False) -> dict[str, Any]:
    """What fsspec is told: the endpoint and the anonymous access that the environment asks for.

    Args:
        scheme: of the URL.
        exact: remember no listings, and read the bytes asked for and no more.
    """
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    options: dict[str, Any] = {"endpoint_url": endpoint} if scheme == "s3" and endpoint else {}
    if scheme == "s3" and os.environ.get("AWS_NO_SIGN_REQUEST", "").upper() in ("YES", "TRUE", "1"):
        options["anon"] = True  # GDAL reads the variable by itself
    if exact:
        options |= {"use_listings_cache": False, "default_cache_type": "none"}
    return options


def version_of(info: Mapping[str, Any]) -> str:
    """What differs between two versions of an object: its ETag, or else the time of its change."""
    return str(info.get("ETag") or info.get("etag") or info.get("md5Hash") or _changed(info))


def stamp_of(info: Mapping[str, Any]) -> tuple[int, int]:
    """Size in bytes and time of change in ns of an object.

    Storage tells whole seconds: the rest is taken from the version, so that two versions of one second differ.
    """
    changed = _changed(info)
    seconds = int(changed.timestamp() if isinstance(changed, datetime) else changed or 0)
    fraction = int(hashlib.sha256(version_of(info).encode()).hexdigest()[:12], 16) % 10**9
    return int(info["size"] or 0), seconds * 10**9 + fraction


def is_conflict(error: BaseException) -> bool:
    """Whether storage refused a conditional write because another version is there, or is being written."""
    response = getattr(error.__cause__ or error, "response", {})
    gone = isinstance(error, FileNotFoundError)  # the version that was to be replaced
    known = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409", "NoSuchKey", "404")
    return gone or response.get("Error", {}).get("Code") in known


def _changed(info: Mapping[str, Any]) -> Any:
    known = ("LastModified", "last_modified", "updated", "mtime", "created")
    found = next((info[name] for name in known if info.get(name)), None)
    return found if isinstance(found, datetime | int | float) else None


@contextmanager
def explained(where: str, kind: type[SocError], what: str = "read", after: str = "") -> Iterator[None]:
    """Turn what storage raises into an error that names the place and the fix.

    Args:
        where: the URL.
        kind: of the error.
        what: was not possible: `read` or `written`.
        after: said at the end, of what happens to the user's files.
    """
    try:
        yield
    except SocError:
        raise
    except ImportError as error:
        scheme = where.partition("://")[0].removeprefix("/vsi").partition("/")[0]
        extra = _EXTRAS.get(scheme, "pip install fsspec")
        raise kind(f"{where} needs a package that is not installed ({error}): {extra}") from error
    except Exception as error:  # every storage has errors of its own
        raise kind(f"{where} cannot be {what}: {error}. {_CHECK} {after}".rstrip()) from error
