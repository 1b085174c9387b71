"""Where samples are: from coordinates in any CRS to longitude and latitude, and which CRS strange numbers may be in."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from soc_assets.errors import SoilError
from soc_assets.geo.grid import Grid

if TYPE_CHECKING:
    import pyproj

COORDINATE_DIGITS = 5
"""Coordinates that agree to this many decimal places (about a metre) are the same."""

_LIKELY = (31468, 31467, 31466, 31469, 25832, 25833, 4647, 5650, 3035, 3857)
"""EPSG codes of German and European tables: Gauss-Krüger, UTM (with the zone before the easting, too), LAEA, Web."""
_WORLDWIDE = 3857  # fits any numbers: only the rasters can speak for it
_MARGIN = 5.0  # degrees around a CRS's area of use: the whole of Bavaria is mapped in zone 32


def to_wgs84(x: pd.Series, y: pd.Series, crs: str | None, where: str) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Longitude and latitude of coordinates, x before y in every CRS.

    Datum shifts are those of PROJ's database: seven parameters where no grid file is installed, which for DHDN
    (EPSG:31466 to 31469) is right to about 3 m. A shift that PROJ does not know is refused, never left out.

    Args:
        x: longitudes or eastings [n], NaN where there is none.
        y: latitudes or northings [n].
        crs: CRS of both; None is WGS84.
        where: the setting or file that gives the CRS, for the message.

    Returns:
        Longitudes [n] and latitudes [n] (WGS84 degrees), and whether the numbers lie outside the CRS [n].

    Raises:
        SoilError: the CRS is none, or there is no transformation from it.
    """
    system = parse_crs(crs, where) if crs else None
    if system is None or system.to_epsg() == 4326:
        return x, y, (x.abs() > 180) | (y.abs() > 90)
    longitude, latitude = _transformed(system, x.to_numpy(float), y.to_numpy(float), where)
    inside = _in_use(system, longitude, latitude) | (x.isna() | y.isna()).to_numpy()
    return pd.Series(longitude, x.index), pd.Series(latitude, x.index), pd.Series(~inside, x.index)


def parse_crs(crs: str, where: str) -> "pyproj.CRS":
    """A CRS from its code or WKT; raises `SoilError` that names the setting."""
    import pyproj
    from pyproj.exceptions import CRSError

    try:
        return pyproj.CRS.from_user_input(crs)
    except CRSError as error:
        raise SoilError(
            f"crs = {crs!r} of {where} is not a CRS ({error}). Expected a code such as EPSG:31468 (Gauss-Krüger zone "
            "4), EPSG:25832 (UTM zone 32) or EPSG:4326 (degrees)."
        ) from None


def in_degrees(crs: str | None, where: str = "the table") -> bool:
    """Whether coordinates in a CRS are degrees; None is WGS84. Raises `SoilError` that names `where`."""
    return crs is None or parse_crs(crs, where).is_geographic


def units(x: pd.Series, y: pd.Series, crs: str | None) -> pd.Series:
    """Coordinates as written [n], rounded, as text: what identity rests on, so that no transformation decides it.

    Degrees to `COORDINATE_DIGITS` decimal places, metres to two; "" where there is not a number.
    """
    scale, largest = (100, 1e9) if not in_degrees(crs) else (10**COORDINATE_DIGITS, 360)
    whole = [(value.where(value.abs() <= largest) * scale).round().astype("Int64") for value in (x, y)]
    return whole[0].astype("str").fillna("").str.cat(whole[1].astype("str").fillna(""), sep="\x1f")


def suggest_crs(x: pd.Series, y: pd.Series, grid: Grid) -> str:
    """What to do about coordinates that are not in the CRS they are said to be in, for people.

    A likely CRS counts where the points lie in its area of use, more where they lie on the rasters.
    """
    code, exchanged = likely_crs(x, y, grid)
    if code is None:
        return "set crs of the file in [[soil.tables]] of soc.toml"
    said = "with x and y exchanged: longitude and latitude name the columns, " if exchanged else ""
    return f'{said}crs = "EPSG:{code}" of the file in [[soil.tables]] of soc.toml would fit'


def likely_crs(x: pd.Series, y: pd.Series, grid: Grid) -> tuple[int | None, bool]:
    """The EPSG code that fits numbers [n] best, None where none does, and whether x and y have to be swapped."""
    best, found = 0.0, (None, False)
    for exchanged, (first, second) in ((False, (x, y)), (True, (y, x))):
        for code in _LIKELY:
            score = _likelihood(code, first.to_numpy(float), second.to_numpy(float), grid)
            if score > best:
                best, found = score, (code, exchanged)
    return found


def _likelihood(code: int, x: np.ndarray, y: np.ndarray, grid: Grid) -> float:
    """Share of points [n] in the area of use of a CRS (without its margin), doubled for those on the rasters."""
    import pyproj

    system = pyproj.CRS.from_epsg(code)
    longitude, latitude = _transformed(system, x, y, f"EPSG:{code}")
    used = _in_use(system, longitude, latitude, margin=0.0) & (code != _WORLDWIDE)
    usable = np.isfinite(longitude) & np.isfinite(latitude)
    rows, columns = grid.pixels(np.where(usable, longitude, 0), np.where(usable, latitude, 0))
    return float((used + 2.0 * (usable & grid.contains(rows, columns))).mean()) if len(x) else 0.0


def _transformed(system: "pyproj.CRS", x: np.ndarray, y: np.ndarray, where: str) -> tuple[np.ndarray, np.ndarray]:
    import pyproj
    from pyproj.exceptions import ProjError

    try:
        transformer = pyproj.Transformer.from_crs(system, "EPSG:4326", always_xy=True, allow_ballpark=False)
        longitude, latitude = transformer.transform(x, y)
    except ProjError as error:
        raise SoilError(
            f"there is no transformation to WGS84 from the CRS {system.name!r} of {where} ({error}). Transform the "
            "table, for example in QGIS, and give its crs."
        ) from error
    return np.asarray(longitude, float), np.asarray(latitude, float)


def _in_use(system: "pyproj.CRS", longitude: np.ndarray, latitude: np.ndarray, margin: float = _MARGIN) -> np.ndarray:
    """Whether points [n] lie in the area of use of a CRS, or anywhere on Earth where it names none."""
    area = system.area_of_use
    west, south, east, north = area.bounds if area else (-180.0, -90.0, 180.0, 90.0)
    if east < west:  # across the antimeridian
        west, east = -180.0, 180.0
    across = (longitude >= west - margin) & (longitude <= east + margin)
    return across & (latitude >= south - margin) & (latitude <= north + margin)
