"""Importing the original project's tiles: one GeoTIFF per band and step, and a reason for whatever cannot be placed.

What the names mean is in `legacy.tile_names`, which tiles share a grid in `legacy.tile_grid`, reading and writing in
`legacy.write_raster`. Here is decided where a raster goes, and that one bad tile or step does not stop the others.
"""

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from soc_assets.errors import RasterError
from soc_assets.legacy.tile_grid import Tile, common_grid, place
from soc_assets.legacy.tile_names import SetAside, TileStep, find_tiles
from soc_assets.legacy.write_raster import Mosaic, PlacedTile, read_header, write_mosaic
from soc_assets.runtime import interrupts, progress
from soc_assets.settings import Band, Rasters

TOLERANCE = 0.01  # pixels
_METRES = 111_320  # in a degree of latitude


@dataclass(frozen=True)
class ImportedRaster:
    """A step and its GeoTIFF; `mosaic` is None where the file was there already and was kept."""

    step: TileStep
    path: Path
    tiles: int
    mosaic: Mosaic | None


@dataclass
class Imported:
    """What an import did."""

    rasters: list[ImportedRaster] = field(default_factory=list)
    """Rasters written, and those that were there already."""
    aside: list[SetAside] = field(default_factory=list)
    """Files and folders that were not imported."""
    off_grid: int = 0
    """How many of them lie between the pixels of the others."""


def import_tiles(
    source: Path,
    rasters: Rasters,
    folder: Path,
    overwrite: bool = False,
    tolerance: float = TOLERANCE,
) -> Imported:
    """Write a GeoTIFF per band and step, where the settings' patterns look for it.

    Args:
        source: the folder RasterTensorData, or the one that holds it.
        rasters: bands and patterns; a band that is not among them goes where the pattern of its kind says.
        folder: the folder that the patterns start from.
        overwrite: replace files that are there already; else they are kept.
        tolerance: how far, in pixels, a tile may lie from the grid of its step; below 0.5.

    Raises:
        RasterError: the source is missing, has another layout or holds no tile.
    """
    steps, aside = find_tiles(source)
    outcome = Imported(aside=aside)
    taken: dict[Path, TileStep] = {}
    for done, step in enumerate(steps, start=1):
        try:
            path = folder / target_of(step, rasters)
            if taken.setdefault(path, step) is not step:
                raise RasterError(f"Its file {path} is that of {taken[path].label}: the pattern lacks {{band}}.")
            if path.exists() and not overwrite:
                outcome.rasters.append(ImportedRaster(step, path, len(step.tiles), None))
            else:
                outcome.rasters.append(_import_step(step, path, tolerance, outcome))
        except RasterError as error:
            outcome.aside.append(SetAside(step.folder, f"{step.label}: {error}"))
        progress.report(done, len(steps), step.label)
    return outcome


def target_of(step: TileStep, rasters: Rasters) -> str:
    """The path of a step's GeoTIFF below the rasters folder, by the band's own pattern or that of its kind.

    Raises:
        RasterError: the band's name cannot be one of the settings, or the pattern names no single GeoTIFF.
    """
    try:
        band = Band(name=step.band, kind=step.kind)
    except ValidationError:
        raise RasterError(
            f"A band cannot be called {step.band!r}: expected letters, digits, '_', '.' and '-' after a first letter. "
            "Rename its folder."
        ) from None
    named = [item for item in rasters.bands if (item.name, item.kind) == (step.band, step.kind)]
    pattern = rasters.pattern_of(named[0] if named else band)
    fields = {
        "{band}": step.band,
        "{year}": f"{step.year:04d}" if step.year is not None else "",
        "{season}": step.season,
    }
    path = pattern
    for name, value in fields.items():
        path = path.replace(name, value or "")
    if set("{}*") & set(path) or Path(path).is_absolute() or Path(path).suffix.lower() not in (".tif", ".tiff"):
        raise RasterError(
            f"The pattern {pattern} of band {step.band} does not name one GeoTIFF below the rasters folder; expected "
            "for example yearly/{band}/{band}_{year}.tif. Change it in [rasters] of soc.toml for the import."
        )
    return path


def _import_step(step: TileStep, path: Path, tolerance: float, outcome: Imported) -> ImportedRaster:
    tiles = []
    for file in step.tiles:
        interrupts.check()
        try:
            tiles.append(read_header(file))
        except RasterError as error:
            outcome.aside.append(SetAside(file.path, str(error)))
    if not tiles:
        raise RasterError("No tile of it can be used.")
    grid = common_grid(tiles, tolerance)
    rows, columns, misfits = place(tiles, grid)
    fits = misfits <= tolerance
    for tile, misfit in zip(tiles, misfits, strict=True):
        if misfit > tolerance:
            outcome.off_grid += 1
            outcome.aside.append(SetAside(tile.file.path, _off_grid(tile, float(misfit), int(fits.sum()), grid.height)))
    origin = int(rows[fits].min()), int(columns[fits].min())
    placed = [
        PlacedTile(tile, int(row) - origin[0], int(column) - origin[1])
        for tile, row, column, ok in zip(tiles, rows, columns, fits, strict=True)
        if ok
    ]
    words = f"soc import-tiles: {len(placed)} of {len(step.tiles)} tiles of {step.folder.absolute()}"
    return ImportedRaster(step, path, len(placed), write_mosaic(path, placed, grid, origin, words))


def _off_grid(tile: Tile, misfit: float, others: int, pixel: float) -> str:
    own = (tile.file.north - tile.file.south) / tile.rows
    return (
        f"Does not lie on the pixel grid that {others} of the step's tiles share: an edge is off by {misfit:.3g} pixel "
        f"({misfit * pixel * _METRES:.3g} m; its pixels are {own:.9g} degrees high, those of the others {pixel:.9g})."
    )
