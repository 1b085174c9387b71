"""Transparency, classes and pyramids as the file has them, whatever GDAL makes of them."""

import os

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp, Resampling
from rasterio.windows import Window

from soc_assets.errors import RasterError
from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.ingest.quality.previews import Previews
from soc_assets.rasters.opening import open_raster
from soc_assets.rasters.reading import read_decimated, read_values
from soc_assets.settings import Band, Rasters
from soc_assets_tests.ingest.conftest import write_raster

SIZE = 40
HOLE = np.zeros((SIZE, SIZE), bool)
HOLE[:20, :20] = True
PAM = """<PAMDataset><PAMRasterBand band="1"><GDALRasterAttributeTable tableType="thematic">
<FieldDefn index="0"><Name>VALUE</Name><Type>0</Type><Usage>5</Usage></FieldDefn>
<FieldDefn index="1"><Name>{name}</Name><Type>{type}</Type><Usage>{usage}</Usage></FieldDefn>
<Row index="0"><F>1</F><F>{cell}</F></Row></GDALRasterAttributeTable></PAMRasterBand></PAMDataset>"""


def write_alpha(folder, count, dtype="uint16", nodata=None, at=None):
    """Bands of ones, zero in the hole, and an alpha band, the last unless `at` says otherwise."""
    at, path = count + 1 if at is None else at, folder / "A.tif"
    values, alpha = np.where(HOLE, 0, 1).astype(dtype), np.where(HOLE, 0, np.iinfo(dtype).max).astype(dtype)
    write_raster(path, values, count=count + 1, nodata=nodata)
    with rasterio.open(path, "r+") as dataset:
        meanings = [ColorInterp.gray] + [ColorInterp.undefined] * count
        meanings[at - 1] = ColorInterp.alpha
        dataset.colorinterp = meanings
        for band in range(1, count + 2):
            dataset.write(alpha if band == at else values, band)
    return path


def scanned(folder, **band):
    write_raster(folder / "Elevation.tif", np.arange(1600, dtype="float32").reshape(SIZE, SIZE))
    bands = (Band(name="Elevation", kind="static"), Band(**{"name": "A", "kind": "static"} | band))
    return scan_rasters(Rasters(static_pattern="{band}.tif", bands=bands), folder).frame.iloc[1:]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("nodata", [None, 77])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_what_the_alpha_band_hides_has_no_value(tmp_path, count, nodata, dtype):
    path = write_alpha(tmp_path, count, dtype, nodata)
    row = scanned(tmp_path, layer=1).iloc[0]
    assert (row["valid_share"], row["min"]) == (0.75, 1)
    with open_raster(path) as dataset:
        for values in (read_values(dataset, Window(0, 0, SIZE, SIZE)), read_decimated(dataset, SIZE)):
            np.testing.assert_array_equal(np.isnan(values), HOLE)


def test_an_alpha_band_that_is_not_the_last(tmp_path):
    write_alpha(tmp_path, 2, at=1)
    assert scanned(tmp_path, layer=2)["valid_share"].item() == 0.75


def test_alpha_hides_beside_a_mask_too(tmp_path):
    path = write_alpha(tmp_path, 2)
    mask = np.full((SIZE, SIZE), 255, np.uint8)
    mask[:, -10:] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(mask)
    assert scanned(tmp_path, layer=1)["valid_share"].item() == 0.5


def dbf(*columns: tuple[str, str]) -> bytes:
    """The header of a dBASE table with columns (name, type)."""
    fields = b"".join(name.encode().ljust(11, b"\0") + kind.encode() + b"\0" * 20 for name, kind in columns)
    length = 32 + len(fields) + 1
    return b"\3\0\0\0" + b"\0" * 4 + length.to_bytes(2, "little") + b"\1\0" + b"\0" * 20 + fields + b"\r"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("A.tif.aux.xml", PAM.format(name="CLASS", type=2, usage=2, cell="Forest").encode()),
        ("A.tif.vat.dbf", dbf(("VALUE", "N"), ("COUNT", "N"), ("LABEL", "C"))),
        ("A.vat.dbf", dbf(("VALUE", "N"), ("LABEL", "C"))),
    ],
)
def test_a_raster_with_a_table_of_names_holds_classes(tmp_path, name, content):
    write_raster(tmp_path / "A.tif", np.ones((SIZE, SIZE), np.uint8))
    before = scanned(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RasterError, match=r"A\.tif is a class raster"):
        scanned(tmp_path)
    assert len(scanned(tmp_path, classes=[1])) == 1
    bands = (Band(name="Elevation", kind="static"), Band(name="A", kind="static"))
    with pytest.raises(RasterError, match=r"A\.tif is a class raster"):  # a table that comes later is noticed
        scan_rasters(Rasters(static_pattern="{band}.tif", bands=bands), tmp_path, before)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("A.tif.aux.xml", PAM.format(name="COUNT", type=0, usage=1, cell="900").encode()),
        ("A.tif.vat.dbf", dbf(("VALUE", "N"), ("COUNT", "N"))),
    ],
)
def test_a_table_that_only_counts_is_no_sign_of_classes(tmp_path, name, content):
    write_raster(tmp_path / "A.tif", np.ones((SIZE, SIZE), np.uint8))
    (tmp_path / name).write_bytes(content)
    assert scanned(tmp_path)["mean"].item() == 1


@pytest.mark.parametrize("internal", [True, False])
def test_a_preview_is_not_taken_from_a_stale_or_averaged_pyramid(tmp_path, internal):
    values = np.arange(1200 * 1200, dtype="float32").reshape(1200, 1200) + 1
    path = write_raster(tmp_path / "Elevation.tif", np.full_like(values, -9999), tiled=True)
    with rasterio.Env(TIFF_USE_OVR=not internal), rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4, 8], Resampling.average)
    with rasterio.open(path, "r+") as dataset:
        dataset.write(values, 1)
    if not internal:
        os.utime(f"{path}.ovr", (1, 1))
    rasters = Rasters(static_pattern="{band}.tif", bands=(Band(name="Elevation", kind="static"),))
    row = scan_rasters(rasters, tmp_path).frame.iloc[0]
    preview = Previews(tmp_path / "previews", rasters)(row)
    assert preview.values.shape == (256, 256)
    assert np.isin(preview.values, values).all()
