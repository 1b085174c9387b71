"""Files with several bands, and files that would be misread and are refused with the cure."""

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.transform import Affine, from_origin

from soc_assets.errors import RasterError
from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.ingest.quality.layer_names import layers_told_otherwise
from soc_assets.rasters.opening import open_raster
from soc_assets.rasters.steps import Step
from soc_assets.settings import Band, Rasters
from soc_assets.storage import raster_location
from soc_assets_tests.embedding.rasters import ELEVATION, scanned, window, write_layers, write_reference
from soc_assets_tests.ingest.conftest import write_raster as write_degrees


def layers(*values):
    return [np.full((64, 64), value, np.int16) for value in values]


@pytest.fixture
def folder(tmp_path):
    write_reference(tmp_path)
    return tmp_path


def values_of(raster_index, band, *steps):
    return [float(np.unique(window(raster_index, band, step)).item()) for step in steps]


def test_bands_of_a_file_are_the_steps_that_its_descriptions_say(folder):
    write_layers(folder / "LAI.tif", layers(9, 7, 8), ["LAI of 2009", "LAI of 2007", "LAI of 2008"])
    raster_index, catalog = scanned(folder, Band(name="LAI", pattern="{band}.tif"))
    assert values_of(raster_index, "LAI", Step(2007), Step(2008), Step(2009)) == [7, 8, 9]
    rows = catalog.frame[catalog.frame["band"] == "LAI"]
    assert rows[["year", "layer", "mean"]].values.tolist() == [[2007, 2, 7.0], [2008, 3, 8.0], [2009, 1, 9.0]]


def test_layers_of_the_settings_win_over_descriptions(folder):
    write_layers(folder / "LAI.tif", layers(1, 2), ["2001", "2002"])
    raster_index, _ = scanned(folder, Band(name="LAI", pattern="{band}.tif", layers=("2011", "2010")))
    assert values_of(raster_index, "LAI", Step(2010), Step(2011)) == [2, 1]


def test_layers_that_contradict_the_file_are_a_finding_for_each_step(folder):
    write_layers(folder / "LAI.tif", layers(1, 2, 3), ["2000", "LAI 2001", "quality"])
    write_layers(folder / "NPP.tif", layers(1, 2), ["2000", "2001"])
    bands = (
        Band(name="LAI", pattern="{band}.tif", layers=(2001, 2000, 2002)),
        Band(name="NPP", pattern="{band}.tif", layers=("2000-2001",)),
    )
    _, catalog = scanned(folder, *bands)
    found = layers_told_otherwise(catalog.frame.to_dict("records"))
    assert [(item.check, item.severity, item.band, item.step) for item in found] == [
        ("files", "warning", "LAI", "2000"),
        ("files", "warning", "LAI", "2001"),
    ]
    assert "band 2 of the file is called 'LAI 2001'" in found[0].found and found[0].key == "files:LAI_2000"


def test_seasons_are_bands_of_a_file_a_year(folder):
    for year in (2010, 2011):
        write_layers(folder / f"N_{year}.tif", layers(year % 100 * 10 + 1, year % 100 * 10 + 2))
    band = Band(name="N", kind="seasonal", pattern="{band}_{year}.tif", layers=("winter", "summer"))
    raster_index, _ = scanned(folder, band)
    steps = [Step(year, season) for year in (2010, 2011) for season in ("winter", "summer")]
    assert values_of(raster_index, "N", *steps) == [101, 102, 111, 112]


def test_year_and_season_of_one_file(folder):
    write_layers(folder / "N.tif", layers(1, 2), ["2007_winter", "2007_Autumn"])
    raster_index, _ = scanned(folder, Band(name="N", kind="seasonal", pattern="{band}.tif"))
    assert values_of(raster_index, "N", Step(2007, "winter"), Step(2007, "autumn")) == [1, 2]


def test_two_static_bands_of_one_file(folder):
    write_layers(folder / "terrain.tif", layers(5, 6, 7))
    bands = [Band(name=name, kind="static", pattern="terrain.tif", layer=n) for name, n in (("Slope", 3), ("TWI", 2))]
    raster_index, _ = scanned(folder, *bands)
    assert values_of(raster_index, "Slope", Step()) + values_of(raster_index, "TWI", Step()) == [7, 6]


def test_other_layer_of_the_same_file_is_another_digest_and_read_again(folder):
    write_layers(folder / "terrain.tif", layers(5, 6, 7))
    found = []
    previous = None
    for layer in (2, 3):
        rasters = Rasters(bands=(ELEVATION, Band(name="Slope", kind="static", pattern="terrain.tif", layer=layer)))
        catalog = scan_rasters(rasters, folder, previous)
        previous = catalog.frame
        raster_index, _ = scanned(folder, rasters.bands[1])
        digest = raster_index.mosaics["Slope", Step()].digest_of(np.array([0]), np.array([0]), 16)
        found.append((catalog.frame["mean"].iloc[1], digest))
    assert [mean for mean, _ in found] == [6, 7]
    assert found[0][1] != found[1][1]


