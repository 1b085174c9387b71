"""Whether GDAL may open a vector file: what it holds must be what its suffix says, and nothing that leads elsewhere.

GDAL chooses a driver by the bytes, and pyogrio does not let its caller choose: a file x.geojson can list URLs, hold a
command line, or a CRS to be fetched. So the bytes are checked first, and GDAL is kept off the network meanwhile.
"""

import json
import re
import shlex
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import RLock
from typing import Any
from xml.parsers import expat

from soc_assets.storage.vector_drivers import SUFFIXES, drivers_of

_MAGIC = {".shp": b"\0\0\x27\x0a", ".fgb": b"fgb\x03", ".gpkg": b"SQLite format 3\0"}
_ROOTS = {".kml": ("kml",), ".gml": ("FeatureCollection",)}
_TYPES = (
    *("FeatureCollection", "Feature", "Topology", "Polygon", "MultiPolygon", "GeometryCollection", "Point"),
    *("MultiPoint", "LineString", "MultiLineString"),
)
_HEAD = 2**16
_LEADS_ELSEWHERE = re.compile(rb"(?i)<\s*(?:OGR|GDAL|VRT|WMS|WFS)\w*(?=[\s/>])|gdal_streamed_alg|stac_version")
_COMPUTED = re.compile(r"(?i)\bgenerated\s+always\b|\bas\s*\(")
_OFFLINE = {
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "-",
    "GDAL_HTTP_PROXY": "127.0.0.1:1",
    "GML_DOWNLOAD_SCHEMA": "NO",
    "GML_SKIP_RESOLVE_ELEMS": "ALL",
    "LIBKML_EXTERNAL_STYLE": "NO",
    "OGR_SQLITE_ALLOW_EXTERNAL_ACCESS": "NO",
}
_LOCK = RLock()


def archive_of(path: Path | str) -> Path | None:
    """The zip file that a path leads to or into."""
    inside = str(path).partition("/vsizip/")[2].replace("{", "").replace("}", "").lstrip("/")
    places = [Path(path), Path("/", inside)] if inside else [Path(path)]
    above = [each for place in places for each in (place, *place.parents)]
    return next((each for each in above if each.suffix.lower() == ".zip" and each.is_file()), None)


def unpacking(archive: Path) -> str:
    """How to get at the vector files of an archive, in words that go on with the file's name."""
    try:
        with zipfile.ZipFile(archive) as opened:
            held = [name for name in opened.namelist() if Path(name).suffix.lower() in SUFFIXES]
    except (OSError, zipfile.BadZipFile):
        held = []
    listed = ", ".join(held[:3]) or "a .gpkg, .geojson or .shp"
    folder = archive.with_suffix("")
    command = shlex.join(["python", "-m", "zipfile", "-e", str(archive), str(folder)])
    return f"is in an archive, of which nothing is opened. Unpack it ({command}) and name a file in {folder}: {listed}"


def problem_of(path: Path) -> str | None:
    """Why a vector file is not opened, in words that go on with the file's name; None where nothing is wrong.

    Args:
        path: the file, or the folder of a file geodatabase.

    Raises:
        OSError: it cannot be read.
    """
    suffix = path.suffix.lower()
    if path.is_dir() and suffix != ".gdb":
        return "cannot be read: it is a folder. Name a file in it"
    if suffix == ".zip":
        return unpacking(path)
    own = drivers_of(path)
    if suffix not in SUFFIXES and not own:
        return (
            f"has the suffix {suffix!r}; {', '.join(SUFFIXES)} are read. Save it as one of them (QGIS: Export), or "
            f'allow GDAL\'s driver for it in soc.toml: [study] vector_drivers = {{ "{suffix}" = ["NAME"] }}'
        )
    if path.is_dir():
        return None
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if suffix in _MAGIC and not head.startswith(_MAGIC[suffix]):
        return f"does not hold what its suffix says: it begins with {head[:24]!r}. Save it again"
    if found := _LEADS_ELSEWHERE.search(head):
        return (
            f"holds {found[0].decode(errors='replace')!r}, which leads to other files. Save its features as GeoPackage"
        )
    if suffix in (".geojson", ".json"):
        return _of_json(path)
    if suffix in _ROOTS:
        return _of_xml(path, _ROOTS[suffix])
    if own:
        return _of_xml(path, ()) if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else None
    return _of_database(path) if suffix == ".gpkg" else None


@contextmanager
def offline() -> Iterator[None]:
    """Keep pyogrio's GDAL off the network inside the block."""
    import pyogrio

    with _LOCK:
        before = {name: pyogrio.get_gdal_config_option(name) for name in _OFFLINE}
        pyogrio.set_gdal_config_options(_OFFLINE)
        try:
            yield
        finally:
            pyogrio.set_gdal_config_options(before)


def _of_json(path: Path) -> str | None:
    fetched: list[str] = []

    def looked_at(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for name, value in pairs:
            if name.lower() == "crs" and isinstance(value, dict):
                kind = next((str(each).lower() for key, each in value.items() if key.lower() == "type"), "name")
                if kind not in ("name", "epsg"):
                    fetched.append(kind)
        return dict(pairs)

    try:
        whole = json.loads(path.read_bytes(), object_pairs_hook=looked_at)
    except RecursionError:
        return "is nested too deeply. Save it again"
    except ValueError as error:
        return f"cannot be read as JSON ({error}). Save it again as GeoJSON"
    if fetched:
        return f"has a CRS of the type {fetched[0]!r}, which would be fetched. Give it a name (QGIS: Assign Projection)"
    kind = whole.get("type") if isinstance(whole, dict) else None
    if kind not in _TYPES and not (isinstance(whole, dict) and "geometryType" in whole):
        return f"cannot be read as GeoJSON (its type is {kind!r}). Save it again"
    return None


def _of_xml(path: Path, roots: tuple[str, ...]) -> str | None:
    """XML is read to its end: entities may be declared nowhere; without `roots` any element may be the first."""
    found: list[str] = []
    parser = expat.ParserCreate(namespace_separator=" ")

    def declares(*_: Any) -> None:
        found.append("declares entities or a document type")
        raise _Stopped

    def begins(name: str, _: Any) -> None:
        if roots and name.rpartition(" ")[2] not in roots:
            found.append(f"begins with an element {name[:60]!r}, {roots[0]} is expected")
            raise _Stopped
        parser.StartElementHandler = None

    parser.StartDoctypeDeclHandler = declares
    parser.StartElementHandler = begins
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except expat.ExpatError as error:
        return f"is damaged ({error}). Save it again"
    except _Stopped:
        return f"{found[0]}. Save its features as GeoPackage"
    return None


def _of_database(path: Path) -> str | None:
    """What a GeoPackage computes while it is read: views and computed columns can run forever."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            rows = database.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master").fetchall()
            contents = {str(name).lower() for (name,) in database.execute("SELECT table_name FROM gpkg_contents")}
    except (sqlite3.Error, ValueError) as error:
        return f"is damaged or no GeoPackage ({error}). Save it again"
    for kind, name, text in rows:
        if kind == "view" and str(name).lower() in contents:
            return f"has a layer {name!r} that is a view, which is computed. Save it as a layer of its own"
        if kind == "table" and str(name).lower() in contents and _COMPUTED.search(text):
            return f"has a layer {name!r} with computed columns. Save it as a layer of its own"
        if kind == "table" and str(name).lower() in contents and re.match(r"(?i)\s*create\s+virtual", text):
            return f"has a layer {name!r} that is a virtual table. Save it as a layer of its own"
    return None


class _Stopped(Exception):
    """Ends the parser at once."""
