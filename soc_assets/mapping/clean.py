"""Maps of models that are no longer in use: what there is, and removing it."""

import re
from dataclasses import dataclass
from pathlib import Path

from soc_assets.mapping.documents.stac_collection import update_collection
from soc_assets.runtime.process import is_gone_from_name
from soc_assets.storage import folders
from soc_assets.storage.access import is_stored

_GOING = ".removing-"
_HALF = re.compile(r"\..+\.tmp")  # a map or a tile that was being written


@dataclass(frozen=True)
class ModelMaps:
    """The maps of one model.

    Attributes:
        path: the folder.
        periods: of its whole maps.
        tiles: computed.
        size: bytes of everything in it.
        in_use: why it is kept; empty text where it can go.
    """

    path: Path
    periods: tuple[str, ...]
    tiles: int
    size: int
    in_use: str


def model_maps(maps: Path, current: str | None) -> list[ModelMaps]:
    """The folders of all models.

    Args:
        maps: the folder of all maps.
        current: digest of the model that the settings lead to; None where there is none, and all count as in use.
    """
    found = []
    for path in sorted(each for each in maps.glob("[!.]*") if each.is_dir()):
        periods = tuple(sorted(each.parent.name for each in path.glob("[!.]*/map.json")))
        tiles = len(list(path.glob("tiles/[!.]*.npz")))
        size = folders.sizes_below(path)
        why = "unknown: no model is registered" if current is None else "current" if path.name == current else ""
        found.append(ModelMaps(path, periods, tiles, size, why))
    return found


def remove(found: ModelMaps) -> None:
    """Remove the maps of a model, also from the catalog; a half-removed one is never read.

    Raises:
        ValueError: they are in use.
    """
    if found.in_use:
        raise ValueError(f"{found.path} is in use")
    folders.remove_renamed(found.path, _GOING)
    update_collection(found.path.parent)


def leftovers(maps: Path) -> list[Path]:
    """What killed removals and runs of this machine left behind."""
    if is_stored(maps):
        return []
    going = [path for path in maps.glob(f"{_GOING}*") if path.is_dir()]
    half = (path for pattern in (".*", "*/.*", "*/*/.*") for path in maps.glob(pattern) if _HALF.fullmatch(path.name))
    return [*going, *(path for path in half if is_gone_from_name(path.name))]