def test_bytes_of_a_file_are_hashed_once_however_many_bands_take_from_it(folder, monkeypatch):
    path = write_layers(folder / "terrain.tif", layers(5, 6, 7))
    hashed = []
    original = raster_location.digest_of
    monkeypatch.setattr(raster_location, "digest_of", lambda location: hashed.append(location) or original(location))
    bands = [Band(name=f"T{n}", kind="static", pattern="terrain.tif", layer=n) for n in (1, 2, 3)]
    rasters = Rasters(bands=(ELEVATION, *bands))
    first = scan_rasters(rasters, folder)
    assert hashed.count(str(path)) == 1
    assert scan_rasters(rasters, folder, first.frame).read == 0
    assert len(hashed) == 2


def refusal(folder, **band):
    with pytest.raises(RasterError) as error:
        scanned(folder, Band.model_validate({"name": "B", "pattern": "{band}.tif", **band}))
    return str(error.value)


def test_descriptions_without_a_year_name_file_descriptions_and_cure(folder):
    write_layers(folder / "B.tif", layers(1, 2), ["2007", "mean"])
    message = refusal(folder)
    for part in ("band 2 of the raster", "B.tif", "'2007', 'mean'", "names no year", "layers = ['2007', '2008']"):
        assert part in message


def test_wrong_number_of_layers_names_file_descriptions_and_cure(folder):
    write_layers(folder / "B.tif", layers(1, 2), ["first", "second"])
    message = refusal(folder, layers=("2007", "2008", "2009"))
    for part in ("B.tif holds 2 bands (called 'first', 'second')", "names 3: 2007, 2008, 2009", "layers ="):
        assert part in message


def test_two_bands_of_one_step_are_refused(folder):
    write_layers(folder / "B.tif", layers(1, 2), ["2007 a", "2007 b"])
    assert "are the same step" in refusal(folder)


def test_static_file_of_several_bands_asks_which(folder):
    write_layers(folder / "B.tif", layers(1, 2), ["slope", "aspect"])
    message = refusal(folder, kind="static")
    assert "holds 2 bands where one is expected (they are called 'slope', 'aspect')" in message
    assert "layer = 1" in message
    assert "asks for another" in refusal(folder, kind="static", layer=3)


def test_complex_numbers_are_refused(folder):
    write_layers(folder / "B.tif", [np.ones((64, 64), np.complex64)], nodata=None)
    assert "holds complex numbers (complex64)" in refusal(folder, kind="static")


def coloured(folder):
    path = write_layers(folder / "B.tif", [np.full((64, 64), 2, np.uint8)], nodata=0)
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {1: (255, 0, 0, 255), 2: (0, 255, 0, 255)})
    return path


def categorised(folder):
    path = write_layers(folder / "B.tif", [np.full((64, 64), 2, np.uint8)], nodata=0)
    names = "<CategoryNames><Category>none</Category><Category>forest</Category></CategoryNames>"
    text = f'<PAMDataset><PAMRasterBand band="1">{names}</PAMRasterBand></PAMDataset>'
    path.with_name("B.tif.aux.xml").write_text(text)
    return path


@pytest.mark.parametrize("write", [coloured, categorised])
def test_class_raster_is_refused_unless_its_codes_are_wanted(folder, write):
    write(folder)
    message = refusal(folder, kind="static")
    assert "B.tif is a class raster" in message
    assert "classes = [1, 2, 5]" in message
    for resampling in ("mode", "nearest"):
        raster_index, _ = scanned(folder, Band(name="B", kind="static", pattern="{band}.tif", resampling=resampling))
        assert values_of(raster_index, "B", Step()) == [2]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ({"crs": "EPSG:4326", "transform": from_origin(170, 10, 1, 1)}, "crosses the antimeridian .* 170 to 190"),
        ({"crs": "EPSG:4326", "transform": from_origin(-185, 10, 1, 1)}, "crosses the antimeridian"),
        ({"crs": "EPSG:4326", "transform": from_origin(0, 95, 1, 1)}, "reaches over a pole"),
        ({"crs": "EPSG:3413", "transform": from_origin(-50_000, 50_000, 5_000, 5_000)}, "contains a pole"),
        ({"crs": "EPSG:3832", "transform": from_origin(3_000_000, 0, 50_000, 50_000)}, "crosses the antimeridian"),
    ],
    ids=["east", "west", "latitude", "pole", "projected"],
)
def test_poles_and_the_antimeridian_are_refused(folder, place, expected):
    write_degrees(folder / "B.tif", np.ones((20, 20), np.float32), **place)
    with pytest.raises(RasterError, match=f"B.tif {expected}.*rio clip"):
        scanned(folder, Band(name="B", kind="static", pattern="{band}.tif"))


def test_raster_of_the_whole_earth_is_no_crossing(folder):
    write_degrees(
        folder / "B.tif", np.ones((90, 180), np.float32), crs="EPSG:4326", transform=from_origin(-180, 90, 2, 2)
    )
    _, catalog = scanned(folder, Band(name="B", kind="static", pattern="{band}.tif"))
    assert len(catalog.frame) == 2


def test_control_points_are_refused(tmp_path):
    path = write_degrees(tmp_path / "scan.tif", np.ones((9, 9), "uint8"), transform=Affine.identity(), crs=None)
    with rasterio.open(path, "r+") as dataset:
        points = [GroundControlPoint(r, c, 11 + c / 9, 49 - r / 9) for r, c in ((0, 0), (0, 9), (9, 0), (9, 9))]
        dataset.gcps = (points, rasterio.CRS.from_epsg(4326))
    with pytest.raises(RasterError, match=r"scan\.tif is placed by 4 control points.*rio warp"), open_raster(path):
        pass
