import numpy as np
import pytest
from rasterio.transform import from_origin

from soc_assets.ingest.catalog.dates import step_of_text
from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.settings import Band, Rasters
from soc_assets_tests.ingest.conftest import write_raster

ELEVATION = Band(name="Elevation", kind="static")
ONES = np.ones((4, 4), "float32")


@pytest.mark.parametrize(
    ("text", "kind", "step"),
    [
        ("2007", "yearly", (2007, None)),
        ("LAI 2007 Winter", "seasonal", (2007, "winter")),
        ("NDVI_2007-12-15", "seasonal", (2008, "winter")),
        ("20070630", "yearly", (2007, None)),
        ("2007-01-01_2007-12-31", "yearly", (2007, None)),
    ],
)
def test_description_of_a_band_names_its_step(text, kind, step):
    assert step_of_text(text, kind) == step


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("created 20190101, LAI 2012", {}),
        ("2011-07-01_2012-06-30", {}),
        ("2011", {"year": 2012}),
        ("2011-12-15", {"year": 2012}),
        ("spring", {"year": 2012, "season": "winter"}),
    ],
)
def test_description_that_contradicts_itself_or_the_name_of_the_file_is_refused(text, known):
    with pytest.raises(ValueError, match="names"):
        step_of_text(text, "seasonal" if "season" in known else "yearly", **known)


def test_tiles_of_a_band_whose_name_begins_with_another_ones_are_not_its_tiles(tmp_path):
    write_raster(tmp_path / "static/Elevation.tif", ONES)
    for name, value in (("LST", 1), ("LST_night", 2)):
        for tile, west in (("N48", 11.0), ("N49", 11.04)):
            place = from_origin(west, 49.0, 0.01, 0.01)
            write_raster(tmp_path / f"{name}_{tile}_2012.tif", ONES * value, transform=place)
    pattern = "{band}_{tile}_{year}.tif"
    bands = (ELEVATION, Band(name="LST", pattern=pattern), Band(name="LST_night", pattern=pattern))
    frame = scan_rasters(Rasters(bands=bands), tmp_path).frame
    for name, value in (("LST", 1), ("LST_night", 2)):
        rows = frame[frame["band"] == name]
        assert rows["tile"].tolist() == ["N48", "N49"]
        assert rows["mean"].tolist() == [value, value]


def test_scale_written_beside_a_raster_is_noticed_but_not_statistics(tmp_path):
    path = write_raster(tmp_path / "static/Elevation.tif", ONES)
    beside = path.with_name("Elevation.tif.aux.xml")
    rasters, band = Rasters(bands=(ELEVATION,)), '<PAMDataset><PAMRasterBand band="1">{}</PAMRasterBand></PAMDataset>'

    def scan(previous=None):
        return scan_rasters(rasters, tmp_path, previous).frame

    beside.write_text(band.format("<UnitType>m</UnitType>"))
    first = scan()
    beside.write_text(band.format('<Metadata><MDI key="STATISTICS_MEAN">1</MDI></Metadata>'))
    with_statistics = scan(first)
    beside.write_text(band.format("<Scale>0.5</Scale>"))
    scaled = scan(with_statistics)
    assert first["digest"].item() == with_statistics["digest"].item() != scaled["digest"].item()
    assert (first["mean"].item(), scaled["mean"].item()) == (1.0, 0.5)
