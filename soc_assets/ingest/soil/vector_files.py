"""What is in a vector file before GDAL opens it, which takes whatever driver recognises the bytes.

So a `.geojson` that holds a virtual data set could read other files and send requests. Here each format is what its
suffix says, and says nothing that GDAL would follow elsewhere.
"""

import json
import re
import struct
from collections.abc import Iterable
from pathlib import Path

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.geopackage import require_plain_geopackage
from soc_assets.ingest.soil.limits import Budget, beyond
from soc_assets.settings import SoilLimits

_CHUNK = 1 << 20
_OVERLAP = 64  # bytes of a chunk that are looked at again with the next
_BYTES = 4  # of a character, at most
_LINKS = ("link", "url")
_MAY_LINK = re.compile(rb"[\"'](?:link|url)[\"']|\\u00[4-7]", re.IGNORECASE)
_DBF_VERSIONS = (0x02, 0x03, 0x04, 0x05, 0x30, 0x31, 0x32, 0x43, 0x63, 0x7B, 0x83, 0x8B, 0x8E, 0xCB, 0xE5, 0xF5, 0xFB)
_SHAPE = b"\x00\x00\x27\x0a"
_BESIDE = (".shp", ".shx", ".dbf")


def source_of(path: Path, budget: Budget) -> str:
    """What GDAL is given for a file, after a look at its bytes.

    Args:
        path: .gpkg, .geojson, .shp or .dbf.
        budget: how much it may hold.

    Raises:
        SoilError: the file is not what its suffix says, names files or addresses elsewhere, or is too large.
    """
    require_bytes([path], budget)
    match path.suffix.lower():
        case ".geojson":
            _require_geojson(path, budget.limits)
            return f"GeoJSON:{path.absolute()}"  # the driver of this name and no other
        case ".gpkg":
            require_plain_geopackage(path)
        case ".shp":
            _require_shapefile(path, budget)
        case ".dbf":
            _require_dbf(path)
    return str(path.absolute())


def require_bytes(paths: Iterable[Path], budget: Budget) -> None:
    """Check the size of files that GDAL reads as a whole.

    Raises:
        LimitError: they are too large.
    """
    size = sum(path.stat().st_size for path in paths)
    if size > budget.limits.max_bytes:
        raise beyond("max_bytes", budget.limits.max_bytes, f"it has {size:,} bytes")


def _begins(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count)


def _strange(path: Path, what: str) -> SoilError:
    head = _begins(path, 24)
    cure = "Save it in the format of its name (QGIS: Export, Save Features As), or give it the name of its format."
    return SoilError(f"it cannot be read as {path.suffix[1:]}: it is not {what}, it begins with {head!r}. {cure}")


def _require_geojson(path: Path, limits: SoilLimits) -> None:
    if not _begins(path, 4096).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        raise _strange(path, "GeoJSON")
    before, unquoted, may_link = b"", 0, False
    with path.open("rb") as file:
        while content := file.read(_CHUNK):
            may_link = may_link or bool(_MAY_LINK.search(before + content))
            before = content[-_OVERLAP:]
            first, *others = content.split(b'"')
            unquoted += len(first)
            _require_short(max(unquoted, *map(len, others)) if others else unquoted, limits)
            unquoted = len(others[-1]) if others else unquoted
    if may_link:
        _require_no_link(path)


def _require_short(size: int, limits: SoilLimits) -> None:
    """Check what stands between two quotation marks of GeoJSON: a text, or the coordinates of one geometry."""
    if size > _BYTES * limits.max_text:
        found = f"one text or geometry in it has more than {_BYTES * limits.max_text:,} bytes"
        raise beyond("max_text", limits.max_text, f"{found}, {_BYTES} for each character")


def _require_no_link(path: Path) -> None:
    """Refuse a CRS that is at an address, as GeoJSON of 2008 allowed: GDAL would fetch it."""
    found: list[str] = []

    def look(pairs: list[tuple[str, object]]) -> dict[str, object]:
        for name, value in pairs:
            kinds = [kind for key, kind in value.items() if key.lower() == "type"] if isinstance(value, dict) else []
            if name.lower() == "crs" and any(str(kind).lower() in _LINKS for kind in kinds):
                found.append(json.dumps(value)[:200])
        return dict(pairs)

    with path.open(encoding="utf-8-sig") as file:
        json.load(file, object_pairs_hook=look)
    if found:
        raise SoilError(
            f"its CRS is to be fetched from elsewhere: {found[0]}. Nothing is fetched for a file: take `crs` out of it "
            "where the coordinates are WGS84 degrees, or save it with its CRS as GeoPackage."
        )


def _require_shapefile(path: Path, budget: Budget) -> None:
    head = _begins(path, 100)
    if len(head) < 100 or not head.startswith(_SHAPE):
        raise _strange(path, "a shapefile")
    stem = path.stem.lower()
    beside = {
        other.suffix.lower(): other
        for other in path.parent.iterdir()
        if other.stem.lower() == stem and other.suffix.lower() in _BESIDE
    }
    require_bytes(beside.values(), budget)
    for suffix in (".shp", ".shx"):
        if suffix in beside:
            _require_whole_shapes(beside[suffix])
    if ".dbf" in beside:
        _require_dbf(beside[".dbf"])


def _require_whole_shapes(path: Path) -> None:
    head, size = _begins(path, 100), path.stat().st_size
    if len(head) < 100 or not head.startswith(_SHAPE):
        raise SoilError(f"{path.name} is not part of a shapefile: it begins with {head[:24]!r}. Copy the files again.")
    (words,) = struct.unpack(">i", head[24:28])
    if not 100 <= 2 * words <= size:
        raise SoilError(f"{path.name} is to have {2 * words:,} bytes and has {size:,}: it is cut. Copy it again.")


def _require_dbf(path: Path) -> None:
    head, size = _begins(path, 32), path.stat().st_size
    if len(head) < 32 or head[0] not in _DBF_VERSIONS:
        raise _strange(path, "a dBASE table")
    records, first, width = struct.unpack("<IHH", head[4:12])
    if first < 32 or width < 1 or first + records * width > size + width:  # some programs cut the last record's blanks
        raise SoilError(
            f"{path.name} is to have {records:,} records of {width} bytes behind {first}, and has {size:,} bytes: it "
            "is cut. Copy it again."
        )
