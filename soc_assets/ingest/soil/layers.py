"""Reading layers of points: GeoPackage, shapefile, GeoJSON, and what a GeoParquet file holds.

What GDAL may open is decided in `ingest.soil.vector_files`. The points stay in the layer's own CRS; they become
longitude and latitude in `ingest.soil.places`.
"""

import inspect
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.formats import Sheet, of_records
from soc_assets.ingest.soil.geopackage import require_counted, view_problem, views_of
from soc_assets.ingest.soil.limits import Budget, require_parts, translated
from soc_assets.ingest.soil.vector_files import source_of
from soc_assets.settings import SoilLimits
from soc_assets.storage.names import nfc

if TYPE_CHECKING:
    import geopandas

_SPLIT_POINTS = "Save them as points (QGIS: Vector, Geometry Tools, Centroids or Multipart to Singleparts)."


def read_layers(path: Path, limits: SoilLimits) -> list[Sheet]:
    """Every layer of a vector file that has rows; a layer without geometry is a table.

    Raises:
        SoilError: the file is damaged, not what its suffix says or has no rows, or holds more than the limits allow.
    """
    import pyogrio

    missing = " A shapefile needs its .shx and .dbf beside it." if path.suffix.lower() == ".shp" else ""
    with translated(f"it cannot be read as {path.suffix[1:]}", f"{missing} Write it again.".strip()):
        budget = Budget(limits)
        source = source_of(path, budget)
        views = views_of(path) if path.suffix.lower() == ".gpkg" else set()
        names = [str(name) for name, _ in pyogrio.list_layers(source)]
        require_parts(len(names), "layers")
        layers = {name: _read(source, name, budget) for name in names if name not in views}
        for name, layer in layers.items() if path.suffix.lower() == ".gpkg" else ():
            require_counted(path, name, len(layer))
    one = path.suffix.lower() != ".gpkg"
    sheets = [sheet_of_layer(layer, "" if one else nfc(name)) for name, layer in layers.items() if len(layer)]
    sheets += [
        Sheet(nfc(name), [], pd.DataFrame(), True, problem=view_problem(name)) for name in names if name in views
    ]
    if not sheets:
        raise SoilError("it holds no rows. Put samples into it, or take it out of the folder.")
    return sheets


def _read(source: str, name: str, budget: Budget) -> "pd.DataFrame | geopandas.GeoDataFrame":
    import geopandas
    import pyogrio

    info = pyogrio.read_info(source, layer=name, force_feature_count=True)
    rows, columns = max(int(info["features"]), 0), len(info["fields"])
    budget.box(rows, columns, f"the layer {name!r} has {rows:,} rows and {columns:,} columns")
    layer = geopandas.read_file(source, layer=name, **_own_offsets())
    for column in layer.columns:
        cells = layer[column]
        if cells.dtype.kind == "O" and column != getattr(layer, "_geometry_column_name", None):
            lengths = [len(value) for value in cells if isinstance(value, (str, bytes))]
            budget.text(max(lengths, default=0), sum(lengths), f"a cell of the column {column!r}")
    return layer


def _own_offsets() -> dict[str, Any]:
    """Keeps dates in their own time zones where summer and winter differ: in UTC, midnight is of the day before."""
    import pyogrio

    name = "mixed_offsets_as_utc"
    return {name: False} if name in inspect.signature(pyogrio.read_dataframe).parameters else {}


def sheet_of_layer(layer: "pd.DataFrame | geopandas.GeoDataFrame", part: str) -> Sheet:
    """A sheet of a layer or of a table without geometry."""
    import geopandas
    import shapely

    if not isinstance(layer, geopandas.GeoDataFrame):
        return of_records(layer, part)
    shapes = layer.geometry.to_numpy()
    kinds = {str(kind) for kind in layer.geometry.geom_type.dropna()}
    sheet = of_records(pd.DataFrame(layer.drop(columns=layer.geometry.name)), part)
    if kinds - {"Point", "MultiPoint"} or (shapely.get_num_geometries(shapes) > 1).any():
        found = f"its geometries are {', '.join(sorted(kinds))}, one point a row is expected."
        return replace(sheet, problem=f"{found} {_SPLIT_POINTS}")
    single = shapely.get_geometry(shapes, 0)
    points = pd.DataFrame({"x": shapely.get_x(single), "y": shapely.get_y(single)}, index=sheet.body.index)
    return replace(sheet, points=points, crs=layer.crs.to_wkt() if layer.crs else None)
