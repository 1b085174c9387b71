"""What NetCDF files say by the CF conventions: missing values, flags, the time axis, uneven and exchanged axes."""

import numpy as np
import pytest
import rasterio
from scipy.io import netcdf_file

from soc_assets.errors import RasterError
from soc_assets.rasters.cf import dates, require_even_axes
from soc_assets.rasters.steps import Step
from soc_assets.settings import Band
from soc_assets_tests.embedding.rasters import scanned, window
from soc_assets_tests.ingest.conftest import write_raster

HEIGHT, WIDTH = 16, 24
LATITUDES, LONGITUDES = 48.155 - 0.01 * np.arange(HEIGHT), 11.005 + 0.01 * np.arange(WIDTH)
VALUES = np.random.default_rng(0).uniform(10, 20, (2, HEIGHT, WIDTH)).astype("f4")
LAYERS = Band(name="LAI", pattern="LAI.nc", layers=("2012", "2013"))


def write(path, values=VALUES, *, axes=("time", "lat", "lon"), units="days since 2012-01-01", **said):
    """LAI [time, axes] with attributes; latitudes from north to south unless `lat` or `lon` say otherwise."""
    times, calendar = said.pop("times", (182, 548)), said.pop("calendar", "standard")
    coordinates = {"time": times, "lat": said.pop("lat", LATITUDES), "lon": said.pop("lon", LONGITUDES)}
    unit = {"time": units, "lat": "degrees_north", "lon": "degrees_east"}
    with netcdf_file(path, "w") as out:
        for name, places in coordinates.items():
            out.createDimension(name, len(places))
            kind = "f4" if name != "time" and places.dtype == np.float32 else "f8"
            axis = out.createVariable(name, kind, (name,))
            axis[:], axis.units = places, unit[name].encode()
            if name == "time":
                axis.calendar = calendar.encode()
        variable = out.createVariable("LAI", values.dtype.str[1:], axes)
        variable[:] = values
        for name, value in said.items():
            setattr(variable, name, value)
    return path


@pytest.fixture
def folder(tmp_path):
    place = rasterio.Affine(0.01, 0, 11, 0, -0.01, 48.16)
    write_raster(tmp_path / "static/Elevation.tif", np.arange(384, dtype="f4").reshape(HEIGHT, WIDTH), transform=place)
    return tmp_path


def values_of(folder, step, band=LAYERS):
    raster_index, _ = scanned(folder, band)
    return window(raster_index, "LAI", step)[:HEIGHT, :WIDTH]


def test_missing_value_beside_another_fill_value_is_no_value(folder):
    stored = VALUES.copy()
    stored[:, 0], stored[:, 1] = -999, -888
    write(folder / "LAI.nc", stored, _FillValue=np.float32(-999), missing_value=np.float32(-888))
    raster_index, catalog = scanned(folder, LAYERS)
    row = catalog.frame[catalog.frame["year"] == 2013].iloc[0]
    assert row["mean"] == pytest.approx(VALUES[1, 2:].mean(), rel=1e-6)
    assert row["valid_count"] == (HEIGHT - 2) * WIDTH
    seen = window(raster_index, "LAI", Step(2013))[:HEIGHT, :WIDTH]
    np.testing.assert_allclose(seen[2:], VALUES[1, 2:], rtol=1e-6)


def test_a_missing_value_of_unsigned_numbers_is_written_as_signed(folder):
    stored = np.round(VALUES).astype("u1")
    stored[:, 0], stored[:, 1] = 255, 254
    said = {"_Unsigned": b"true", "_FillValue": np.int8(-1), "missing_value": np.int8(-2)}
    write(folder / "LAI.nc", stored.view("i1"), **said)
    _, catalog = scanned(folder, LAYERS)
    assert catalog.frame.loc[catalog.frame["band"] == "LAI", "max"].max() <= 20


