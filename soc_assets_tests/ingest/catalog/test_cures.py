"""What a refusal advises is done, word for word, and the raster can be used: `rio` is there wherever rasterio is."""

import re
import shlex

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.rio.main import main_group
from rasterio.transform import Affine, from_origin

from soc_assets.errors import RasterError
from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.rasters.identity import stamp
from soc_assets.settings import Band, Rasters
from soc_assets_tests.embedding.rasters import write_layers
from soc_assets_tests.ingest.conftest import write_raster

VALUES = np.random.default_rng(0).normal(500, 100, (20, 30)).astype("float32")
BESSEL = "+proj=tmerc +lat_0=0 +lon_0=12 +k=1 +x_0=4500000 +y_0=0 +ellps=bessel +units=m +no_defs"
SHIFTED = BESSEL + " +towgs84=598.1,73.7,418.2,0.202,0.045,-2.455,6.7"


def scanned(folder, file="A.tif", **band):
    band = {"name": "A", "kind": "static", "pattern": file} | band
    elevation = folder / "Elevation.tif"
    if not elevation.exists():
        write_raster(elevation, VALUES)
    bands = (Band(name="Elevation", kind="static"), Band(**band))
    return scan_rasters(Rasters(static_pattern="{band}.tif", bands=bands), folder).frame.iloc[1:]


def refusal(folder, **band) -> str:
    with pytest.raises(RasterError) as raised:
        scanned(folder, **band)
    return str(raised.value)


def follow(message: str, folder, monkeypatch, **instead: str) -> None:
    """Run each `rio` command of a message in the folder of the file, placeholders filled in."""
    monkeypatch.chdir(folder)
    commands = re.findall(r"rio ([a-z]+(?:-[a-z]+)? .*?\.tif(?: \w+\.tif)?)(?=[,;\s]|$)", message)
    assert commands, message
    for command in commands:
        for word, value in instead.items():
            command = command.replace(word.replace("_", " "), value)
        result = CliRunner().invoke(main_group, shlex.split(command))
        assert result.exit_code == 0, (command, result.output)


def test_a_geotiff_without_a_crs(tmp_path, monkeypatch):
    write_raster(tmp_path / "A.tif", VALUES, crs=None)
    follow(refusal(tmp_path).replace("EPSG:n", "EPSG:4326"), tmp_path, monkeypatch)
    assert scanned(tmp_path)["crs"].tolist() == ["EPSG:4326"]


def test_a_format_that_cannot_be_changed_in_place(tmp_path, monkeypatch):
    rows = "\n".join(" ".join(map(str, row)) for row in VALUES)
    header = "ncols 30\nnrows 20\nxllcorner 11\nyllcorner 48\ncellsize 0.01\n"
    (tmp_path / "A.asc").write_text(header + rows, encoding="utf-8")
    follow(refusal(tmp_path, file="A.asc").replace("EPSG:n", "EPSG:4326"), tmp_path, monkeypatch)
    assert scanned(tmp_path, "with_crs.tif")["mean"].item() == pytest.approx(VALUES.mean(), rel=1e-5)


def test_control_points(tmp_path, monkeypatch):
    path = write_raster(tmp_path / "A.tif", VALUES, transform=Affine.identity(), crs=None)
    with rasterio.open(path, "r+") as dataset:
        corners = ((0, 0, 11, 49), (0, 30, 12, 49), (20, 0, 11, 48), (20, 30, 12, 48))
        dataset.gcps = [GroundControlPoint(*corner) for corner in corners], rasterio.CRS.from_epsg(4326)
    follow(refusal(tmp_path).replace("EPSG:n", "EPSG:4326"), tmp_path, monkeypatch)
    assert scanned(tmp_path, "rectified.tif")["bounds"].item() == pytest.approx([11, 48, 12, 49], abs=0.1)


def test_no_georeferencing(tmp_path, monkeypatch):
    write_raster(tmp_path / "A.tif", VALUES, transform=Affine.identity())
    message = refusal(tmp_path).replace("[width, 0, left, 0, -height, top]", "[0.1, 0, 11, 0, -0.1, 49]")
    follow(message, tmp_path, monkeypatch)
    assert scanned(tmp_path)["bounds"].item() == pytest.approx([11, 47, 14, 49])


@pytest.mark.parametrize("suffix", ["tfw", "TFW", "wld"])
def test_a_world_file_without_a_crs_and_its_change_is_noticed(tmp_path, monkeypatch, suffix):
    with rasterio.open(tmp_path / "A.tif", "w", driver="GTiff", count=1, dtype="float32", height=20, width=30) as out:
        out.write(VALUES, 1)
    world = tmp_path / f"A.{suffix}"
    world.write_text("0.1\n0\n0\n-0.1\n11.05\n48.95\n")
    follow(refusal(tmp_path).replace("EPSG:n", "EPSG:4326"), tmp_path, monkeypatch)
    row, before = scanned(tmp_path), stamp(tmp_path / "A.tif")["stamp"]
    assert row["bounds"].item() == pytest.approx([11, 47, 14, 49])
    world.write_text("0.1\n0\n0\n-0.1\n12.05\n48.95\n")
    assert stamp(tmp_path / "A.tif")["stamp"] != before


