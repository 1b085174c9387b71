"""The maps that are there: folders `data/maps/<model digest>/<period>` that hold a map.json.

A change between two periods lies beside them, in `change_<periods>` with a change.json, and is looked at in the same
way. A map exists only when its map.json does. Nobody's text is ever joined to a path: a request names a map by what was
found here.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import rasterio
from rasterio.io import DatasetReader
from rasterio.warp import transform_bounds

from soc_assets.errors import StateError
from soc_assets.mapping.read_layer import open_layer
from soc_assets.settings.seasons import SEASONS, season_rank
from soc_assets.storage import files

FILES = ("organic_carbon", "lower", "upper", "dissimilarity", "quality")
"""The rasters of a map, all of one extent and CRS; the first is what it is about."""
CHANGE_FILES = ("change", "change_lower", "change_upper", "beyond_uncertainty", "quality")
"""Those of a change."""
_CHANGE = "change_"
_PERIOD = rf"\d+(_({'|'.join(SEASONS)}))?"
_NAMES = {"map.json": re.compile(_PERIOD), "change.json": re.compile(rf"{_CHANGE}\d+_{_PERIOD}")}
"""How a folder is called, by what it holds."""


@dataclass(frozen=True)
class MapFolder:
    """A map, or a change between two.

    Attributes:
        folder: holds its rasters.
        model: digest of the model.
        period: `2023` or `2023_summer`; of a change `change_2015_2023` or `change_2015_2023_summer`.
        facts: map.json or change.json.
        stamp: another where the map was made again: part of the address of its tiles, which browsers keep.
    """

    folder: Path
    model: str
    period: str
    facts: Mapping[str, Any]
    stamp: str

    @property
    def is_change(self) -> bool:
        """Whether it is a change between two periods."""
        return self.period.startswith(_CHANGE)

    @property
    def names(self) -> tuple[str, ...]:
        """The rasters that it may have, the main one first."""
        return CHANGE_FILES if self.is_change else FILES

    @property
    def label(self) -> str:
        """The period for people: `2023 summer`; of a change `2023 minus 2015`."""
        words = self.period.removeprefix(_CHANGE).replace("_", " ")
        before, _, after = words.partition(" ")
        return f"{after} minus {before}" if self.is_change else words

    @property
    def year(self) -> int:
        """Of the period, of a change the later one; a winter has the year of its January."""
        return int(self._later.partition("_")[0])

    @property
    def season(self) -> str | None:
        """Of the period, or None where it is a year."""
        return self._later.partition("_")[2] or None

    @property
    def _later(self) -> str:
        return self.period.removeprefix(_CHANGE).partition("_")[2] if self.is_change else self.period

    @property
    def title(self) -> str:
        """The model as people call it: `soc_mlp 3, net`."""
        named = " ".join(str(self.facts[key]) for key in ("model", "version") if self.facts.get(key))
        recipe = self.facts.get("recipe")
        return ", ".join(str(part) for part in (named or self.model[:8], recipe) if part)

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north, WGS84 degrees."""
        with opened(self.raster(self.names[0])) as dataset:
            return transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)

    def raster(self, name: str) -> Path:
        """One of `names`."""
        return self.folder / f"{name}.tif"

    def has(self, name: str) -> bool:
        """Whether one of `names` was among the outputs."""
        return self.raster(name).is_file()


def opened(path: Path) -> DatasetReader:
    """One of our own GeoTIFFs.

    Raises:
        StateError: it is missing or damaged.
    """
    try:
        return open_layer(path)
    except rasterio.RasterioIOError as error:
        raise StateError(f"{path} cannot be read ({error}). Remove its folder and run `soc map` again.") from error


def stamps_of_maps(data: Path) -> dict[Path, tuple[int, ...]]:
    """The map.json or change.json of every map in a data folder, with what changes when a map is made again."""
    found = {}
    for path in sorted(path for name in _NAMES for path in (data / "maps").glob(f"[!.]*/[!.]*/{name}")):
        with suppress(FileNotFoundError):  # made again at this moment: it is there at the next look
            found[path] = files.stamp(path)
    return found


def find_maps(data: Path) -> dict[tuple[str, str], MapFolder]:
    """The maps in a data folder, by model and period; the newest model first, its periods, then its changes."""
    stamps = stamps_of_maps(data)
    found = [each for path, stamp in stamps.items() if (each := _read(path, stamp))]
    made: dict[str, int] = {}
    for path, (_, changed, *_) in stamps.items():
        made[path.parents[1].name] = max(made.get(path.parents[1].name, 0), changed)
    found.sort(key=lambda each: (-made[each.model], each.model, each.is_change, each.year, season_rank(each.season)))
    return {(each.model, each.period): each for each in found}


def _read(path: Path, stamp: tuple[int, ...]) -> MapFolder | None:
    """None for what is no map: the folder of tiles in progress, or a name that is no period."""
    period, model = path.parent.name, path.parents[1].name
    if not _NAMES[path.name].fullmatch(period):
        return None
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:  # made again at this moment
        return None
    except ValueError as error:
        raise StateError(f"{path} is damaged ({error}). Remove its folder and run `soc map` again.") from error
    size, changed, *_ = stamp
    return MapFolder(path.parent, model, period, facts if isinstance(facts, dict) else {}, f"{changed:x}{size:x}")
