"""Files written together vouch for each other: the one written last knows the SHA-256 of the others.

So a file that was deleted, damaged, edited or restored from another point in time is detected, even if it is readable.
Which files are written together is in `soc_assets.integrity.tables`.
"""

import json
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

from soc_assets.errors import SocWarning
from soc_assets.storage import digest, files, vouching
from soc_assets.storage.files import INPUTS

SIBLINGS = "soc.siblings"  # key in the metadata of the table written last
_MISSING = " is missing"
_OTHERS = "an older copy, an edited one, or of a run that did not finish"
_ALL = 64  # digits of a SHA-256


def vouch(path: Path, siblings: Iterable[Path]) -> dict[str, str]:
    """The metadata by which a table vouches for files that are there already; those that are not are left out.

    Args:
        path: of the table that is written last.
        siblings: files in its folder, or below it.
    """
    there = (each for each in siblings if each.is_file())
    return {
        SIBLINGS: json.dumps({each.relative_to(path.parent).as_posix(): digest.of_file(each, _ALL) for each in there})
    }


def vouched(path: Path) -> dict[str, str] | None:
    """Digest of each file that a table vouches for, by its place beside it; None where it vouches for none."""
    stored = files.table_metadata(path).get(SIBLINGS)
    return json.loads(stored) if stored else None


def warn_of(said: str, cure: str) -> bool:
    """Warn of what `wrong` says, unless a file is merely missing, which states show; whether nothing is wrong."""
    if said and not said.endswith(_MISSING):
        warnings.warn(f"{said}. {cure}", SocWarning, stacklevel=3)
    return not said


def missing_tables(path: Path) -> list[Path]:
    """Tables that a table vouches for and that are gone."""
    known = vouched(path) or {} if path.is_file() and files.is_whole(path) else {}
    beside = (path.parent / name for name in known if name.endswith(".parquet"))
    return [each for each in beside if not each.is_file()]


def wrong(path: Path) -> str:
    """What is wrong with a table or with a file that it vouches for, in words; empty where nothing is."""
    if not path.is_file():
        return ""
    if not files.is_whole(path):
        return f"{path} is damaged"
    return _first_wrong(path.parent, vouched(path) or {}, path.name)


def _first_wrong(folder: Path, siblings: Mapping[str, str], by: str) -> str:
    for name, known in siblings.items():
        path = folder / name
        if not path.is_file():
            return f"{path}{_MISSING}"
        if digest.of_file(path, _ALL) != known:
            damaged = path.suffix == ".parquet" and not files.is_whole(path)
            return f"{path} is damaged" if damaged else f"{path} is not the file that {by} was written with: {_OTHERS}"
    return ""


def is_fresh(path: Path, inputs: str) -> bool:
    """Whether a table was made from inputs of this digest, and it and what was written with it are as they were."""
    whole = vouching.warn_of(vouching.wrong(path), files.cure_of(path))
    return whole and files.read_metadata(path).get(INPUTS) == inputs
