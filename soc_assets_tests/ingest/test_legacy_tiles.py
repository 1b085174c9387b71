"""Importing the original project's tiles: pixels encode where they are, so a shifted or flipped tile shows."""

import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio

from soc_assets.errors import RasterError
from soc_assets.files import write_text
from soc_assets.ingest.legacy_names import find_tiles, parse_tile
from soc_assets.ingest.legacy_tiles import Imported, import_tiles
from soc_assets.settings import Band, Rasters
from soc_assets.tiles_report import remarks_of

STEP = 0.01  # degrees


def encoded(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """A number from which both coordinates can be read; exact to 1e-7 of a degree."""
    return 1000 * np.round(longitude, 7) + np.round(latitude, 7)


def tile_name(number: int, west: float, north: float, height: int, width: int, decimal: str = ".") -> str:
    edges = (north, north - height * STEP, west, west + width * STEP)
    n, s, w, e = (str(round(edge, 10)).replace(".", decimal) for edge in edges)
    return f"ID{number}N{n}S{s}W{w}E{e}.npy"


def values_at(west: float, north: float, height: int, width: int) -> np.ndarray:
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return encoded(west + columns * STEP, north - rows * STEP)


def write_tile(
    folder: Path,
    number: int,
    west: float,
    north: float,
    height: int = 10,
    width: int = 10,
    values: np.ndarray | None = None,
    decimal: str = ".",
) -> Path:
    """A tile whose pixels encode their own centres, unless `values` are given."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / tile_name(number, west, north, height, width, decimal)
    np.save(path, values_at(west, north, height, width) if values is None else values)
    return path


def assert_every_pixel_is_in_its_place(path: Path, holes: int = 0) -> None:
    with rasterio.open(path) as dataset:
        values, transform = dataset.read(1), dataset.transform
        assert dataset.crs.to_epsg() == 4326
        assert np.isnan(dataset.nodata)
    columns, rows = np.meshgrid(np.arange(values.shape[1]) + 0.5, np.arange(values.shape[0]) + 0.5)
    x, y = transform * (columns, rows)
    valid = ~np.isnan(values)
    assert (~valid).sum() == holes
    np.testing.assert_allclose(values[valid], encoded(x, y)[valid], rtol=0, atol=2e-4)  # 1e-7 degrees of longitude


def imported(root: Path, rasters: Rasters | None = None, **options) -> Imported:
    return import_tiles(root / "tiles", rasters or Rasters(), root / "rasters", **options)


def reasons(outcome: Imported) -> dict[str, str]:
    return {item.path.name: item.reason for item in outcome.aside}


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """The folder of the static band Elevation."""
    folder = tmp_path / "tiles/StaticValue/Elevation"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("west", [11.0, -3.5, -0.05])
@pytest.mark.parametrize("decimal", [".", "_"])
def test_every_pixel_lands_where_the_names_say(static, tmp_path, west, decimal):
    for number, (column, row) in enumerate([(1, 1), (0, 0), (1, 0), (0, 1)]):  # numbers in no order of place
        write_tile(static, number, west + column * 0.1, 49.0 - row * 0.1, decimal=decimal)
    outcome = imported(tmp_path)
    path = tmp_path / "rasters/static/Elevation.tif"
    assert_every_pixel_is_in_its_place(path)
    assert outcome.aside == []
    with rasterio.open(path) as dataset:
        assert dataset.shape == (20, 20)
        assert dataset.bounds == pytest.approx((west, 48.8, west + 0.2, 49.0))
        assert (dataset.compression.value, dataset.profile["tiled"]) == ("DEFLATE", True)
        assert str(static) in dataset.tags()["DESCRIPTION"]


def test_raster_larger_than_the_blocks_it_is_put_together_from(static, tmp_path):
    write_tile(static, 0, 10.0, 49.0, 700, 1100)
    write_tile(static, 1, 21.0, 49.0, 700, 1100)
    write_tile(static, 2, 10.0, 42.0, 700, 1100)
    assert imported(tmp_path).aside == []
    assert_every_pixel_is_in_its_place(tmp_path / "rasters/static/Elevation.tif", holes=700 * 1100)


def test_gap_between_tiles_and_what_is_not_finite_are_nodata(static, tmp_path):
    values = values_at(11.0, 49.0, 10, 10)
    values[2, 3], values[4, 5] = np.nan, np.inf
    write_tile(static, 1, 11.0, 49.0, values=values)
    write_tile(static, 2, 11.25, 49.0)
    [raster] = imported(tmp_path).rasters
    assert_every_pixel_is_in_its_place(raster.path, holes=15 * 10 + 2)
    assert raster.mosaic is not None
    assert raster.mosaic.valid == 198


def test_value_of_the_lowest_number_wins_and_differing_overlaps_are_told(static, tmp_path):
    first, second = np.full((10, 10), 1.0), np.full((10, 10), 2.0)
    first[0, 9] = np.nan
    second[1, 0] = 1.0
    write_tile(static, 10, 11.08, 49.0, values=second)  # name sorts before ID9
    write_tile(static, 9, 11.0, 49.0, values=first)
    outcome = imported(tmp_path)
    with rasterio.open(tmp_path / "rasters/static/Elevation.tif") as dataset:
        values = dataset.read(1)
    assert values.shape == (10, 18)
    assert values[0, 9] == 2.0
    values[0, 9] = 1.0
    assert (values[:, :10] == 1.0).all()
    assert (values[:, 10:] == 2.0).all()
    [remark] = remarks_of(outcome, tmp_path / "tiles").itertuples(index=False)
    assert remark.outcome == "overlap"
    assert remark.file.startswith("StaticValue/Elevation/ID10N")
    assert "in 18 of 19 shared pixels, by at most 1." in remark.reason


def test_overlap_of_equal_values_is_no_remark(static, tmp_path):
    write_tile(static, 1, 11.0, 49.0)
    write_tile(static, 2, 11.09, 49.0)  # as the original: one pixel in common
    outcome = imported(tmp_path)
    assert_every_pixel_is_in_its_place(outcome.rasters[0].path)
    assert remarks_of(outcome, tmp_path / "tiles").empty


@pytest.mark.parametrize(("east", "south"), [(0.003, 0.0), (0.0, 0.0002), (0.005, 0.0)])
def test_tile_between_the_pixels_of_the_others_is_set_aside_whatever_its_number(static, tmp_path, east, south):
    shifted = write_tile(static, 0, 11.1 + east, 49.0 - south)
    write_tile(static, 1, 11.0, 49.0)
    write_tile(static, 2, 11.2, 49.0)
    outcome = imported(tmp_path)
    assert_every_pixel_is_in_its_place(tmp_path / "rasters/static/Elevation.tif", holes=100)
    assert list(reasons(outcome)) == [shifted.name]
    assert "pixel grid that 2 of the step's tiles share" in reasons(outcome)[shifted.name]
    assert outcome.off_grid == 1


def test_tile_of_another_resolution_is_set_aside(static, tmp_path):
    for number in range(3):
        write_tile(static, number, 11.0 + number * 0.1, 49.0)
    finer = static / tile_name(3, 11.3, 49.0, 10, 10)
    np.save(finer, np.ones((20, 20)))
    outcome = imported(tmp_path)
    assert list(reasons(outcome)) == [finer.name]
    assert "its pixels are 0.005 degrees high, those of the others 0.01" in reasons(outcome)[finer.name]


def test_names_rounded_to_single_precision_are_one_grid(static, tmp_path):
    pixel, size = 1 / 544.335, 300
    for number in range(12):
        column, row = number % 4, number // 4
        edges = np.array([52.1028 - row * size * pixel, 0, 7.1864 + column * size * pixel, 0])
        edges[1], edges[3] = edges[0] - size * pixel, edges[2] + size * pixel
        n, s, w, e = edges.astype(np.float32).astype(float)
        np.save(static / f"ID{number}N{n}S{s}W{w}E{e}.npy", np.full((size, size), number, np.int16))
    outcome = imported(tmp_path)
    assert outcome.aside == []
    with rasterio.open(outcome.rasters[0].path) as dataset:
        values = dataset.read(1)
    np.testing.assert_array_equal(values[::size, ::size], np.arange(12).reshape(3, 4))


def test_names_rounded_to_four_decimals_are_placed_on_a_fitted_grid_when_the_user_says_so(static, tmp_path):
    norths, wests = (52.1028, 50.3062, 48.5095), (7.1864, 8.9831, 10.7797, 12.5763)  # neighbours share a pixel of 979
    for number in range(12):
        north, west = norths[number // 4], wests[number % 4]
        edges = ((north, "N"), (north - 1.7986, "S"), (west, "W"), (west + 1.7986, "E"))
        name = "".join(f"{letter}{edge:.15f}".replace(".", "_") for edge, letter in edges)
        np.save(static / f"ID{number}{name}.npy", np.full((979, 979), number, np.int16))
    strict = imported(tmp_path)
    assert strict.off_grid > 0
    assert strict.rasters[0].tiles + strict.off_grid == 12
    outcome = imported(tmp_path, overwrite=True, tolerance=0.1)
    assert (outcome.off_grid, outcome.rasters[0].tiles) == (0, 12)
    with rasterio.open(outcome.rasters[0].path) as dataset:
        assert dataset.shape == (3 * 978 + 1, 4 * 978 + 1)
        np.testing.assert_array_equal(dataset.read(1)[500::978, 500::978], np.arange(12).reshape(3, 4))


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("inside_npy", [True, False])
def test_pickle_is_refused_and_never_run(static, tmp_path, inside_npy):
    write_tile(static, 1, 11.0, 49.0)
    trap = tmp_path / "sprung"
    bad = static / tile_name(2, 11.1, 49.0, 10, 10)
    if inside_npy:
        np.save(bad, np.array([[Trap(trap)]], dtype=object), allow_pickle=True)
    else:
        bad.write_bytes(pickle.dumps(Trap(trap)))
    outcome = imported(tmp_path)
    assert not trap.exists()
    assert "Python objects (pickles) are never opened" in reasons(outcome)[bad.name]
    assert [raster.tiles for raster in outcome.rasters] == [1]
    np.load(bad, allow_pickle=True)
    assert trap.exists()  # the trap works


def test_arrays_that_are_no_tile_are_set_aside_with_what_they_are(static, tmp_path):
    write_tile(static, 0, 11.0, 49.0)
    spoilt = {
        1: (np.ones((3, 10, 10)), "[3, 10, 10]"),
        2: (np.ones(10), "[10]"),
        3: (np.ones((10, 10), complex), "complex128"),
        4: (np.full((10, 10), "a"), "<U1"),
        5: (np.ones((0, 10)), ""),
    }
    for number, (values, _) in spoilt.items():
        write_tile(static, number, 11.0 + number * 0.1, 49.0, values=values)
    cut = write_tile(static, 6, 11.6, 49.0)
    cut.write_bytes(cut.read_bytes()[:-8])
    archive = static / tile_name(7, 11.7, 49.0, 10, 10)
    with archive.open("wb") as file:
        np.savez(file, np.ones((10, 10)))
    found = {int(name[2]): reason for name, reason in reasons(imported(tmp_path)).items()}
    assert set(found) == set(range(1, 8))
    for number, (_, words) in spoilt.items():
        assert words in found[number]
    assert ".npz" in found[7]
    assert_every_pixel_is_in_its_place(tmp_path / "rasters/static/Elevation.tif")


@pytest.mark.parametrize(
    ("dtype", "written"),
    [
        *((dtype, "float32") for dtype in ("int16", "uint8", "float16", "bool", ">f4")),
        *((dtype, "float64") for dtype in ("int32", "float64")),
    ],
)
def test_any_real_type_keeps_its_values_with_a_leading_axis_too(static, tmp_path, dtype, written):
    values = np.arange(100).reshape(1, 10, 10).astype(dtype)
    write_tile(static, 1, 11.0, 49.0, values=values)
    [raster] = imported(tmp_path).rasters
    with rasterio.open(raster.path) as dataset:
        assert dataset.dtypes == (written,)
        np.testing.assert_array_equal(dataset.read(1), values[0])


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


def test_one_bad_step_does_not_stop_the_others(tmp_path):
    yearly = tmp_path / "tiles/YearlyValue"
    write_tile(yearly / "LAI/2011", 1, 11.0, 49.0, values=np.full((10, 10), np.nan))
    write_tile(yearly / "LAI/2012", 1, 11.0, 49.0)
    write_tile(yearly / "9LAI/2012", 1, 11.0, 49.0)
    write_tile(yearly / "LST/2012", 1, 11.0, 49.0, values=np.ones(3))
    outcome = imported(tmp_path)
    assert [raster.step.label for raster in outcome.rasters] == ["LAI 2012"]
    assert [path.name for path in tmp_path.glob("rasters/**/*") if path.is_file()] == ["LAI_2012.tif"]
    told = " ".join(item.reason for item in outcome.aside)
    for words in ("LAI 2011: No tile has a valid value", "'9LAI'", "LST 2012: No tile of it can be used", "[3]"):
        assert words in told


@pytest.mark.parametrize("pattern", ["static/one.tif", "/tmp/{band}.tif", "{band}*.tif", "{band}.vrt"])
def test_pattern_that_names_no_file_of_the_band_is_refused(tmp_path, pattern):
    for band in ("Aspect", "Slope"):
        write_tile(tmp_path / "tiles/StaticValue" / band, 1, 11.0, 49.0)
    outcome = imported(tmp_path, Rasters(static_pattern=pattern))
    assert "pattern" in outcome.aside[-1].reason
    assert "Slope" in outcome.aside[-1].reason


def test_file_that_is_there_is_kept_unless_it_may_be_overwritten(static, tmp_path):
    write_tile(static, 1, 11.0, 49.0)
    path = tmp_path / "rasters/static/Elevation.tif"
    write_text(path, "mine")
    assert [raster.mosaic for raster in imported(tmp_path).rasters] == [None]
    assert path.read_text() == "mine"
    imported(tmp_path, overwrite=True)
    assert_every_pixel_is_in_its_place(path)


def test_failed_write_leaves_the_old_file_and_nothing_beside_it(static, tmp_path):
    write_tile(static, 1, 11.0, 49.0, values=np.full((10, 10), np.nan))
    write_text(tmp_path / "rasters/static/Elevation.tif", "mine")
    imported(tmp_path, overwrite=True)
    assert [(path.name, path.read_text()) for path in (tmp_path / "rasters/static").iterdir()] == [
        ("Elevation.tif", "mine")
    ]


def test_wrong_or_empty_folder_is_an_error_that_names_the_layout(tmp_path):
    with pytest.raises(RasterError, match="does not exist"):
        find_tiles(tmp_path / "none")
    (tmp_path / "Coordinates1Mil").mkdir()
    with pytest.raises(RasterError, match=r"StaticValue, YearlyValue, SeasonalValue \(found Coordinates1Mil\)"):
        find_tiles(tmp_path)
    write_text(tmp_path / "StaticValue/Elevation/tile.npy", "")
    with pytest.raises(RasterError, match=r"holds no tile\. Expected files \*ID<n>N<lat>.*tile\.npy: The name does"):
        find_tiles(tmp_path)


def test_remarks_name_files_below_the_source(static, tmp_path):
    write_tile(static, 1, 11.0, 49.0)
    write_text(static / "x.npy", "")
    frame = remarks_of(imported(tmp_path), tmp_path / "tiles")
    assert frame.to_dict("list")["file"] == ["StaticValue/Elevation/x.npy"]
    assert isinstance(frame, pd.DataFrame)
