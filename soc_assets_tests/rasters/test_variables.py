"""Files that hold several rasters: variables of NetCDF, pages of a TIFF."""

import numpy as np
import pytest
import rasterio.shutil
from scipy.io import netcdf_file

from soc_assets.errors import RasterError
from soc_assets.ingest.quality.values import copies
from soc_assets.rasters.steps import Step
from soc_assets.settings import Band
from soc_assets_tests.embedding.rasters import ELEVATION, scanned, window
from soc_assets_tests.ingest.conftest import write_raster

HEIGHT, WIDTH = 16, 24
LATITUDES, LONGITUDES = 48.005 + 0.01 * np.arange(HEIGHT), 11.005 + 0.01 * np.arange(WIDTH)
LAI = np.random.default_rng(0).random((2, HEIGHT, WIDTH)).astype("f4")
YEARS = {"layers": [2012, 2013]}


def write_netcdf(path, *names, **units):
    """Variables [time, lat, lon] from south to north, each 100 above the one before, without a grid mapping."""
    axes = {"time": [182, 548], "lat": LATITUDES, "lon": LONGITUDES}
    said = {"time": "days since 2012-01-01", "lat": "degrees_north", "lon": "degrees_east"} | units
    with netcdf_file(path, "w") as out:
        for name, values in axes.items():
            out.createDimension(name, len(values))
            axis = out.createVariable(name, "f8", (name,))
            axis[:], axis.units = values, said[name].encode()
        for number, name in enumerate(names):
            out.createVariable(name, "f4", ("time", "lat", "lon"))[:] = LAI + 100 * number
    return path


@pytest.fixture
def folder(tmp_path):
    write_raster(
        tmp_path / "static/Elevation.tif",
        np.arange(384, dtype="f4").reshape(HEIGHT, WIDTH),
        transform=rasterio.Affine(0.01, 0, 11, 0, -0.01, 48.16),
    )
    return tmp_path


def test_one_variable_in_degrees_north_and_east_is_wgs84(folder):
    write_netcdf(folder / "LAI.nc", "LAI")
    raster_index, catalog = scanned(folder, Band(name="LAI", pattern="LAI.nc", **YEARS))
    assert catalog.frame["crs"].unique().tolist() == ["EPSG:4326"]
    np.testing.assert_allclose(window(raster_index, "LAI", Step(2013))[:HEIGHT, :WIDTH], LAI[1, ::-1], rtol=1e-6)


def test_axes_in_other_units_are_no_degrees(folder):
    write_netcdf(folder / "LAI.nc", "LAI", lat="m", lon="m")
    with pytest.raises(RasterError, match=r"LAI\.nc has no coordinate reference system.*rio convert LAI\.nc"):
        scanned(folder, Band(name="LAI", pattern="LAI.nc", **YEARS))


@pytest.mark.parametrize(
    "named",
    [
        {"pattern": "all.nc", "variable": "FAPAR"},
        {"pattern": "netcdf:all.nc:FAPAR"},
        {"pattern": 'NETCDF:"all.nc":FAPAR'},
    ],
    ids=["setting", "pattern", "quoted"],
)
def test_a_variable_is_named(folder, named):
    write_netcdf(folder / "all.nc", "LAI", "FAPAR")
    raster_index, catalog = scanned(
        folder, Band(name="FAPAR", **named, **YEARS), Band(name="LAI", pattern="all.nc", variable="LAI", **YEARS)
    )
    np.testing.assert_allclose(
        window(raster_index, "FAPAR", Step(2012))[:HEIGHT, :WIDTH], LAI[0, ::-1] + 100, rtol=1e-6
    )
    np.testing.assert_allclose(window(raster_index, "LAI", Step(2012))[:HEIGHT, :WIDTH], LAI[0, ::-1], rtol=1e-6)
    assert catalog.frame["path"].iloc[1] == str(folder / "all.nc")
    assert catalog.frame["digest"].nunique() == 3
    assert copies(catalog.frame.to_dict("records")) == []


def test_several_variables_are_named_in_the_refusal_and_a_wrong_one_too(folder):
    write_netcdf(folder / "all.nc", "LAI", "FAPAR")
    with pytest.raises(RasterError, match=r'all\.nc holds 2 variables \(LAI, FAPAR\).*variable = "LAI"'):
        scanned(folder, Band(name="LAI", pattern="all.nc", **YEARS))
    with pytest.raises(RasterError, match=r"2 variables \(LAI, FAPAR\), and `variable` of soc.toml asks for NDVI"):
        scanned(folder, Band(name="LAI", pattern="all.nc", variable="NDVI", **YEARS))
    write_netcdf(folder / "one.nc", "LAI")
    with pytest.raises(RasterError, match=r"holds one raster, LAI, and `variable` of soc.toml asks for NDVI"):
        scanned(folder, Band(name="LAI", pattern="one.nc", variable="NDVI", **YEARS))


def test_pages_of_a_tiff(folder):
    for number in (1, 2):
        page = write_raster(folder / f"page{number}.tif", np.full((HEIGHT, WIDTH), number, "u1"), nodata=0)
        rasterio.shutil.copy(
            page, folder / "pages.tif", driver="GTiff", APPEND_SUBDATASET="NO" if number == 1 else "YES"
        )
    with pytest.raises(RasterError, match=r'pages\.tif holds 2 pages.*first, \(1, 2\).*variable = "1"'):
        scanned(folder, Band(name="P", kind="static", pattern="pages.tif"))
    _, catalog = scanned(folder, Band(name="P", kind="static", pattern="pages.tif", variable=2))
    assert catalog.frame["mean"].iloc[1] == 2


def test_steps_as_numbers_and_ranges():
    assert Band(name="A", layers=[2000, "2001", "2003-2005"]).layers == ("2000", "2001", "2003", "2004", "2005")
    assert Band(name="A", layers="2000-2002").layers == ("2000", "2001", "2002")
    with pytest.raises(ValueError, match="ends before it starts: write 2000-2016"):
        Band(name="A", layers=["2016-2000"])
    assert Band(name="A", layers=["2000_winter"]).layers == ("2000_winter",)
    assert ELEVATION.layers == ()
