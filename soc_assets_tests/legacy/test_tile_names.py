"""What the folders and names of tiles stand for, where their rasters go, and what is no tile."""

from pathlib import Path

import pytest

from soc_assets.errors import RasterError
from soc_assets.legacy.tile_names import find_tiles, parse_tile
from soc_assets.settings import Band, Rasters
from soc_assets.storage.files import write_text
from soc_assets_tests.legacy.legacy_world import imported, reasons, write_tile


@pytest.mark.parametrize(
    "name",
    [
        *(
            "ID1N49.0S48.0W11.0.npy",
            "IDxN49S48W11E12.npy",
            "tile.npy",
            "ID1N49.0S48.0W11.0E12.0.tif",
            "coordinates.npy",
        ),
        *("ID1N48S49W11E12.npy", "ID1N49S48W12E11.npy", "ID1N49S48W179E181.npy", "ID1N91S89W11E12.npy"),
    ],
)
def test_name_without_a_possible_place_is_set_aside(static, tmp_path, name):
    write_tile(static, 0, 11.0, 49.0)
    (static / name).write_bytes(b"")
    assert list(reasons(imported(tmp_path))) == [name]


def test_extent_is_read_from_names_as_they_are_written():
    names = ["ID12N49.123456S48.9W11.0E11.25.npy", "LAI_ID12N49_123456S48_9W11_0E11_25.npy", "ID12N1S-2W-3.5E0.npy"]
    found = [parse_tile(Path(name)) for name in names]
    assert [tile.number for tile in found] == [12, 12, 12]
    edges = [(tile.north, tile.south, tile.west, tile.east) for tile in found]
    assert edges == [(49.123456, 48.9, 11.0, 11.25)] * 2 + [(1, -2, -3.5, 0)]


def test_steps_are_named_by_their_folders_and_land_where_the_patterns_look(tmp_path):
    tiles = tmp_path / "tiles/RasterTensorData"
    folders = ["StaticValue/Slope", "YearlyValue/LAI/2012", "SeasonalValue/NDVI/2012_winter"]
    folders += ["SeasonalValue/NDVI/Spring_2012", "SeasonalValue/NDVI/2012-summer"]
    for folder in folders:
        write_tile(tiles / folder, 1, 11.0, 49.0)
    for folder in ("YearlyValue/LAI/12", "SeasonalValue/NDVI/2012-1", "SeasonalValue/NDVI/winter_2012"):
        write_tile(tiles / folder, 1, 11.0, 49.0)
    bands = (Band(name="Elevation", kind="static"), Band(name="NDVI", kind="seasonal", pattern="{season}/{year}.tif"))
    rasters = Rasters(bands=bands, yearly_pattern="{band}-{year}.tiff")
    outcome = imported(tmp_path, rasters)
    written = sorted(path.relative_to(tmp_path / "rasters").as_posix() for path in tmp_path.glob("rasters/**/*.tif*"))
    assert written == ["LAI-2012.tiff", "spring/2012.tif", "static/Slope.tif", "summer/2012.tif", "winter/2012.tif"]
    assert set(reasons(outcome)) == {"12", "2012-1", "winter_2012"}
    assert "2012_winter" in reasons(outcome)["winter_2012"]


def test_files_outside_the_layout_are_told(tmp_path, static):
    write_tile(static, 1, 11.0, 49.0)
    yearly = tmp_path / "tiles/YearlyValue"
    write_text(yearly / "bounds_array_LAI.npy", "")
    write_text(yearly / "LAI/notes.txt", "")
    write_text(static / "old/tile.npy", "")
    write_text(static / ".DS_Store", "")
    assert set(reasons(imported(tmp_path))) == {"bounds_array_LAI.npy", "notes.txt", "old"}


@pytest.mark.parametrize("pattern", ["static/one.tif", "/tmp/{band}.tif", "{band}*.tif", "{band}.vrt"])
def test_pattern_that_names_no_file_of_the_band_is_refused(tmp_path, pattern):
    for band in ("Aspect", "Slope"):
        write_tile(tmp_path / "tiles/StaticValue" / band, 1, 11.0, 49.0)
    outcome = imported(tmp_path, Rasters(static_pattern=pattern))
    assert "pattern" in outcome.aside[-1].reason
    assert "Slope" in outcome.aside[-1].reason


def test_wrong_or_empty_folder_is_an_error_that_names_the_layout(tmp_path):
    with pytest.raises(RasterError, match="does not exist"):
        find_tiles(tmp_path / "none")
    (tmp_path / "Coordinates1Mil").mkdir()
    with pytest.raises(RasterError, match=r"StaticValue, YearlyValue, SeasonalValue \(found Coordinates1Mil\)"):
        find_tiles(tmp_path)
    write_text(tmp_path / "StaticValue/Elevation/tile.npy", "")
    with pytest.raises(RasterError, match=r"holds no tile\. Expected files \*ID<n>N<lat>.*tile\.npy: The name does"):
        find_tiles(tmp_path)
