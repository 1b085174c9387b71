"""Rasters that declare more than they hold are refused within seconds; a sparse but honest one works."""

import struct
import time
import zlib

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window
from scipy.io import netcdf_file

from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.rasters.opening import open_raster
from soc_assets.rasters.reading import read_values
from soc_assets.settings import Band, Rasters
from soc_assets_tests.ingest.conftest import write_raster

VALUES = np.arange(1200, dtype="uint8").reshape(30, 40)
GEO = "<SRS>EPSG:4326</SRS><GeoTransform>11, 1e-6, 0, 49, 0, -1e-6</GeoTransform>"


def tiff(path, width, height, *, block, bands=1, tiled=True, apart=1):
    """A GeoTIFF of which only the header is there: what it declares, and no pixel."""
    place = [(33550, 12, struct.pack("<3d", 1e-6, 1e-6, 0)), (33922, 12, struct.pack("<6d", 0, 0, 0, 11, 49, 0))]
    place.append((34735, 3, struct.pack("<16H", 1, 1, 0, 3, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 4326)))
    shape = [(322, 4, block), (323, 4, block)] if tiled else [(278, 4, block)]
    where = [(324, 4, 0), (325, 4, 0)] if tiled else [(273, 4, 0), (279, 4, 0)]
    plain = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (277, 3, bands),
        (284, 3, apart),
        (339, 3, 1),
    ]
    tags = sorted([*plain, *shape, *where, *place])
    start, more, entries = 8 + 2 + 12 * len(tags) + 4, b"", b""
    for tag, kind, value in tags:
        if isinstance(value, bytes):
            entries += struct.pack("<HHII", tag, kind, len(value) // {12: 8, 3: 2}[kind], start + len(more))
            more += value
        else:
            entries += struct.pack("<HHII", tag, kind, 1, value)
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + more)


def netcdf(path):
    with netcdf_file(path, "w", version=2) as out:
        out.createDimension("time", None)
        for name, size in (("lat", 4), ("lon", 4)):
            out.createDimension(name, size)
            axis = out.createVariable(name, "f8", (name,))
            axis[:] = np.arange(size)
            axis.units = b"degrees_north" if name == "lat" else b"degrees_east"
        out.createVariable("v", "i1", ("lat", "lon"))
    content = path.read_bytes()
    for name in (b"lat", b"lon"):  # the length of a dimension stands after its name
        at = content.index(b"\0\0\0\x03" + name + b"\0") + 8
        content = content[:at] + struct.pack(">i", 2**30) + content[at + 4 :]
    path.write_bytes(content)


def png(path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 10**6, 10**6, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )
    path.with_name(path.name + ".aux.xml").write_text(f"<PAMDataset>{GEO}</PAMDataset>")


def vrt(path):
    band = '<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename relativeToVRT="1">LAI_2014.tif'
    end = "</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    path.write_text(f'<VRTDataset rasterXSize="1000000" rasterYSize="1000000">{GEO}{band}{end}')


KINDS = {
    "tiles": (".tif", lambda path: tiff(path, 10**6, 10**6, block=512), "max_pixels_without_data"),
    "one strip": (".tif", lambda path: tiff(path, 10**5, 10**5, block=10**5, tiled=False), "max_pixels_without_data"),
    "one tile": (".tif", lambda path: tiff(path, 60_000, 60_000, block=60_000 // 16 * 16), "max_block_mb"),
    "bands": (".tif", lambda path: tiff(path, 1000, 1000, block=512, bands=65_535), "max_block_mb"),
    "bands apart": (".tif", lambda path: tiff(path, 1000, 1000, block=512, bands=65_535, apart=2), "65535 bands"),
    "VRT": (".vrt", vrt, "max_pixels_without_data"),
    "PNG": (".png", png, "max_pixels_without_data"),
    "NetCDF": (".nc", netcdf, "LAI_2015.nc"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_raster_that_declares_too_much_is_set_aside_within_seconds(tmp_path, kind):
    suffix, write, said = KINDS[kind]
    write_raster(tmp_path / "Elevation.tif", VALUES)
    write_raster(tmp_path / "LAI_2014.tif", VALUES)
    write(tmp_path / f"LAI_2015{suffix}")
    bands = Band(name="Elevation", kind="static", pattern="Elevation.tif"), Band(name="LAI", pattern="LAI_{year}.*")
    began = time.monotonic()
    found = scan_rasters(Rasters(bands=bands), tmp_path)
    assert time.monotonic() - began < 10
    told = {
        path.rpartition("/")[2]: problem
        for path, problem in zip(found.problems["path"], found.problems["problem"], strict=True)
    }
    assert said in told[f"LAI_2015{suffix}"]
    assert found.frame["path"].str.endswith(("Elevation.tif", "LAI_2014.tif")).all()


def test_a_sparse_raster_of_60000_pixels_a_side_is_catalogued_and_read(tmp_path):
    place = {"crs": "EPSG:32632", "transform": from_origin(6e5, 5.5e6, 10, 10)}
    shape = {"width": 60_000, "height": 60_000, "count": 1, "dtype": "uint8", "nodata": 255}
    path = tmp_path / "Elevation.tif"
    with rasterio.open(path, "w", driver="GTiff", tiled=True, sparse_ok=True, **shape, **place) as out:
        out.write(VALUES, 1, window=Window(30_000, 20_000, 40, 30))
    bands = (Band(name="Elevation", kind="static", pattern="Elevation.tif"),)
    row = scan_rasters(Rasters(bands=bands), tmp_path).frame.iloc[0]
    assert (row["valid_count"], row["mean"]) == (
        int((VALUES != 255).sum()),
        pytest.approx(VALUES[VALUES != 255].mean()),
    )
    with open_raster(path) as dataset:
        np.testing.assert_array_equal(read_values(dataset, Window(30_000, 20_000, 6, 1)), [[0, 1, 2, 3, 4, 5]])
