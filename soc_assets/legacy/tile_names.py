"""The folders and file names of the original project's tiles: which band, step and extent each file stands for.

Only names are looked at; nothing here opens a tile. The layout is RasterTensorData/StaticValue/<band>/, and
YearlyValue/<band>/<year>/ and SeasonalValue/<band>/<year_season>/ beside it, with tiles named
*ID<n>N<lat>S<lat>W<lon>E<lon>.npy, whose degrees are the outer edges of the tile. The decimal sign in them is a point
or, as the original wrote it, an underscore (N48_5095).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from soc_assets.errors import RasterError
from soc_assets.settings import SEASONS

Kind = Literal["static", "yearly", "seasonal"]

ROOT = "RasterTensorData"
KINDS: dict[str, Kind] = {"StaticValue": "static", "YearlyValue": "yearly", "SeasonalValue": "seasonal"}
TILE_NAME = "*ID<n>N<lat>S<lat>W<lon>E<lon>.npy (as in ID3N49.5S48.0W11.0E12.5.npy or ID3N49_5S48_0W11_0E12_5.npy)"

_DEGREES = r"(-?\d+(?:[._]\d+)?)"
_TILE = re.compile(rf".*ID(\d+)N{_DEGREES}S{_DEGREES}W{_DEGREES}E{_DEGREES}\.npy")
_SEASON = "|".join(SEASONS)
_SEASONAL_STEP = re.compile(rf"(?i:(\d{{4}})[_-]({_SEASON})|({_SEASON})[_-](\d{{4}}))")
_LISTS = re.compile(r"(bounds_array_.*|coordinates)\.npy")


@dataclass(frozen=True)
class TileFile:
    """A tile by its name: number and outer edges in degrees (WGS84)."""

    path: Path
    number: int
    north: float
    south: float
    west: float
    east: float


@dataclass(frozen=True)
class TileStep:
    """The tiles of one band and step, by number, then name."""

    folder: Path
    band: str
    kind: Kind
    year: int | None
    season: str | None
    tiles: tuple[TileFile, ...]

    @property
    def label(self) -> str:
        """The step in words: LAI 2012 winter."""
        return " ".join(str(part) for part in (self.band, self.year, self.season) if part is not None)


@dataclass(frozen=True)
class SetAside:
    """A file or folder that was not imported, and why."""

    path: Path
    reason: str


def find_tiles(source: Path) -> tuple[list[TileStep], list[SetAside]]:
    """All steps below a folder, static bands first, and every file and folder whose name says no place or step.

    Args:
        source: the folder RasterTensorData, or the one that holds it.

    Raises:
        RasterError: the folder is missing, or has not the layout, or holds no tile; names what was expected.
    """
    root = source / ROOT if (source / ROOT).is_dir() else source
    if not root.is_dir():
        raise RasterError(
            f"The folder of tiles {source} does not exist. Name the folder {ROOT} of the original project."
        )
    kinds = [name for name in KINDS if (root / name).is_dir()]
    if not kinds:
        inside = ", ".join(sorted(path.name for path in _visible(root))[:5]) or "nothing"
        raise RasterError(
            f"The folder {root} is not a folder of tiles: expected in it at least one of {', '.join(KINDS)} "
            f"(found {inside}). Name the folder {ROOT} of the original project, or the one that holds it."
        )
    aside: list[SetAside] = []
    steps = [step for name in kinds for step in _steps_of(root / name, KINDS[name], aside)]
    if not any(step.tiles for step in steps):
        first = f" The first of {len(aside)} files set aside: {aside[0].path}: {aside[0].reason}" if aside else ""
        raise RasterError(
            f"The folder {root} holds no tile. Expected files {TILE_NAME} in StaticValue/<band>/, YearlyValue/<band>/"
            f"<year>/ or SeasonalValue/<band>/<year>_<season>/.{first}"
        )
    return [step for step in steps if step.tiles], aside


def _steps_of(folder: Path, kind: Kind, aside: list[SetAside]) -> Iterator[TileStep]:
    for band in _folders(folder, aside, "Lies in no band's folder."):
        if kind == "static":
            yield _step(band, band.name, kind, None, None, aside)
            continue
        known: dict[tuple[int, str | None], Path] = {}
        where = "<year>" if kind == "yearly" else "<year>_<season>"
        for step in _folders(band, aside, f"Lies in no folder {where}."):
            parsed = _parse_step(step.name, kind)
            if parsed is None:
                aside.append(SetAside(step, _no_step(kind)))
            elif parsed in known:
                aside.append(SetAside(step, f"Stands for the same step as {known[parsed].name}, which is used."))
            else:
                known[parsed] = step
                yield _step(step, band.name, kind, *parsed, aside)


def _step(folder: Path, band: str, kind: Kind, year: int | None, season: str | None, aside: list[SetAside]) -> TileStep:
    tiles = []
    for path in _visible(folder):
        try:
            if path.is_dir():
                raise RasterError("A folder where tiles are expected; nothing in it was read.")
            tiles.append(parse_tile(path))
        except RasterError as error:
            aside.append(SetAside(path, str(error)))
    tiles.sort(key=lambda tile: (tile.number, tile.path.name))
    return TileStep(folder, band, kind, year, season, tuple(tiles))


def parse_tile(path: Path) -> TileFile:
    """Read number and extent from a tile's name.

    Raises:
        RasterError: the name says no extent, or an impossible one.
    """
    match = _TILE.fullmatch(path.name)
    if not match:
        if _LISTS.fullmatch(path.name):
            raise RasterError("No tile but a list of places; it is not needed.")
        raise RasterError(f"The name does not say where the tile lies; expected {TILE_NAME}.")
    north, south, west, east = (float(text.replace("_", ".")) for text in match.groups()[1:])
    if not (-90 <= south < north <= 90):
        raise RasterError(f"The name puts its north edge at {north:g} and its south edge at {south:g} degrees.")
    if not (-180 <= west < east <= 180):
        raise RasterError(
            f"The name puts its west edge at {west:g} and its east edge at {east:g} degrees; "
            "a tile across the antimeridian cannot be placed."
        )
    return TileFile(path, int(match.group(1)), north, south, west, east)


def _parse_step(name: str, kind: Kind) -> tuple[int, str | None] | None:
    if kind == "yearly":
        return (int(name), None) if re.fullmatch(r"\d{4}", name) else None
    match = _SEASONAL_STEP.fullmatch(name)
    if not match:
        return None
    return int(match.group(1) or match.group(4)), (match.group(2) or match.group(3)).lower()


def _no_step(kind: Kind) -> str:
    if kind == "yearly":
        return "The folder's name is no year; expected four digits (2012)."
    return f"The folder's name is no season of a year; expected for example 2012_winter, with {', '.join(SEASONS)}."


def _folders(folder: Path, aside: list[SetAside], reason: str) -> list[Path]:
    """The folders in a folder, by name; files there are set aside, those that only list places in their own words."""
    paths = _visible(folder)
    for path in paths:
        if not path.is_dir():
            listed = _LISTS.fullmatch(path.name)
            aside.append(SetAside(path, "No tile but a list of places; it is not needed." if listed else reason))
    return [path for path in paths if path.is_dir()]


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
