"""The lines of a text file, one by one: its encoding, its size, and lines that never end."""

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.limits import beyond
from soc_assets.runtime import progress
from soc_assets.settings import SoilLimits, SoilTable
from soc_assets.storage.names import nfc

LONGEST = 10
"""Times as many characters as in a cell may are in a line."""
_CHUNK = 1 << 20
_HEAD = 4096  # bytes in which text holds no NUL
_HALVES, _ODD = 0.5, 0.05  # parts of the pairs of bytes in UTF-16 with a NUL where one belongs, and where none does
_BETWEEN_REPORTS = 2_000_000  # bytes between two reports


class Lines:
    """The lines of a text file, with their ends, spelled in NFC.

    Attributes:
        number: of the line that was read last, from 1.
    """

    def __init__(self, file: TextIO, limits: SoilLimits) -> None:
        self._file, self._limits = file, limits
        self._longest = LONGEST * limits.max_text
        self._characters = self._since_reported = 0
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(self._longest + 1):
            self.number += 1
            self._characters += len(line)
            if self._characters > self._longest:
                found = f"from line {self.number}, {self._characters:,} characters or more stand in one row"
                raise beyond("max_text", self._limits.max_text, f"{found}, {LONGEST} times those of a cell or more")
            self._since_reported += len(line)
            if self._since_reported > _BETWEEN_REPORTS:
                self._since_reported = 0
                progress.report_bytes(self._file.buffer.tell())
            yield nfc(line)

    @property
    def is_long(self) -> bool:
        """Whether half of what a row may have is read."""
        return self._characters > self._longest / 2

    def new_row(self) -> None:
        """Count the characters of a row from here on."""
        self._characters = 0


def open_text(path: Path, how: SoilTable) -> TextIO:
    """A text file in the encoding of the settings, else in UTF-8, UTF-16, Windows-1252 or Latin-1.

    Raises:
        SoilError: it is in another encoding than the settings say, or no text.
    """
    if how.encoding:
        wrong = _undecodable(path, how.encoding)
        if wrong is not None:
            raise SoilError(
                f"it cannot be read in the encoding {how.encoding!r} of [[soil.tables]] file = {how.file!r} ({wrong}). "
                "Correct encoding in soc.toml (utf-8, cp1252, latin-1, utf-16), or take it out."
            ) from wrong
        return path.open(encoding=how.encoding, newline="")
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # Excel's "Unicode text"
        return path.open(encoding="utf-16", errors="replace", newline="")
    if b"\0" in head:
        return path.open(encoding=_without_mark(head), errors="replace", newline="")
    found = next((name for name in ("utf-8-sig", "cp1252") if _undecodable(path, name) is None), "latin-1")
    return path.open(encoding=found, newline="")


def _without_mark(head: bytes) -> str:
    """The encoding of text with NUL bytes: letters of ours have one as their second byte in UTF-16, or their first."""
    first, second = head[::2].count(0), head[1::2].count(0)
    if max(first, second) < _HALVES * len(head) / 2 or min(first, second) > _ODD * len(head) / 2:
        raise SoilError(
            "it holds NUL bytes, so that it is neither text nor UTF-16. Save the table as CSV in UTF-8, or give its "
            "encoding in an entry of [[soil.tables]] of soc.toml."
        )
    return "utf-16-le" if second > first else "utf-16-be"


def _undecodable(path: Path, encoding: str) -> Exception | None:
    """Why a file is not in an encoding; None where it is."""
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
        with path.open("rb") as file:
            while content := file.read(_CHUNK):
                decoder.decode(content)
        decoder.decode(b"", final=True)
    except (LookupError, UnicodeError) as error:
        return error
    return None
