"""Which files a VRT names, and whether it may: files below its own folder, below that of the rasters, or of a setting.

A VRT is a text that makes GDAL open other files, by any name that GDAL knows: URLs, any file of this machine, code.
GDAL reads its XML more loosely than a parser does, so only elements known here are accepted, spelled as GDAL writes
them.
"""

import os
import posixpath
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from xml.parsers import expat

from soc_assets.errors import RasterError
from soc_assets.storage import raster_location
from soc_assets.storage.raster_drivers import Allowed

_LARGEST = 2**27  # bytes: a quarter of a million sources
_DEEPEST = 24
_NAMES = ("SourceFilename", "SourceDataset")
_SPELLED = """
    VRTDataset VRTRasterBand SRS GeoTransform GCPList GCP Metadata MDI MaskBand Overview OverviewList
    ColorInterp NoDataValue NodataValue HideNoDataValue UnitType Offset Scale Description CategoryNames Category
    ColorTable Entry Histograms HistItem HistMin HistMax BucketCount IncludeOutOfRange Approximate HistCounts
    GDALRasterAttributeTable FieldDefn Name Type Usage Row F
    SimpleSource ComplexSource AveragedSource KernelFilteredSource SourceFilename SourceBand SourceProperties SrcRect
    DstRect OpenOptions OOI ScaleOffset ScaleRatio NODATA LUT SrcMin SrcMax DstMin DstMax Exponent Clamp
    ColorTableComponent UseMaskBand Kernel Size Coefs
    PixelFunctionType PixelFunctionLanguage PixelFunctionArguments SourceTransferType BufferRadius
    SkipNonContributingSources
    ByteOrder ImageOffset PixelOffset LineOffset
    BlockXSize BlockYSize GDALWarpOptions WarpMemoryLimit ResampleAlg WorkingDataType Option SourceDataset Transformer
    ApproxTransformer MaxError BaseTransformer GenImgProjTransformer SrcGeoTransform SrcInvGeoTransform DstGeoTransform
    DstInvGeoTransform ReprojectTransformer ReprojectionTransformer SourceSRS TargetSRS SourceCRS TargetCRS Options
    BandList BandMapping SrcNoDataReal SrcNoDataImag DstNoDataReal DstNoDataImag SrcAlphaBand DstAlphaBand Cutline
    CutlineBlendDist InitDest
    PansharpeningOptions Algorithm AlgorithmOptions Weights Resampling NumThreads BitDepth NoData
    SpatialExtentAdjustment PanchroBand SpectralBand
"""
_ELEMENTS = frozenset(_SPELLED.split())
_ATTRIBUTES = frozenset(
    (
        *("rasterXSize", "rasterYSize", "subClass", "dataType", "band", "blockXSize", "blockYSize", "relativeToVRT"),
        *("shared", "name", "resampling", "xOff", "yOff", "xSize", "ySize", "RasterXSize", "RasterYSize"),
        *("DataType", "BlockXSize", "BlockYSize", "key", "domain", "format", "dataAxisToSRSAxisMapping", "src", "dst"),
        *("coordinateEpoch", "dstBand", "index", "Row0Min", "BinSize", "tableType", "normalized", "Projection", "Id"),
        *("Info", "Pixel", "Line", "X", "Y", "Z", "GCPZ", "c1", "c2", "c3", "c4", "Name", "Type", "Usage"),
    )
)
_SUBCLASSES = (
    *("VRTWarpedDataset", "VRTPansharpenedDataset", "VRTSourcedRasterBand", "VRTDerivedRasterBand"),
    *("VRTRawRasterBand", "VRTWarpedRasterBand", "VRTPansharpenedRasterBand"),
)
_DOMAINS = re.compile(r"(?i)overviews|subdatasets|geolocation|vrt|rpc")  # metadata that GDAL takes names of files from
_IN_FILE = re.compile(r'(?i)(?:NETCDF|HDF5|HDF4[A-Z_:]*|GTIFF_DIR:(?:off:)?\d+):"?(?P<file>[^":]+)"?(?::.*)?')
_TRUST = (
    "If you know where it comes from, move those files into the folder of the VRT, name their folder in [rasters] "
    'vrt_folders of soc.toml, or write the pixels into a file: rio convert "{vrt}" other.tif'
)


@dataclass
class _Found:
    """What a VRT says: names of files, each with whether it is relative and whether its bytes are read as they are."""

    names: list[tuple[str, bool, bool]] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    raw: list[bool] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    relative: bool = False


class _Refused(Exception):
    """What a VRT holds that is not accepted."""


def sources_of(location: str, may: Allowed) -> list[tuple[str, bool]]:
    """The files that a VRT takes values from, each with whether its bytes are taken as they are (a raw band).

    Args:
        location: of the VRT.
        may: what is allowed in its folder.

    Raises:
        RasterError: it is damaged, holds what is not accepted, or names a file elsewhere.
    """
    content = raster_location.first_bytes(location, _LARGEST + 1)
    found = []
    for name, relative, raw in _names(location, content):
        found.append((_resolved(name, location, relative, may), raw))
    return found


