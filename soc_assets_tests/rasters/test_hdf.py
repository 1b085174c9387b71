"""HDF5 and NetCDF files that take values from other files, as the HDF5 library would follow them.

`hdf5.json` holds files written by h5py (gzip, base85), in both layouts of the format: a grid of 4 x 5 pixels in `v`
(own), as an external link (link, deep: in a group), over the bytes of /etc/passwd (efl), as a virtual dataset (vds);
vlen has what looks a little like them.
"""

import base64
import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest

from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.rasters.hdf_links import names_elsewhere
from soc_assets.settings import Band, Rasters
from soc_assets_tests.ingest.conftest import write_raster

WRITTEN = {
    name: gzip.decompress(base64.b85decode(text))
    for name, text in json.loads(Path(__file__).with_name("hdf5.json").read_text()).items()
}
LAYOUTS = "earliest", "latest"
ELSEWHERE = [(kind, layout) for kind in ("link", "deep", "efl", "vds") for layout in LAYOUTS]


@pytest.fixture
def folder(tmp_path):
    write_raster(tmp_path / "Elevation.tif", np.arange(20, dtype="f4").reshape(4, 5))
    return tmp_path


def scanned(folder, suffix):
    write_raster(folder / "LAI_2014.tif", np.arange(20, dtype="f4").reshape(4, 5))
    bands = Band(name="Elevation", kind="static", pattern="Elevation.tif"), Band(name="LAI", pattern="LAI_{year}.*")
    return scan_rasters(Rasters(bands=bands), folder)


@pytest.mark.parametrize(("kind", "layout"), ELSEWHERE)
@pytest.mark.parametrize("suffix", [".nc", ".h5"])
def test_a_file_that_takes_values_from_another_is_set_aside(folder, kind, layout, suffix):
    (folder / f"LAI_2015{suffix}").write_bytes(WRITTEN[f"{kind} {layout}"])
    found = scanned(folder, suffix)
    assert found.frame["year"].dropna().tolist() == [2014]
    (problem,) = found.problems["problem"]
    assert f"LAI_2015{suffix} takes values from another file" in problem


@pytest.mark.parametrize("kind", ["own", "vlen"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_lies_in_the_file_is_no_trouble(kind, layout):
    assert names_elsewhere(io.BytesIO(WRITTEN[f"{kind} {layout}"])) is None


def test_a_netcdf_4_file_is_read(folder):
    (folder / "LAI_2015.nc").write_bytes(WRITTEN["own earliest"])
    assert scanned(folder, ".nc").frame["mean"].tolist() == pytest.approx([9.5, 9.5, 9.5])


def test_what_somebody_put_before_the_file_does_not_hide_it():
    assert names_elsewhere(io.BytesIO(bytes(512) + WRITTEN["efl earliest"])) == "external storage"


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "i8", "f4", "f8"])
def test_numbers_are_taken_for_nothing_else(dtype):
    rng = np.random.default_rng(3)
    for values in (rng.integers(0, 100, 200_000), np.ones(200_000), np.arange(200_000) % 120):
        assert names_elsewhere(io.BytesIO(WRITTEN["own latest"] + values.astype(dtype).tobytes())) is None


def test_hdf4_says_that_this_gdal_cannot_read_it_and_who_can(folder):
    (folder / "LAI_2015.hdf").write_bytes(b"\x0e\x03\x13\x01" + bytes(2000))
    (problem,) = scanned(folder, ".hdf").problems["problem"]
    assert "is an HDF4 file" in problem and "libgdal-hdf4" in problem and "GeoTIFF" in problem


def test_a_driver_that_this_gdal_lacks_is_named(folder):
    (folder / "LAI_2015.ecw").write_bytes(b"x" * 100)
    write_raster(folder / "LAI_2014.tif", np.arange(20, dtype="f4").reshape(4, 5))
    bands = Band(name="Elevation", kind="static", pattern="Elevation.tif"), Band(name="LAI", pattern="LAI_{year}.*")
    (problem,) = scan_rasters(Rasters(bands=bands, drivers={".ecw": ("ECW",)}), folder).problems["problem"]
    assert "driver ECW, which this build of GDAL does not have" in problem
