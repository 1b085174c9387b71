"""Whether a CRS says where on Earth it lies: an ellipsoid alone does not, and PROJ would place it some 100 m off."""

from functools import lru_cache

_MODERN = (6378137.0, 298.2572)  # semi-major axis in metres and inverse flattening of GRS80 and WGS84
_ALIKE = (3.0, 0.01)  # how far an ellipsoid may differ from them and mean a datum within some metres of WGS84


@lru_cache(maxsize=256)
def ellipsoid_without_datum(wkt: str) -> str | None:
    """The name of a CRS's ellipsoid if PROJ knows no transformation from it to WGS84; None where it does.

    Spheres are meant as they are (MODIS takes the latitudes of WGS84 on a sphere), and a CRS on GRS80 or WGS84 without
    a datum lies within a metre or two of WGS84.

    Args:
        wkt: the coordinate reference system.
    """
    import pyproj
    from pyproj.exceptions import ProjError

    system = pyproj.CRS.from_wkt(wkt)
    ellipsoid = system.ellipsoid
    if ellipsoid is None or not ellipsoid.inverse_flattening:
        return None
    found = ellipsoid.semi_major_metre, ellipsoid.inverse_flattening
    if "geostationary" in (system.coordinate_operation.method_name if system.coordinate_operation else "").lower():
        return None  # satellites' views: defined on an ellipsoid of their own, some metres off at pixels of kilometres
    if all(abs(a - b) <= most for a, b, most in zip(found, _MODERN, _ALIKE, strict=True)):
        return None
    try:
        pyproj.Transformer.from_crs(system, "EPSG:4326", always_xy=True, allow_ballpark=False)
    except ProjError:
        return ellipsoid.name
    return None
