"""The region of a study: polygons from a file in any CRS, and which points lie in them.

The file is GeoJSON, a GeoPackage or any other vector file; `file.gpkg|layer=name` names one of several layers. Several
regions with a name each, for scores, are in `soc_assets.geo.named_polygons`.
"""

from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import shapely

from soc_assets.errors import SamplingError
from soc_assets.geo.vector_guard import archive_of, offline, problem_of, unpacking
from soc_assets.storage import digest
from soc_assets.storage.names import nfc
from soc_assets.storage.vector_drivers import drivers_of

if TYPE_CHECKING:
    import geopandas
    import pandas as pd
    import pyproj

_LAYER = "|layer="
_BESIDE = (".shp", ".dbf", ".shx", ".prj", ".cpg")
_SETTING = "study.region"


@dataclass(frozen=True)
class Region:
    """Polygons, joined, in the file's own CRS: its straight edges stay straight."""

    name: str
    geometry: shapely.Geometry
    crs: "pyproj.CRS"

    def contains(self, longitude: npt.ArrayLike, latitude: npt.ArrayLike) -> np.ndarray:
        """Whether WGS84 points [n] lie inside or on the border (to a millimetre)."""
        x, y = coordinates(longitude, latitude, self.crs, self.name)
        finite = np.isfinite(x) & np.isfinite(y)
        points = shapely.points(np.where(finite, x, 0.0), np.where(finite, y, 0.0))
        shapely.prepare(self.geometry)
        return finite & shapely.dwithin(self.geometry, points, border(self.crs))


def border(crs: "pyproj.CRS") -> float:
    """How near to a polygon a point counts as on its border: about a millimetre, in units of the CRS."""
    return 1e-8 if crs.is_geographic else 1e-3


def coordinates(
    longitude: npt.ArrayLike, latitude: npt.ArrayLike, crs: "pyproj.CRS", name: str
) -> tuple[np.ndarray, np.ndarray]:
    """WGS84 points [n] as x and y in a CRS; not finite where they have none.

    Raises:
        SamplingError: PROJ knows no transformation; `name` is the file's.
    """
    import pyproj
    from pyproj.exceptions import ProjError

    try:
        change = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True, allow_ballpark=False)
        x, y = change.transform(longitude, latitude)
    except ProjError as error:
        raise SamplingError(
            f"The region {name} is in the CRS {crs.name!r}; PROJ has no transformation from WGS84 to it "
            f"({error}). Save it in another, for example EPSG:4326."
        ) from error
    return np.asarray(x, float), np.asarray(y, float)


def region_files(path: Path) -> list[Path]:
    """The files that a region is read from, as far as they are there."""
    file = split_layer(path)[0]
    beside = [file.with_suffix(suffix) for suffix in _BESIDE] if file.suffix.lower() == ".shp" else []
    beside += sorted(file.parent.glob(f"{escape(file.stem)}.*")) if drivers_of(file) else []
    return [item for item in dict.fromkeys([file, *beside]) if item.is_file()]


def split_layer(path: Path) -> tuple[Path, str | None]:
    """File and layer of `file.gpkg|layer=name`."""
    file, _, layer = str(path).partition(_LAYER)
    return Path(file), layer or None


def read_region(path: Path) -> Region:
    """The union of the polygons in a file; a file that states no CRS is taken to be in WGS84.

    Raises:
        SamplingError: no such file or layer, no vector file, several layers and none named, no polygon, or numbers that
            cannot be degrees though the CRS is in degrees.
    """
    frame = read_vector(path, _SETTING)
    polygons = polygons_of(frame.geometry.dropna().to_numpy())
    if not len(polygons):
        raise SamplingError(f"The region {path} holds no polygon; {_SETTING} needs a Polygon or MultiPolygon.")
    region = Region(split_layer(path)[0].name, shapely.union_all(shapely.make_valid(polygons)), _crs(frame))
    check_degrees(path, region.geometry, region.crs)
    return region