def test_flags_with_meanings_are_classes(folder):
    codes = np.round(VALUES).astype("i1")
    write(folder / "LAI.nc", codes, flag_values=np.arange(10, 21, dtype="i1"), flag_meanings=b"a b c d e f g h i j k")
    with pytest.raises(RasterError, match=r"is a class raster.*flags with meanings"):
        scanned(folder, LAYERS)
    codes_wanted = LAYERS.model_copy(update={"resampling": "mode"})
    np.testing.assert_array_equal(values_of(folder, Step(2013), codes_wanted), codes[1])


@pytest.mark.parametrize(
    ("units", "calendar", "times", "expected"),
    [
        ("days since 2012-01-01", "standard", (59, 60), ["2012-02-29", "2012-03-01"]),
        ("hours since 1900-01-01 00:00:0.0", "gregorian", (24, 8760), ["1900-01-02", "1901-01-01"]),
        ("seconds since 1970-01-01", "proleptic_gregorian", (0, 86399), ["1970-01-01", "1970-01-01"]),
        ("days since 2012-01-01", "noleap", (59, 365), ["2012-03-01", "2013-01-01"]),
        ("days since 2012-02-01", "360_day", (0, 330), ["2012-02-01", "2013-01-01"]),
        ("months since 2012-11-15", "standard", (0, 2), ["2012-11-15", "2013-01-15"]),
        ("years since 2000-07-01", "standard", (12, 13.5), ["2012-07-01", "2014-01-01"]),
        ("days since 2012-01-01", "julian", (0, 1), []),
        ("level", "standard", (0, 1), []),
    ],
)
def test_the_time_axis_says_the_day_of_each_band(tmp_path, units, calendar, times, expected):
    path = write(tmp_path / "LAI.nc", units=units, calendar=calendar, times=times)
    with rasterio.open(path) as dataset:
        assert dates(dataset) == expected


def test_steps_without_layers_are_those_of_the_time_axis(folder):
    write(folder / "LAI.nc")
    np.testing.assert_allclose(values_of(folder, Step(2013), Band(name="LAI", pattern="LAI.nc")), VALUES[1], rtol=1e-6)
    write(folder / "LAI.nc", times=(0, 31))
    with pytest.raises(RasterError, match="same step: 2012-01-01, 2012-02-01"):
        scanned(folder, Band(name="LAI", pattern="LAI.nc"))


@pytest.mark.parametrize(
    ("axis", "places", "off"),
    [
        ("lat", 48.005 + np.cumsum(np.linspace(0.016, 0.004, HEIGHT))[::-1], "0.004 to 0.0152"),
        ("lon", LONGITUDES + 0.01 * (np.arange(WIDTH) > 8), "0.01 to 0.02"),
    ],
)
def test_uneven_axes_are_refused(folder, axis, places, off):
    write(folder / "LAI.nc", **{axis: places})
    with pytest.raises(RasterError, match=f"uneven steps along {axis} \\({off} degrees\\).*d.interp\\({axis}="):
        scanned(folder, LAYERS)


def test_axes_in_the_wrong_order_are_refused(folder):
    write(folder / "LAI.nc", VALUES.transpose(0, 2, 1), axes=("time", "lon", "lat"))
    with pytest.raises(RasterError, match=r'lies on its side.*transpose\(\.\.\., "lat", "lon"\)'):
        scanned(folder, LAYERS)


@pytest.mark.parametrize(("rounded", "turn"), [("f4", 0), ("f8", 0), ("f8", 360)])
@pytest.mark.parametrize("way", [1, -1])
def test_even_axes_are_used_whichever_way_they_run(folder, turn, rounded, way):
    lat, lon = LATITUDES.astype(rounded)[::way], (LONGITUDES + turn).astype(rounded)
    path = write(folder / "LAI.nc", VALUES[:, ::way], lat=lat, lon=lon)
    with rasterio.open(path) as dataset:
        require_even_axes(dataset, str(path))
    np.testing.assert_allclose(values_of(folder, Step(2012)), VALUES[0], atol=0.05)
