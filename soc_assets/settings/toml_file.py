"""soc.toml as a file: where it is found, and reading it as editors save it.

What its settings mean is in `soc_assets.settings`, how SOC_* variables override them in `soc_assets.project`.
"""

import codecs
import os
import tomllib
from pathlib import Path
from typing import Any

from soc_assets.errors import SettingsError

CONFIG_VARIABLE = "SOC_CONFIG"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def find_config(start: Path | None = None) -> Path | None:
    """The settings file: $SOC_CONFIG, or the first soc.toml from the current folder upwards."""
    if named := os.environ.get(CONFIG_VARIABLE):
        path = Path(named).expanduser().resolve()
        if not path.is_file():
            raise SettingsError(f"{CONFIG_VARIABLE} names {path}, which does not exist. Name a soc.toml or unset it.")
        return path
    folder = (start or Path.cwd()).resolve()
    return next((f / "soc.toml" for f in (folder, *folder.parents) if (f / "soc.toml").is_file()), None)


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file in UTF-8, with or without a byte order mark.

    Raises:
        SettingsError: it cannot be read, is in another encoding, or is not TOML; says where and what to do.
    """
    try:
        stored = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}). Correct its permissions.") from error
    cure = 'Save it as UTF-8 (in an editor: "Save as", encoding UTF-8).'
    if stored.startswith(_UTF_16):
        raise SettingsError(f"{path} is in UTF-16, which TOML does not allow. {cure}")
    try:
        text = stored.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = stored[: error.start].count(b"\n") + 1
        raise SettingsError(
            f"{path} is not in UTF-8: line {line} holds the byte 0x{stored[error.start]:02X}, which is "
            f"{stored[error.start : error.start + 1].decode('cp1252', errors='replace')!r} in Windows' encoding. {cure}"
        ) from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from None