def test_longitudes_from_0_to_360(tmp_path, monkeypatch):
    write_raster(tmp_path / "A.tif", VALUES, transform=from_origin(0, 80, 12, 8))
    message = refusal(tmp_path).replace("left bottom right top", "240 0 300 48")
    message = message.replace("[width, 0, left - 360, 0, -height, top]", "[12, 0, -120, 0, -8, 48]")
    follow(message, tmp_path, monkeypatch)
    row = scanned(tmp_path, "region.tif")
    assert row["bounds"].item() == pytest.approx([-120, 0, -60, 48])
    assert row["mean"].item() == pytest.approx(VALUES[4:10, 20:25].mean(), rel=1e-5)


def test_a_region_on_both_sides_of_greenwich_is_cut_out_in_two_parts(tmp_path, monkeypatch):
    write_raster(tmp_path / "A.tif", VALUES, transform=from_origin(0, 80, 12, 8))
    message = refusal(tmp_path)
    assert "put {tile} into the pattern" in message
    for bounds, place, name in (("324 0 360 48", "[12, 0, -36, 0, -8, 48]", "west"), ("0 0 36 48", "", "east")):
        command = message.replace("left bottom right top", bounds).replace("region.tif", f"part_{name}.tif")
        command = command.replace("[width, 0, left - 360, 0, -height, top]", place)
        follow(command if place else command.partition(";")[0], tmp_path, monkeypatch)
    rows = scanned(tmp_path, "part_{tile}.tif")
    assert rows["bounds"].tolist() == [pytest.approx([0, 0, 36, 48]), pytest.approx([-36, 0, 0, 48])]
    assert rows["mean"].tolist() == pytest.approx([VALUES[4:10, :3].mean(), VALUES[4:10, 27:].mean()], rel=1e-5)


def test_several_bands(tmp_path, monkeypatch):
    write_layers(tmp_path / "A.tif", [VALUES, VALUES + 1])
    follow(refusal(tmp_path), tmp_path, monkeypatch)
    assert scanned(tmp_path, "one_band.tif")["mean"].item() == pytest.approx(VALUES.mean(), rel=1e-5)


def test_complex_numbers(tmp_path, monkeypatch):
    write_raster(tmp_path / "A.tif", (VALUES * (3 + 4j)).astype("complex64"))
    follow(refusal(tmp_path), tmp_path, monkeypatch)
    assert scanned(tmp_path, "amplitude.tif")["mean"].item() == pytest.approx(5 * np.abs(VALUES).mean(), rel=1e-5)


def test_an_ellipsoid_without_a_datum(tmp_path, monkeypatch):
    place = {"crs": BESSEL, "transform": from_origin(4_468_000, 5_330_000, 250, 250)}
    write_raster(tmp_path / "A.tif", VALUES, **place)
    message = refusal(tmp_path)
    assert "on the ellipsoid Bessel 1841 without a known datum" in message
    follow(message.replace("EPSG:n", "EPSG:31468"), tmp_path, monkeypatch)
    assert scanned(tmp_path)["crs"].tolist() == ["EPSG:31468"]


@pytest.mark.parametrize(
    "crs",
    [
        "+proj=sinu +R=6371007.181 +units=m",
        "+proj=utm +zone=32 +ellps=GRS80",
        "+proj=utm +zone=32 +ellps=WGS84",
        "EPSG:31468",
        SHIFTED,
    ],
    ids=["sphere of MODIS", "GRS80", "WGS84", "a datum", "a datum shift"],
)
def test_a_sphere_a_modern_ellipsoid_or_a_datum_is_meant_as_it_is(tmp_path, crs):
    write_raster(tmp_path / "A.tif", VALUES, crs=crs, transform=from_origin(4_468_000, 5_330_000, 250, 250))
    assert len(scanned(tmp_path)) == 1


@pytest.mark.parametrize("settings", [{"layers": [2011, 2012, 2013, 2014]}, {}], ids=["layers", "descriptions"])
def test_the_fourth_band_of_8_bit_numbers_is_a_step_that_gdal_calls_alpha(tmp_path, monkeypatch, settings):
    steps = [np.full((20, 30), n, np.uint8) for n in range(4)]
    place = {"crs": "EPSG:4326", "transform": from_origin(11, 49, 0.01, 0.01), "nodata": None}
    path = write_layers(tmp_path / "A.tif", steps, ["2011", "2012", "2013", "2014"], **place)
    with rasterio.open(path) as dataset:
        assert dataset.colorinterp[3] == ColorInterp.alpha
    message = refusal(tmp_path, kind="yearly", **settings)
    assert "Band 4" in message
    follow(message, tmp_path, monkeypatch)
    found = scanned(tmp_path, kind="yearly", **settings)
    assert found["year"].tolist() == [2011, 2012, 2013, 2014]
    assert found["mean"].tolist() == [0, 1, 2, 3]
