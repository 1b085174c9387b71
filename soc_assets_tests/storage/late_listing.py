"""Listings of a bucket as they were some seconds ago, from the listing of now and the changes since."""

import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

_S3 = "{http://s3.amazonaws.com/doc/2006-03-01/}"


@dataclass(frozen=True)
class Entry:
    """One object of a listing."""

    size: str
    etag: str
    modified: str


class History:
    """What each key was before each change of it."""

    def __init__(self) -> None:
        self._before: dict[str, list[tuple[float, Entry | None]]] = {}
        self._lock = threading.Lock()

    def note(self, key: str, now: float, before: Entry | None) -> None:
        """`key` (bucket/key) is about to change or go."""
        with self._lock:
            self._before.setdefault(key, []).append((now, before))

    def as_of(self, moment: float, now: Mapping[str, Entry], prefix: str) -> dict[str, Entry]:
        """The entries below `prefix` (bucket/prefix) at that moment, in order."""
        found: dict[str, Entry | None] = dict(now)
        with self._lock:
            for key, changes in self._before.items():
                later = [before for at, before in changes if at > moment]
                if later and key.startswith(prefix):
                    found[key] = later[0]
        return {key: entry for key, entry in sorted(found.items()) if entry is not None}


def entries(read: Callable[[str], bytes], bucket: str, prefix: str) -> dict[str, Entry]:
    """All objects below a prefix, by bucket/key; `read` gets a path of the server."""
    found, token = {}, ""
    while True:
        query = {"list-type": "2", "prefix": prefix, **({"continuation-token": token} if token else {})}
        page = ET.fromstring(read(f"/{bucket}?{urlencode(query)}"))
        for item in page.iter(f"{_S3}Contents"):
            size, etag, modified = (item.findtext(_S3 + name, "") for name in ("Size", "ETag", "LastModified"))
            found[f"{bucket}/{item.findtext(_S3 + 'Key', '')}"] = Entry(size, etag, modified)
        token = page.findtext(f"{_S3}NextContinuationToken", "")
        if not token:
            return found


def page(found: Mapping[str, Entry], bucket: str, query: Mapping[str, str]) -> bytes:
    """The answer to a request for a listing (ListObjects or ListObjectsV2) with these entries."""
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    after = query.get("continuation-token") or query.get("start-after") or query.get("marker") or ""
    most = int(query.get("max-keys", 1000))
    rows: dict[str, Entry | None] = {}  # names of objects, and of folders, which have no entry
    for full, entry in found.items():
        key = full.removeprefix(f"{bucket}/")
        head, cut, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
        name, shown = (prefix + head + cut, None) if cut else (key, entry)
        if name > after:
            rows[name] = shown
    names = sorted(rows)
    given = names[:most]
    more = given[-1] if len(names) > most else ""
    written = (lambda text: quote(text, safe="/")) if query.get("encoding-type") == "url" else escape
    lines = [_row(written(name), rows[name]) for name in given]
    continued = f"<NextContinuationToken>{escape(more)}</NextContinuationToken><NextMarker>{escape(more)}</NextMarker>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{bucket}</Name><Prefix>{written(prefix)}</Prefix><KeyCount>{len(given)}</KeyCount>"
        f"<MaxKeys>{most}</MaxKeys><IsTruncated>{'true' if more else 'false'}</IsTruncated>"
        f"{continued if more else ''}{''.join(lines)}</ListBucketResult>"
    ).encode()


def _row(name: str, entry: Entry | None) -> str:
    if entry is None:
        return f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"
    return (
        f"<Contents><Key>{name}</Key><LastModified>{entry.modified}</LastModified><ETag>{escape(entry.etag)}</ETag>"
        f"<Size>{entry.size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )
