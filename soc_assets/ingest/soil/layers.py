"""Reading layers of points: GeoPackage, shapefile, GeoJSON and GeoParquet.

The points stay in the layer's own CRS; they become longitude and latitude in `soil.places`.
"""

import inspect
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.formats import Sheet, of_records

if TYPE_CHECKING:
    import geopandas

_SPLIT_POINTS = "Save them as points (QGIS: Vector, Geometry Tools, Centroids or Multipart to Singleparts)."


def is_geoparquet(path: Path) -> bool:
    """Whether a Parquet file says that it has geometry; a damaged file does not."""
    try:
        return b"geo" in (pq.read_schema(path).metadata or {})
    except (pa.ArrowException, OSError):
        return False


def read_geoparquet(path: Path) -> Sheet:
    """The one layer of a GeoParquet file; nested columns beside the geometry are left.

    Raises:
        SoilError: the file is damaged.
    """
    import geopandas

    schema = pq.read_schema(path)
    flat = [field.name for field in schema if not pa.types.is_nested(field.type)]
    geometry = json.loads((schema.metadata or {})[b"geo"]).get("primary_column", "geometry")
    try:
        layer = geopandas.read_parquet(
            path, columns=list(dict.fromkeys([*flat, geometry])), to_pandas_kwargs={"integer_object_nulls": True}
        )
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise SoilError(f"it cannot be read as a GeoParquet file ({error}). Write it again.") from error
    return _sheet(layer, "")


def read_layers(path: Path) -> list[Sheet]:
    """Every layer of a vector file that has rows; a layer without geometry is a table.

    Raises:
        SoilError: the file is damaged or has no rows.
    """
    import geopandas
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        names = [str(name) for name, _ in pyogrio.list_layers(path)]
        layers = {name: geopandas.read_file(path, layer=name, **_own_offsets()) for name in names}
    except (DataSourceError, DataLayerError, ValueError, OSError) as error:
        missing = " A shapefile needs its .shx and .dbf beside it." if path.suffix.lower() == ".shp" else ""
        raise SoilError(f"it cannot be read as {path.suffix[1:]} ({error}).{missing} Write it again.") from error
    filled = {name: layer for name, layer in layers.items() if len(layer)}
    if not filled:
        raise SoilError("it holds no rows. Put samples into it, or take it out of the folder.")
    one = path.suffix.lower() != ".gpkg"
    return [_sheet(layer, "" if one else name) for name, layer in filled.items()]


def _own_offsets() -> dict[str, Any]:
    """Keeps dates in their own time zones where summer and winter differ: in UTC, midnight is of the day before."""
    import pyogrio

    name = "mixed_offsets_as_utc"
    return {name: False} if name in inspect.signature(pyogrio.read_dataframe).parameters else {}


def _sheet(layer: "pd.DataFrame | geopandas.GeoDataFrame", part: str) -> Sheet:
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
