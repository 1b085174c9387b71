"""A seal on Parquet files: the SHA-256 of their bytes, kept in their own footer, so that any changed byte is noticed.

Parquet has checksums of pages, but none of the footer, which holds the schema, the numbers of rows and our digests.
The seal is the last entry of the key-value metadata: it is written as zeros, and then as the digest of the file as it
was with the zeros. A file of an earlier version has none, and is judged by its pages alone.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

KEY = "soc.seal"
_LENGTH, _PREFIX = 64, b"sha256:"
_VALUE = bytes([0x18, len(_PREFIX) + _LENGTH]) + _PREFIX  # Thrift's field of a text of this length
_SEAL = re.compile(re.escape(KEY.encode() + _VALUE) + rb"([0-9a-f]{64})")
_TAIL = 8  # length of the footer, and PAR1


def write(path: Path, table: pa.Table, metadata: Mapping[str, str]) -> None:
    """Write a table with page checksums, metadata and seal; not atomically."""
    extra = {key: value for key, value in metadata.items() if key not in (KEY, "pandas")}  # as read from another file
    schema = table.schema.with_metadata({**(table.schema.metadata or {}), **extra})
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        writer.write_table(table.cast(schema))
        writer.add_key_value_metadata({KEY: _PREFIX.decode() + "0" * _LENGTH})
    with path.open("r+b") as file:
        content = file.read()
        found = _find(content)
        assert found is not None  # written above
        file.seek(found[0])
        file.write(_digest(content, found[0]).encode())


def holds(content: bytes) -> bool:
    """Whether the bytes of a Parquet file are those that were sealed; True where there is no seal."""
    found = _find(content)
    if found is None:
        footer = _footer(content)
        return KEY.encode() not in footer and _VALUE[1:] not in footer  # else the seal itself is corrupt
    return _digest(content, found[0]) == found[1]


def _find(content: bytes) -> tuple[int, str] | None:
    """Where the digits of the seal begin, and what they are; the last entry is the seal."""
    footer = _footer(content)
    found = list(_SEAL.finditer(footer))
    return (len(content) - _TAIL - len(footer) + found[-1].start(1), found[-1][1].decode()) if found else None


def _footer(content: bytes) -> bytes:
    end = len(content) - _TAIL
    length = int.from_bytes(content[end : end + 4], "little") if end > 0 else 0
    return content[max(end - length, 0) : max(end, 0)]


def _digest(content: bytes, at: int) -> str:
    digest = hashlib.sha256(memoryview(content)[:at])
    digest.update(b"0" * _LENGTH)
    digest.update(memoryview(content)[at + _LENGTH :])
    return digest.hexdigest()
