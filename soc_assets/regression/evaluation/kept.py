"""What an evaluation keeps on disk: finished fits and the features for its processes; what is in use, and clean-up.

In use is what the last plan of `evaluation` and of `baselines` asked for, recorded when it began: a killed run finds
its finished fits again, and fits of earlier plans on other features or settings can be removed.
"""

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from soc_assets.errors import SocWarning
from soc_assets.storage import files, folders

_PLANS = "plans.json"  # in the folder of results: what each kind of plan uses
_WHAT = ("fits", "inputs", "windows")
_GOING = ".removing-"


@dataclass(frozen=True)
class Kept:
    """Fits, features of fits, or windows of samples, that are in use or not.

    Attributes:
        what: `fits`, `inputs` or `windows`.
        paths: files, or folders.
        size: bytes.
        in_use: why they are kept; empty text where they can go.
    """

    what: str
    paths: tuple[Path, ...]
    size: int
    in_use: str


def note_plan(folder: Path, kind: str, fits: Sequence[str], inputs: str, windows: Sequence[str] = ()) -> None:
    """Note that a kind of plan uses fits of these digests, a folder of features, and files of windows by their names.

    Args:
        folder: of results.
        kind: `evaluation`, `baselines` or one of the comparison of encoders.
        fits: digests.
        inputs: name of the folder.
        windows: names of the files, without their ending.
    """
    plans = _plans(folder) | {kind: {"fits": sorted(set(fits)), "inputs": [inputs], "windows": sorted(windows)}}
    files.write_json(folder / _PLANS, plans)


def kept(folder: Path, scratch: Path | None = None) -> list[Kept]:
    """Fits and what they were fitted on, each in two parts: in use, and not. Empty parts are left out.

    Where no plan was noted yet, as by earlier releases, everything counts as in use.
    """
    plans, found = _plans(folder), []
    places = dict.fromkeys(_WHAT, scratch or folder) | {"fits": folder}
    for what in _WHAT:
        used = {name for plan in plans.values() for name in plan[what]}
        there = [
            path for path in sorted((places[what] / what).glob("[!.]*")) if what != "fits" or path.suffix == ".parquet"
        ]
        parts: dict[bool, list[Path]] = {True: [], False: []}
        for path in there:
            parts[not plans or (path.name if what == "inputs" else path.stem) in used].append(path)
        words = "used by the last evaluation or baselines" if plans else "unknown until the next evaluation"
        found += [
            Kept(what, tuple(paths), _size(paths), words if using else "") for using, paths in parts.items() if paths
        ]
    return found


def remove(item: Kept) -> None:
    """Remove fits, features of fits, or windows; a folder is renamed first, so that a half-removed one is never read.

    Raises:
        ValueError: they are in use.
    """
    if item.in_use:
        raise ValueError(f"{item.what} are in use")
    for path in item.paths:
        if path.is_dir():
            folders.remove_renamed(path, _GOING)
        else:
            files.remove(path)


def leftovers(folder: Path) -> list[Path]:
    """What a killed removal left behind."""
    return sorted((folder / "inputs").glob(f"{_GOING}*"))


def _plans(folder: Path) -> dict[str, dict[str, list[str]]]:
    path = folder / _PLANS
    try:
        stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return {
            kind: {what: [str(name) for name in plan.get(what, [])] for what in _WHAT} for kind, plan in stored.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        words = f"{path} is damaged: every fit counts as in use until the next `soc run --to evaluation` rewrites it."
        warnings.warn(words, SocWarning, stacklevel=3)
        return {}


def _size(paths: Sequence[Path]) -> int:
    inside = (item for path in paths for item in (path.rglob("*") if path.is_dir() else [path]))
    return sum(item.stat().st_size for item in inside if item.is_file())
