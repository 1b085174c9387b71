"""What is said of a place that somebody clicks on: the map's values there, and the samples around it."""

from typing import Any

import numpy as np
from rasterio.io import DatasetReader
from rasterio.windows import Window

from soc_assets.geo.grid import WGS84, Grid, move
from soc_assets.mapping.change.classes import CLASSES as CHANGE_CLASSES
from soc_assets.mapping.quality_classes import INCOMPLETE, INSIDE, OUTSIDE
from soc_assets.rasters.reading import read_values
from soc_assets.serving.content import numbers, texts
from soc_assets.serving.inputs import most_similar, read_inputs
from soc_assets.serving.layers import quality_words
from soc_assets.serving.maps import MapFolder, opened
from soc_assets.serving.samples import Samples
from soc_assets.serving.state import State

_LISTED = 5
_APPLICABLE = {INSIDE: "yes", OUTSIDE: "no", INCOMPLETE: "no"}


def values_at(found: MapFolder, longitude: float, latitude: float) -> dict[str, Any]:
    """The values of a map in the cell at a place.

    Returns:
        By raster its value (None where there is none), applicable (yes, no or unknown), quality and beyond_uncertainty
        in words, cell (row and column from 0) and corners (longitude and latitude of each), both None outside the map.
    """
    facts: dict[str, Any] = {"cell": None, "corners": None}
    for name in filter(found.has, found.names):
        with opened(found.raster(name)) as dataset:
            cell = _cell(dataset, longitude, latitude)
            facts[name] = None if cell is None else _value(dataset, *cell)
            if cell is not None:
                facts |= {"cell": list(cell), "corners": _corners(dataset, *cell)}
    quality = facts.get("quality")
    facts["quality"] = "outside the map" if facts["cell"] is None else _words(quality)
    facts["applicable"] = "unknown" if quality is None else _APPLICABLE.get(int(quality), "unknown")
    if "beyond_uncertainty" in facts:
        facts["beyond_uncertainty"] = CHANGE_CLASSES.get(facts["beyond_uncertainty"])
    if facts[found.names[0]] is None:
        facts["applicable"] = None
    return facts


def _cell(dataset: DatasetReader, longitude: float, latitude: float) -> tuple[int, int] | None:
    """Row and column of the cell at a place, or None outside."""
    grid = Grid(dataset.crs, dataset.transform, dataset.width, dataset.height)
    rows, columns = grid.pixels(np.array([longitude]), np.array([latitude]))
    return (int(rows[0]), int(columns[0])) if grid.contains(rows, columns)[0] else None


def _value(dataset: DatasetReader, row: int, column: int) -> float | None:
    value = float(read_values(dataset, Window.from_slices((row, row + 1), (column, column + 1)))[0, 0])
    return value if np.isfinite(value) else None


def _corners(dataset: DatasetReader, row: int, column: int) -> list[list[float]]:
    """Longitude and latitude of the corners of a cell, WGS84 degrees, in order."""
    columns, rows = np.array([column, column + 1, column + 1, column]), np.array([row, row, row + 1, row + 1])
    x, y = dataset.transform * (columns, rows)
    return np.column_stack(move(dataset.crs, WGS84, x, y)).tolist()


def _words(quality: float | None) -> str | None:
    return None if quality is None else quality_words(quality)


def nearest(samples: Samples, longitude: float, latitude: float) -> list[dict[str, Any]]:
    """The samples closest to a place, with their distance in km."""
    return _rows(samples.nearest(longitude, latitude, _LISTED), "distance_km")


def inputs_at(state: State, found: MapFolder, longitude: float, latitude: float) -> dict[str, Any]:
    """The inputs of the model at a place, and the samples whose inputs were most like them."""
    known = state.inputs(found)
    read = read_inputs(known[1], known[0], found, longitude, latitude) if known else None
    if known is None or read is None:
        return {"inputs": [], "similar": []}
    alike = most_similar(state.project, known[0], read, 4 * _LISTED)  # some may be samples no longer
    rows = state.samples(found).table.merge(alike, on="sample_id").sort_values("difference", kind="stable")
    return {"inputs": list(read.listed()), "similar": _rows(rows.head(_LISTED), "difference")}


def _rows(table: Any, measure: str) -> list[dict[str, Any]]:
    columns = {
        "id": table["sample_id"].astype(str).tolist(),
        "longitude": numbers(table["longitude"], 6),
        "latitude": numbers(table["latitude"], 6),
        "value": numbers(table["organic_carbon"]),
        "year": numbers(table["year"], 0),
        "source": texts(table["source"]),
        measure: numbers(table[measure]),
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
