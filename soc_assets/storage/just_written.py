"""What this process has just stored, kept in memory for whoever reads it next, such as the check of a new batch.

A file is known by its key and its version, so that a reader never gets what another host has replaced meanwhile. Only
versions that are the MD5 of the bytes are kept: they prove that the bytes are those that are stored.
"""

import hashlib
import threading
from collections import OrderedDict

_MOST = 128 * 2**20  # bytes in memory

_lock = threading.Lock()
_contents: OrderedDict[str, tuple[str, bytes]] = OrderedDict()


def keep(key: str, version: str | None, content: bytes) -> None:
    """Keep the bytes of a version, if they are its bytes; the oldest go where there are too many."""
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if len(content) > _MOST // 2 or version is None or version.strip('"') != digest:
        return
    with _lock:
        _contents.pop(key, None)
        _contents[key] = version, content
        while sum(len(kept) for _, kept in _contents.values()) > _MOST:
            _contents.popitem(last=False)


def is_kept(key: str) -> bool:
    """Whether some version is kept, so that it pays to ask which one is stored."""
    return key in _contents


def find(key: str, version: str | None) -> bytes | None:
    """The bytes of a version; None where it is not kept."""
    with _lock:
        kept = _contents.get(key)
        if kept and kept[0] != version:
            del _contents[key]
    return kept[1] if kept and kept[0] == version else None