def polygons_of(geometries: "npt.NDArray[Any] | shapely.Geometry") -> np.ndarray:
    """The polygons [k] that geometries consist of, those inside collections too; other geometries are left out."""
    parts = shapely.get_parts(geometries)
    while (shapely.get_type_id(parts) > shapely.GeometryType.POLYGON).any():  # collections of collections
        parts = shapely.get_parts(parts)
    return parts[(shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & ~shapely.is_empty(parts)]


def check_degrees(path: Path, geometries: "npt.NDArray[Any] | shapely.Geometry", crs: "pyproj.CRS") -> None:
    """Raise a SamplingError where the CRS is in degrees and the numbers cannot be."""
    west, south, east, north = shapely.total_bounds(geometries)
    if crs.is_geographic and (west < -180 or east > 180 or south < -90 or north > 90):
        raise SamplingError(
            f"The region {path} reaches from {west:g}, {south:g} to {east:g}, {north:g}: these are no WGS84 degrees. "
            "Give the file its CRS (QGIS: Assign Projection), and save it as GeoPackage."
        )


def read_vector(path: Path, setting: str) -> "geopandas.GeoDataFrame":
    """A vector file, or one layer of it, as it is; a table without geometry is empty.

    Args:
        path: of the file, with `|layer=name` for one of several layers.
        setting: that names the file, for messages.

    Raises:
        SamplingError: no such file or layer, no vector file, or several layers and none named.
    """
    import geopandas

    file, layer = split_layer(path)
    if not file.exists() and (archive := archive_of(file)):
        raise SamplingError(f"The region {file} {unpacking(archive)} ({setting}).")
    if not file.exists():
        raise SamplingError(f"The region {file} does not exist; correct {setting} or remove it.")
    try:
        if wrong := problem_of(file):
            raise SamplingError(f"The region {file} {wrong} ({setting}).")
        with offline():
            frame = _read(file, layer, setting)
    except SamplingError:
        raise
    except Exception as error:  # pyogrio's, GDAL's, shapely's, pyproj's, memory: each has errors of its own
        raise SamplingError(
            f"The region {file} cannot be read: {type(error).__name__}: {error}. "
            f"Expected GeoJSON or GeoPackage with polygons ({setting})."
        ) from error
    return frame if isinstance(frame, geopandas.GeoDataFrame) else geopandas.GeoDataFrame(geometry=[])


def _read(file: Path, layer: str | None, setting: str) -> "geopandas.GeoDataFrame | pd.DataFrame":
    import geopandas
    import pyogrio

    if (own := drivers_of(file)) and (driver := pyogrio.read_info(file, layer=0)["driver"]) not in own:
        raise SamplingError(
            f"The region {file} is opened by GDAL's driver {driver!r}, and [study] vector_drivers of soc.toml allows "
            f"{', '.join(own)} for it. Correct the name there, or save the file as GeoPackage ({setting})."
        )
    names = [str(name) for name, kind in pyogrio.list_layers(file) if kind is not None]
    layer = next((name for name in names if layer and nfc(name) == nfc(layer)), layer)
    if layer not in names and (layer or len(names) > 1):
        asked = f"layer {layer!r} is not in it" if layer else "it has several layers"
        raise SamplingError(
            f"The region {file}: {asked}. Layers with geometry: {', '.join(names) or 'none'}. Name one in "
            f"{setting}: {file.name}{_LAYER}{names[0] if names else 'name'}."
        )
    return geopandas.read_file(file, layer=layer) if layer else geopandas.read_file(file)


def _crs(frame: "geopandas.GeoDataFrame") -> "pyproj.CRS":
    import pyproj

    return frame.crs or pyproj.CRS.from_epsg(4326)


def contents_of(region: Path | None) -> list[str] | None:
    """Digests of the files of polygons that a setting names."""
    return [digest.of_file(path) for path in region_files(region)] if region else None