@lru_cache(maxsize=64)
def _names(location: str, content: bytes) -> tuple[tuple[str, bool, bool], ...]:
    try:
        return _parsed(content)
    except expat.ExpatError as error:
        raise RasterError(f"The VRT {location} is damaged ({error}). Write it again.") from error
    except _Refused as error:
        raise RasterError(f"The VRT {location} is not opened: {error}. {_TRUST.format(vrt=location)}") from None


def _parsed(content: bytes) -> tuple[tuple[str, bool, bool], ...]:
    if len(content) > _LARGEST:
        raise _Refused(f"it is larger than {_LARGEST // 2**20} MB")
    if re.search(rb"<![^-]|<\?(?!xml\s)|\0", content):
        raise _Refused("it declares entities, a document type, CDATA or another encoding, which no VRT needs")
    found, parser = _Found(), expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: _begin(found, name, attributes)
    parser.EndElementHandler = lambda name: _end(found, name)
    parser.CharacterDataHandler = lambda text: found.text.append(text) if found.path[-1] in _NAMES else None
    parser.XmlDeclHandler = _declared
    parser.Parse(content, True)
    return tuple(found.names)


def _declared(version: str, encoding: str | None, standalone: int) -> None:
    if encoding and encoding.lower() not in ("utf-8", "us-ascii", "ascii"):
        raise _Refused(f"it is written in {encoding}, UTF-8 is expected")


def _begin(found: _Found, name: str, attributes: dict[str, str]) -> None:
    if name not in _ELEMENTS or len(found.path) >= _DEEPEST or (not found.path and name != "VRTDataset"):
        raise _Refused(f"it has an element {name[:60]!r} that is not known here")
    if found.path and found.path[-1] in _NAMES:
        raise _Refused(f"an element {name} stands in a file name")
    for key, value in attributes.items():
        if key not in _ATTRIBUTES and name != "PixelFunctionArguments":
            raise _Refused(f"{key[:60]!r} stands as an attribute of {name}")  # GDAL might take it for an element
        if key == "subClass" and value not in _SUBCLASSES:
            raise _Refused(f"it is a {value[:60]}")
        if key == "domain" and _DOMAINS.search(value):
            raise _Refused(f"it has metadata of the domain {value[:60]!r}, which can name files")
    found.path.append(name)
    found.raw.append(attributes.get("subClass") == "VRTRawRasterBand" or any(found.raw))
    if name == "PixelFunctionLanguage":
        raise _Refused("it holds a pixel function that is code")
    if name in _NAMES:
        if attributes.get("relativeToVRT", "0") not in ("0", "1"):
            raise _Refused(f"relativeToVRT is {attributes['relativeToVRT'][:20]!r}, 0 or 1 is expected")
        found.text, found.relative = [], attributes.get("relativeToVRT") == "1"


def _end(found: _Found, name: str) -> None:
    if name in _NAMES:
        found.names.append(("".join(found.text), found.relative, found.raw[-1]))
    found.path.pop()
    found.raw.pop()


def _resolved(name: str, vrt: str, relative: bool, may: Allowed) -> str:
    """The file that a name means, where the VRT may name it."""
    inside = _IN_FILE.fullmatch(name)
    file = inside["file"] if inside else name
    if raster_location.is_local(vrt):
        place, found = _local(file, vrt, relative, may)
    else:
        place, found = _in_archive(file, vrt, relative, may)
    if not found:
        raise RasterError(
            f"The VRT {vrt} names {name[:200]!r}, and a VRT may only name files below its own folder"
            f"{' or below ' + may.root if may.root else ''}. {_TRUST.format(vrt=vrt)}"
        )
    if not raster_location.exists(place):
        raise RasterError(f"The VRT {vrt} names {name[:200]!r}, and there is no file {place}. Put it back.")
    return place


def _local(file: str, vrt: str, relative: bool, may: Allowed) -> tuple[str, bool]:
    """The path, and whether it may be named: links are followed first."""
    folder = Path(vrt).absolute().parent
    if "://" in file or file.startswith("/vsi") or not file.strip() or (not relative and not Path(file).is_absolute()):
        return file, False
    place = os.path.normpath(folder / file)
    real = os.path.realpath(place)
    roots = [os.path.realpath(folder), *([os.path.realpath(may.root)] if may.root else []), *may.folders]
    return place, any(os.path.commonpath([real, root]) == root for root in roots)


def _in_archive(file: str, vrt: str, relative: bool, may: Allowed) -> tuple[str, bool]:
    """The location in the same zip or bucket, and whether it may be named."""
    folder = vrt.rpartition("/")[0]
    if not relative or not file.strip() or "://" in file or file.startswith(("/", "\\")):
        inside = file.startswith(f"{folder}/") and ".." not in file.split("/")
        return file, inside
    place = posixpath.normpath(posixpath.join(folder, file))
    return place, place.startswith(f"{folder}/")
