"""Importing the original project's tiles: pixels encode where they are, so a shifted or flipped tile shows."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import rasterio

from soc_assets.cli.tiles_report import remarks_of
from soc_assets.storage.files import write_text
from soc_assets_tests.legacy.legacy_world import (
    assert_every_pixel_is_in_its_place,
    imported,
    reasons,
    tile_name,
    values_at,
    write_tile,
)


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


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


def test_remarks_name_files_below_the_source(static, tmp_path):
    write_tile(static, 1, 11.0, 49.0)
    write_text(static / "x.npy", "")
    frame = remarks_of(imported(tmp_path), tmp_path / "tiles")
    assert frame.to_dict("list")["file"] == ["StaticValue/Elevation/x.npy"]
