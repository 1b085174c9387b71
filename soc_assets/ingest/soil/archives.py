"""What a workbook's zip archive is before it is unpacked: the size of its parts, and no entities in its XML.

A part of a kilobyte can unpack to gigabytes; XML can define entities that grow without end or name other files, and no
program writes these into a workbook.
"""

from collections.abc import Iterator
from typing import IO
from xml.parsers import expat
from zipfile import ZipFile, ZipInfo

from soc_assets.errors import LimitError, SoilError
from soc_assets.ingest.soil.limits import beyond
from soc_assets.settings import SoilLimits

CHUNK = 1 << 20
"""Bytes that are read of a part at a time."""
_MOST_MEMBERS = 10_000
_PACKED = 250  # times smaller than unpacked: text that repeats itself reaches 100
_SMALL = 50_000_000  # bytes that need not be looked at
_BESIDE = 64_000_000  # bytes of a part that is neither a sheet nor its strings: styles, names, relations
_PROLOG = 1_000_000  # bytes before the first element
_GREAT = ("sheet", "sharedstrings")
_XML = (".xml", ".rels")


def require_sound(archive: ZipFile, limits: SoilLimits) -> None:
    """Check the parts of a workbook that are read.

    Raises:
        LimitError: they unpack to more than a limit allows.
        SoilError: a part defines entities, is encrypted or is in the archive twice.
    """
    parts = [part for part in archive.infolist() if part.filename.lower().endswith(_XML)]
    if len(archive.infolist()) > _MOST_MEMBERS:
        raise LimitError(f"it has {len(archive.infolist()):,} parts; workbooks have a few. Save the table as CSV.")
    whole = sum(part.file_size for part in parts)
    if whole > limits.max_bytes:
        largest = max(parts, key=lambda part: part.file_size)
        found = f"it unpacks to {whole:,} bytes ({largest.filename} to {largest.file_size:,})"
        raise beyond("max_bytes", limits.max_bytes, found)
    for part in parts:
        _require_sound_part(archive, part)


def chunks(file: IO[bytes]) -> Iterator[bytes]:
    """The content of a part, some of it at a time."""
    while content := file.read(CHUNK):
        yield content


def _require_sound_part(archive: ZipFile, part: ZipInfo) -> None:
    name, size = part.filename, part.file_size
    if part.flag_bits & 1:
        raise SoilError("it is encrypted. Save it without a password.")
    if size > max(_SMALL, _PACKED * part.compress_size):
        raise LimitError(
            f"{name} unpacks from {part.compress_size:,} to {size:,} bytes, {size // max(part.compress_size, 1)} times "
            f"as many; a table reaches 100 times, and {_PACKED} are allowed. Save it as CSV if it is honest."
        )
    if size > _BESIDE and not any(word in name.lower() for word in _GREAT):
        raise LimitError(f"{name} unpacks to {size:,} bytes, though it holds no cells. Save the table as CSV.")
    with archive.open(part) as file:
        _require_no_definitions(file, name)


def _require_no_definitions(file: IO[bytes], name: str) -> None:
    """Read XML up to its first element; a document type must stand before that. Damage is found where it is parsed."""
    begun = False

    def begin(*_: object) -> None:
        nonlocal begun
        begun = True

    def define(*_: object) -> None:
        raise SoilError(
            f"{name} in it has a document type (DOCTYPE), by which XML can define text that grows without end or names "
            "other files; no program writes that into a workbook. Do not open it elsewhere either, and ask for another."
        )

    parser = expat.ParserCreate()
    parser.StartElementHandler = begin
    parser.StartDoctypeDeclHandler = define
    read = 0
    while not begun and (content := file.read(4096)):
        read += len(content)
        if read > _PROLOG:
            raise LimitError(f"{name} in it has no element in its first {_PROLOG:,} bytes. Save the table as CSV.")
        parser.Parse(content)
