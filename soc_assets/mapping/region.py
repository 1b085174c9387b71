"""Which cells of a map are wanted: those whose centre lies in the region, on the border included."""

from pathlib import Path

import numpy as np
import shapely

from soc_assets.errors import MapError
from soc_assets.geo.polygons import Region, coordinates, read_region
from soc_assets.mapping.lattice import BLOCK, Cells, Lattice
from soc_assets.project import Project

_ALONG = 5  # points along an edge of a rectangle of cells whose outline is compared


def region_file(project: Project) -> Path | None:
    """The file of [map] region, or else that of [study] region."""
    given = project.settings.map.region
    return project.path(given) if given else project.region


def read_map_region(project: Project) -> Region | None:
    """The region of the maps; None where it is the whole reference grid."""
    path = region_file(project)
    return read_region(path) if path else None


def wanted(region: Region | None, lattice: Lattice, cells: Cells) -> np.ndarray:
    """Which cells [h, w] have their centre in a region."""
    if region is None:
        return np.ones(cells.shape, bool)
    shapely.prepare(region.geometry)
    result = np.zeros(cells.shape, bool)
    _fill(region, lattice, cells, cells, result)
    return result


def _fill(region: Region, lattice: Lattice, cells: Cells, whole: Cells, result: np.ndarray) -> None:
    """Set the cells of a rectangle that lie in the region, by quarters down to the size of a block."""
    if cells.size == 0:
        return
    outline = _outline(region, lattice, cells)
    if outline is not None and not shapely.intersects(region.geometry, outline):
        return
    if outline is not None and shapely.contains(region.geometry, outline):
        result[cells.inside(whole)] = True
    elif max(cells.shape) <= BLOCK:
        result[cells.inside(whole)] = region.contains(*lattice.coordinates(cells)).reshape(cells.shape)
    else:
        for part in _quarters(cells):
            _fill(region, lattice, part, whole, result)


def _quarters(cells: Cells) -> list[Cells]:
    row, column = (cells.top + cells.bottom + 1) // 2, (cells.left + cells.right + 1) // 2
    return [
        Cells(*rows[:1], *columns[:1], *rows[1:], *columns[1:])
        for rows in ((cells.top, row), (row, cells.bottom))
        for columns in ((cells.left, column), (column, cells.right))
    ]


def _outline(region: Region, lattice: Lattice, cells: Cells) -> shapely.Geometry | None:
    """The outline of cells in the region's CRS, a pixel wider all round; None where it has none there."""
    rows, columns = lattice.pixels(cells)
    top, bottom, left, right = rows[0] - 1.0, rows[-1] + 2.0, columns[0] - 1.0, columns[-1] + 2.0
    t = np.linspace(0, 1, _ALONG)
    along = np.concatenate([top + 0 * t, top + (bottom - top) * t, bottom + 0 * t, bottom + (top - bottom) * t])
    across = np.concatenate([left + (right - left) * t, right + 0 * t, right + (left - right) * t, left + 0 * t])
    x, y = coordinates(*lattice.degrees(*lattice.metres(along, across)), region.crs, region.name)
    if not (np.isfinite(x) & np.isfinite(y)).all():
        return None
    outline = shapely.Polygon(np.column_stack([x, y]))
    return outline if shapely.is_valid(outline) else None


def require_cells(found: int, project: Project, lattice: Lattice) -> None:
    """Refuse a region in which there is no cell.

    Raises:
        MapError: there is none.
    """
    if found:
        return
    west, south, east, north = _degrees_of(lattice)
    raise MapError(
        f"No cell of the map has its centre in the region {region_file(project)}: the rasters reach from "
        f"{west:.3f}, {south:.3f} to {east:.3f}, {north:.3f} (degrees). Look at the CRS of the region's file in QGIS, "
        "or correct [map] region (or [study] region) in soc.toml."
    )


def _degrees_of(lattice: Lattice) -> tuple[float, float, float, float]:
    height, width = lattice.shape
    corners = [lattice.coordinates(Cells(r, c, r + 1, c + 1)) for r in (0, height - 1) for c in (0, width - 1)]
    longitude, latitude = (np.concatenate(values) for values in zip(*corners, strict=True))
    return float(longitude.min()), float(latitude.min()), float(longitude.max()), float(latitude.max())
