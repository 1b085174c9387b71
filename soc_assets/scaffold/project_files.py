"""The files that `soc init` writes, from the templates beside this module; none is written over what is there."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from soc_assets.errors import StorageError
from soc_assets.runtime.surroundings import require_plain
from soc_assets.storage import files
from soc_assets.storage.write_errors import translate_write_errors

_HERE = Path(__file__).parent
EXAMPLES = tuple(sorted(folder.name for folder in (_HERE / "examples").iterdir() if (folder / "soc.toml").is_file()))
FOLDERS = ("data/rasters", "data/soil")
_ORIGIN = (
    "`soc demo` fills both with a synthetic region to try things on.",
    "`data.md` says where those of this example come from.",
)
_NAMES = {"gitignore": ".gitignore"}  # a dotfile among the templates would hide them from git


@dataclass(frozen=True)
class Scaffold:
    """What `soc init` did, as paths from the project's folder: written, and there before, which stay as they are."""

    folder: Path
    written: list[str]
    kept: list[str]


def write_scaffold(folder: Path, example: str | None = None) -> Scaffold:
    """Write what of a project's files and folders is missing.

    Args:
        folder: the project's folder, made where it is missing.
        example: one of `EXAMPLES`: its settings, and the page that says where its data come from.

    Raises:
        StorageError: the folder cannot be written; says why.
    """
    require_plain(folder.absolute(), "the folder of the project")
    for name in FOLDERS:
        _make(folder / name)
    written, kept = [], []
    for name, text in _contents(folder.resolve().name, example):
        path = folder / name
        there = path.exists() or path.is_symlink()
        (kept if there else written).append(name)
        if not there:
            files.write_text(path, text, "the folder of the project")
    return Scaffold(folder, written, kept)


def _make(folder: Path) -> None:
    with translate_write_errors(folder, "the folder of the project"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise StorageError(
                f"{folder} cannot be made: it, or what it lies in, is a file. Move that away."
            ) from error


def _contents(title: str, example: str | None) -> Iterator[tuple[str, str]]:
    """Name and text of every file."""
    words = {"title": title, "name": _name_of(title), "origin": _ORIGIN[bool(example)]}
    templates = _HERE / "templates"
    for path in sorted(templates.rglob("*")):
        name = path.relative_to(templates).as_posix()
        if path.suffix != ".pyc" and path.is_file() and not (example and name == "soc.toml"):
            text = path.read_text(encoding="utf-8")
            for key, value in words.items():
                text = text.replace(f"{{{{{key}}}}}", value)
            yield _NAMES.get(name, name), text
    if example:
        for path in sorted((_HERE / "examples" / example).iterdir()):
            yield path.name, path.read_text(encoding="utf-8")


def _name_of(title: str) -> str:
    """What a folder's name is as that of a Python project; not that of this package."""
    letters = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")
    return f"{name or 'soc'}-project" if name in ("", "soc-assets") else name
