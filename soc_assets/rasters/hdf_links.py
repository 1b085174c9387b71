"""Whether an HDF5 file (NetCDF 4 is one) takes values from another: links, storage and datasets that lie elsewhere.

The library follows them without asking, to any file of this machine. They are recognised by their byte patterns in the
file's own index, wherever that lies: each match is confirmed by what it points at, so that numbers that merely look
alike do not count.
"""

import mmap
import re
from collections.abc import Iterator
from typing import IO

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MOST = 2**31  # bytes read of a file that is not on this machine
_LINK = re.compile(rb"\x01[\x08-\x1f]\x40", re.DOTALL)  # version 1, flags with a type, type 64: external


def names_elsewhere(file: IO[bytes]) -> str | None:
    """What a file takes values from besides itself, or None.

    Args:
        file: open for reading.
    """
    start = _start(file)
    if start is None:
        return None
    try:
        content: mmap.mmap | bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (AttributeError, OSError, ValueError):  # not a file of this machine
        file.seek(0)
        content = file.read(_MOST)
    return next(iter(_found(content, start)), None)


def _start(file: IO[bytes]) -> int | None:
    """Where HDF5 begins: at 0, 512, 1024, 2048, ... after a user block of any size."""
    place = 0
    while True:
        file.seek(place)
        head = file.read(len(_SIGNATURE))
        if head == _SIGNATURE:
            return place
        if len(head) < len(_SIGNATURE):
            return None
        place = max(512, 2 * place)


def _found(content: "mmap.mmap | bytes", start: int) -> Iterator[str]:
    for match in _LINK.finditer(content):
        if name := _external(content, match.start()):
            yield f"a link to {name!r}"
    for heap in _each(content, b"HEAP\0"):  # names of files with stored numbers: version, slots, the heap's place
        for at in _each(content, (heap - start).to_bytes(8, "little", signed=True)):
            allocated, used = (int.from_bytes(content[at - n : at - n + 2], "little") for n in (4, 2))
            if content[max(at - 8, 0) : at - 4] == b"\x01\0\0\0" and 0 < used <= allocated:
                yield "external storage"
    for heap in _each(content, b"GCOL\x01"):  # parts of a virtual dataset: version, class, the heap's place
        for at in _each(content, (heap - start).to_bytes(8, "little", signed=True)):
            if content[max(at - 2, 0) : at] in (b"\x04\x03", b"\x05\x03"):
                yield "a virtual dataset"
    for at in _each(content, b"FRHP\0"):
        if int.from_bytes(content[at + 7 : at + 9], "little"):
            yield "a packed index of links, which cannot be looked into"


def _each(content: "mmap.mmap | bytes", pattern: bytes) -> Iterator[int]:
    at = content.find(pattern)
    while at >= 0:
        yield at
        at = content.find(pattern, at + 1)


def _external(content: "mmap.mmap | bytes", at: int) -> str | None:
    """The file of an external link whose message begins at a place; None where there is no such message."""
    flags = content[at + 1]
    here = at + 3 + (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
    width = 1 << (flags & 3)
    length = int.from_bytes(content[here : here + width], "little")
    if not 0 < length < 2**12:
        return None
    here += width + length
    size = int.from_bytes(content[here : here + 2], "little")
    value = content[here + 2 : here + 2 + size]
    parts = value[1:].split(b"\0")
    if len(value) != size or size < 4 or value[0] != 0 or len(parts) != 3 or parts[2] or not parts[0] or not parts[1]:
        return None
    return parts[0].decode(errors="replace")
