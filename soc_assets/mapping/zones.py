"""Figures of a map by zone: per polygon of a file its mean, quantiles, area and share inside the area of applicability.

Cells count by the area of them that lies in the polygon, exactly (`geo.coverage`). A map is read in blocks of rows, so
that memory grows with the cells of a polygon that have a value, not with its extent.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio
from rasterio.io import DatasetReader
from rasterio.windows import Window

from soc_assets.errors import InputError, StateError
from soc_assets.geo.areas import CellAreas, cell_areas, polygon_area
from soc_assets.geo.coverage import Pieces
from soc_assets.geo.grid import WGS84, Grid
from soc_assets.geo.polygons import split_layer
from soc_assets.geo.zone_file import Zone, read_zones
from soc_assets.integrity.schemas import TABLES
from soc_assets.integrity.schemas.columns import pandas_type
from soc_assets.mapping.quality_classes import INCOMPLETE, INSIDE, OUTSIDE
from soc_assets.mapping.read_layer import open_layer
from soc_assets.rasters.reading import read_values
from soc_assets.runtime import interrupts, progress
from soc_assets.storage import files

QUANTILES = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
"""Columns of quantiles, and the shares of the area that do not exceed them."""
FOLDER = "zones"
"""Below the folder of a map, holds its zonal tables."""
_BLOCK = 2**20  # cells read at once
Rasters = dict[str, DatasetReader]


def zonal_table(map_folder: Path, zones_path: Path, name_column: str | None = None) -> pd.DataFrame:
    """The figures of a map by polygon.

    Args:
        map_folder: of one period, `data/maps/<model digest>/<period>`.
        zones_path: a file of polygons in any CRS, with `|layer=name` for one of several layers.
        name_column: of the file, with the polygons' names; None takes the first that is called like one.

    Returns:
        A row per polygon in the order of the file, with the columns of the schema `map_zones`. Figures are null where a
        polygon has no cell with a value.

    Raises:
        StateError: there is no map in the folder, or it is damaged.
        InputError: the file cannot be used, or none of its polygons reaches the map.
    """
    of_map = {"map_digest": _facts(map_folder).get("digest"), "zones": split_layer(zones_path)[0].name}
    of_map |= {"model": map_folder.parent.name, "period": map_folder.name}
    with _rasters_of(map_folder) as rasters:
        rows = [of_map | row for row in _rows(rasters, map_folder, zones_path, name_column)]
    table = TABLES["map_zones"]
    kinds = {column.name: pandas_type(column) for column in table if not column.type.startswith("map")}
    return pd.DataFrame(rows, columns=list(table.names)).astype(kinds)


def write_zonal_table(map_folder: Path, zones_path: Path, name_column: str | None = None) -> Path:
    """Write `zonal_table` as Parquet below the map's folder, where the view `map_zones` of the database reads it.

    Returns:
        The file, which is called like that of the polygons.
    """
    import pyarrow as pa

    frame = zonal_table(map_folder, zones_path, name_column)
    schema = pa.schema(
        [(c.name, pa.map_(pa.string(), pa.string())) for c in TABLES["map_zones"] if c.type[:3] == "map"]
    )
    table = pa.Table.from_pandas(frame.drop(columns=schema.names), preserve_index=False)
    for field in schema:
        at = list(frame.columns).index(field.name)
        table = table.add_column(at, field, pa.array(frame[field.name], field.type))
    file, layer = split_layer(zones_path)
    path = map_folder / FOLDER / f"{'_'.join(filter(None, (file.stem, layer)))}.parquet"
    files.write_table(path, table)
    return path


def _rows(rasters: Rasters, map_folder: Path, zones_path: Path, name_column: str | None) -> list[dict[str, Any]]:
    """Of each zone its identity and figures."""
    values = rasters["organic_carbon"]
    grid = Grid(values.crs, values.transform, values.width, values.height)
    zones = read_zones(zones_path, grid.crs, name_column)
    areas, rows, reached = cell_areas(grid), [], False
    for zone in zones:
        interrupts.check()
        pieces = Pieces.of(zone.moved, grid.transform, grid.height, grid.width)
        reached |= pieces.window is not None
        cells = _Cells.together(_blocks(rasters, pieces, areas))
        row = {"zone": zone.number, "name": zone.name, "attributes": list(zone.attributes.items())}
        rows.append(row | _figures(cells, polygon_area(zone.own, zone.crs)))
        progress.report(len(rows), len(zones), f"{len(rows)} zones")
    if not reached:
        raise _apart(zones_path, zones, map_folder.name, grid)
    return rows


@dataclass(frozen=True)
class _Cells:
    """The cells of a zone that have a value.

    Attributes:
        value: [n] organic carbon, g/kg.
        area: [n] of the cell that lies in the zone, km2.
        width: [n] of the prediction interval, NaN where there is none.
        quality: [n] number of quality.tif, NaN where there is none.
    """

    value: np.ndarray
    area: np.ndarray
    width: np.ndarray
    quality: np.ndarray

    @classmethod
    def together(cls, parts: Iterator["_Cells"]) -> "_Cells":
        """The cells of all blocks."""
        found = [(part.value, part.area, part.width, part.quality) for part in parts] or [(np.empty(0),) * 4]
        return cls(*(np.concatenate(each) for each in zip(*found, strict=True)))


def _blocks(rasters: Rasters, pieces: Pieces, areas: CellAreas) -> Iterator[_Cells]:
    """The cells of a zone, a block of rows at a time."""
    window = pieces.window
    if window is None:
        return
    top, left, bottom, right = window
    step = max(1, _BLOCK // (right - left))
    for first in range(top, bottom, step):
        place = first, left, min(step, bottom - first), right - left
        share = pieces.coverage(*place)
        value = _read(rasters, "organic_carbon", place)
        own = (share > 0) & np.isfinite(value)
        width = _read(rasters, "upper", place) - _read(rasters, "lower", place)
        quality = _read(rasters, "quality", place)
        yield _Cells(value[own], (share * areas.window(*place))[own], width[own], quality[own])


def _figures(cells: _Cells, area: float) -> dict[str, float | None]:
    mapped = float(cells.area.sum())
    row: dict[str, float | None] = {"area_km2": area, "mapped_km2": mapped}
    row["share_mapped"] = min(mapped / area, 1.0) if area > 0 else 0.0
    if mapped == 0:
        return row
    mean = _mean(cells.value, cells.area)
    row |= {"mean": mean, "std": float(np.sqrt(_mean((cells.value - mean) ** 2, cells.area)))}
    row |= _quantiles(cells)
    with_interval, known = np.isfinite(cells.width), np.isin(cells.quality, (INSIDE, OUTSIDE, INCOMPLETE))
    if with_interval.any():
        row["mean_width"] = _mean(cells.width[with_interval], cells.area[with_interval])
    if known.any():
        row["share_applicable"] = float(cells.area[cells.quality == INSIDE].sum()) / mapped
    return row


def _mean(values: np.ndarray, weights: np.ndarray) -> float:
    return float(np.average(values.astype(float), weights=weights))


def _quantiles(cells: _Cells) -> dict[str, float]:
    """The lowest value of which, with all lower ones, the share of the area is at least that asked for."""
    order = np.argsort(cells.value, kind="stable")
    below = np.cumsum(cells.area[order])
    at = np.searchsorted(below, np.array(list(QUANTILES.values())) * below[-1] * (1 - 1e-12))
    return dict(zip(QUANTILES, cells.value[order][at].astype(float).tolist(), strict=True))


def _facts(map_folder: Path) -> dict[str, Any]:
    path = map_folder / "map.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise StateError(f"There is no map in {map_folder}: run `soc map` first.") from None
    except (ValueError, TypeError) as error:
        raise StateError(f"{path} is damaged ({error}). Remove its folder and run `soc map` again.") from error


@contextmanager
def _rasters_of(map_folder: Path) -> Iterator[Rasters]:
    """The rasters of the map, open, that are among its outputs."""
    with ExitStack() as stack:
        rasters = {}
        for name in ("organic_carbon", "lower", "upper", "quality"):
            path = map_folder / f"{name}.tif"
            if name == "organic_carbon" or path.is_file():
                rasters[name] = stack.enter_context(_opened(path))
        yield rasters


def _opened(path: Path) -> DatasetReader:
    try:
        return open_layer(path)
    except rasterio.RasterioIOError as error:
        raise StateError(f"{path} cannot be read ({error}). Remove its folder and run `soc map` again.") from error


def _read(rasters: Rasters, name: str, place: tuple[int, int, int, int]) -> np.ndarray:
    """A window of a raster of the map, NaN where it is not among the outputs."""
    top, left, height, width = place
    if name not in rasters:
        return np.full((height, width), np.nan, np.float32)
    return read_values(rasters[name], Window.from_slices((top, top + height), (left, left + width)))


def _apart(zones_path: Path, zones: list[Zone], period: str, grid: Grid) -> InputError:
    import shapely

    own = shapely.total_bounds(np.concatenate([zone.own for zone in zones]))
    west, south, east, north = grid.bounds_in(WGS84)
    return InputError(
        f"None of the {len(zones)} polygons of {zones_path} reaches the map {period}, which goes from "
        f"{west:.2f}, {south:.2f} to {east:.2f}, {north:.2f} in WGS84 degrees. They go from {own[0]:g}, {own[1]:g} to "
        f"{own[2]:g}, {own[3]:g} in {zones[0].crs.name}. Is the CRS of the file right?"
    )
