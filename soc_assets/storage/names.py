"""Names for comparison: one normal form (Unicode NFC) for what a Mac, a USB stick or an archive may spell in two ways.

`ö` is one character in NFC and two in NFD; both look alike, and file systems keep either. Paths stay as they are on
disk: only names for comparison are normalised.
"""

import unicodedata
from collections.abc import Iterable
from fnmatch import fnmatchcase

import pandas as pd


def nfc(text: str) -> str:
    r"""A name in NFC; bytes that are not UTF-8, which Python keeps as halves of characters, as letters: \udcff."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", text).encode("utf-8", "backslashreplace").decode("utf-8")


def fits(name: str, pattern: str) -> bool:
    """Whether a name equals, or matches, a pattern with * and ?, ignoring case and normal form."""
    own, wanted = nfc(name).lower(), nfc(pattern).lower()
    return own == wanted or fnmatchcase(own, wanted)


def nfc_texts(values: pd.Series) -> pd.Series:
    """A column [n] in which texts are in NFC and everything else is as it was."""
    if values.dtype.kind in "biufcmM":
        return values
    return values.map(lambda value: nfc(value) if isinstance(value, str) else value)


def is_hidden(name: str) -> bool:
    """Whether a file, or a folder above it, is hidden: `._N48.tif` and `__MACOSX` are a Mac's, not data."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def visible(names: Iterable[str], pattern: str = "") -> list[str]:
    """Names without hidden ones, unless the pattern itself names something hidden."""
    return list(names) if is_hidden(pattern) else [name for name in names if not is_hidden(name)]
