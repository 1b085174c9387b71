from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.testing import assert_array_equal
from rasterio.env import get_gdal_config
from rasterio.windows import Window

from soc_assets.errors import RasterError
from soc_assets.rasters.georeferencing import grid_of_dataset
from soc_assets.rasters.opening import open_placed, open_raster, small_block_cache
from soc_assets.rasters.reading import read_decimated, read_values
from soc_assets_tests.ingest.conftest import truncate, write_raster


def whole(path: Path, **options) -> np.ndarray:
    with open_raster(path) as dataset:
        return read_values(dataset, Window(0, 0, dataset.width, dataset.height), **options)


def test_scale_and_offset_apply_to_valid_pixels_only(tmp_path):
    stored = np.array([[0, 100], [65535, 300]], "uint16")
    path = write_raster(tmp_path / "LST.tif", stored, nodata=65535, scale=0.02, offset=-273.15)
    values = whole(path)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, [[-273.15, -271.15], [np.nan, -267.15]], rtol=1e-6)


def test_fill_values_are_compared_before_scaling(tmp_path):
    path = write_raster(tmp_path / "a.tif", np.array([[5, 50], [32761, 6]], "uint16"), scale=0.1)
    np.testing.assert_allclose(whole(path, fill_values=(32761, 5)), [[np.nan, 5.0], [np.nan, 0.6]], rtol=1e-6)


def test_fill_values_that_the_type_cannot_hold_match_nothing(tmp_path):
    path = write_raster(tmp_path / "a.tif", np.array([[255, 0], [1, 127]], "uint8"))
    assert not np.isnan(whole(path, fill_values=(-1, 256, 127.5, 65535, float("nan")))).any()


def test_float_nodata_that_binary_cannot_hold_exactly_is_recognised(tmp_path):
    path = write_raster(tmp_path / "a.tif", np.array([[0.1, 2], [np.inf, np.nan]], "float32"), nodata=0.1)
    np.testing.assert_array_equal(whole(path), [[np.nan, 2], [np.nan, np.nan]])


@pytest.mark.parametrize("inside_file", ["YES", "NO"])
def test_mask_and_nodata_tag_both_make_pixels_invalid(tmp_path, inside_file):
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=inside_file):
        mask = np.array([[255, 0], [255, 255]], "uint8")
        path = write_raster(tmp_path / "a.tif", np.array([[1, 2], [9, 4]], "uint8"), mask=mask, nodata=9)
    np.testing.assert_array_equal(whole(path), [[1, np.nan], [np.nan, 4]])


def test_alpha_band_makes_pixels_invalid(tmp_path):
    path = write_raster(tmp_path / "a.tif", np.array([[1, 2]], "uint8"), count=2, photometric="minisblack", alpha="yes")
    with rasterio.open(path, "r+") as dataset:
        dataset.write(np.array([[0, 255]], "uint8"), 2)
    np.testing.assert_array_equal(whole(path), [[np.nan, 2]])


@pytest.mark.parametrize(("row", "column"), [(-2, -3), (3, 4), (-2, 4), (100, 100), (-50, 0), (1, 1)])
def test_window_beyond_the_raster_is_nan_there_and_right_inside(tmp_path, row, column):
    stored = np.arange(30, dtype="float32").reshape(5, 6)
    path = write_raster(tmp_path / "a.tif", stored)
    with open_raster(path) as dataset:
        values = read_values(dataset, Window(column, row, 4, 3))
    wide = np.full((400, 400), np.nan, "float32")
    wide[200:205, 200:206] = stored
    np.testing.assert_array_equal(values, wide[200 + row : 203 + row, 200 + column : 204 + column])


def test_decimated_read_is_small_and_masks_as_a_full_read_does(tmp_path):
    stored = np.full((300, 600), 7, "int16")
    stored[:150] = -1
    path = write_raster(tmp_path / "a.tif", stored, scale=2.0)
    with open_raster(path) as dataset:
        values = read_decimated(dataset, 60, fill_values=(-1,))
    assert values.shape == (30, 60)
    assert np.isnan(values[:15]).all()
    assert (values[15:] == 14).all()


def test_block_cache_is_small_while_rasters_are_read_once_and_as_before_after(monkeypatch):
    monkeypatch.delenv("GDAL_CACHEMAX", raising=False)
    before = get_gdal_config("GDAL_CACHEMAX")
    with small_block_cache():
        assert get_gdal_config("GDAL_CACHEMAX") == 64
    assert get_gdal_config("GDAL_CACHEMAX") == before


def test_block_cache_of_the_users_environment_holds(monkeypatch):
    monkeypatch.setenv("GDAL_CACHEMAX", "200")
    before = get_gdal_config("GDAL_CACHEMAX")
    with small_block_cache():
        assert get_gdal_config("GDAL_CACHEMAX") == before


def test_missing_raster_is_named(tmp_path):
    with pytest.raises(RasterError, match=r"LAI_2007\.tif does not exist"), open_raster(tmp_path / "LAI_2007.tif"):
        pass


def test_raster_without_crs_is_refused_with_a_cure(tmp_path):
    path = write_raster(tmp_path / "no_crs.tif", np.ones((3, 3), "uint8"), crs=None)
    with (
        pytest.raises(RasterError, match=r"no_crs\.tif has no coordinate reference system.*rio edit-info --crs"),
        open_raster(path),
    ):
        pass


def test_raster_without_georeferencing_is_refused(tmp_path):
    path = write_raster(tmp_path / "nowhere.tif", np.ones((3, 3), "uint8"), transform=None)
    with pytest.raises(RasterError, match=r"nowhere\.tif has .* no georeferencing"), open_raster(path):
        pass


def test_file_that_is_no_raster_is_named(tmp_path):
    path = tmp_path / "text.tif"
    path.write_text("not a raster")
    with pytest.raises(RasterError, match=r"text\.tif cannot be read"), open_raster(path):
        pass


def test_truncated_geotiff_that_still_opens_is_named_when_it_is_read(tmp_path):
    path = write_raster(tmp_path / "cut.tif", np.ones((256, 256), "float32"))
    truncate(path)
    with open_raster(path) as dataset, pytest.raises(RasterError, match=r"cut\.tif cannot be read.*truncated"):
        read_values(dataset, Window(0, 0, 256, 256))


def test_truncated_geotiff_that_does_not_open_is_named(tmp_path):
    path = write_raster(tmp_path / "cut.tif", np.ones((256, 256), "float32"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RasterError, match=r"cut\.tif cannot be read.*truncated"), open_raster(path):
        pass


SIDECAR = (
    '<PAMDataset><PAMRasterBand band="1"><NoDataValue>7</NoDataValue><Offset>3</Offset><Scale>2</Scale>'
    "</PAMRasterBand></PAMDataset>"
)


@pytest.mark.parametrize("says", ["tags", "mask", "sidecar"])
def test_a_raster_opened_without_its_place_has_the_same_values(tmp_path, says):
    stored = np.arange(12, dtype="int16").reshape(3, 4)
    path = write_raster(tmp_path / "a.tif", stored, nodata=5 if says == "tags" else None)
    if says == "tags":
        with rasterio.open(path, "r+") as file:
            file.scales, file.offsets = (0.5,), (1,)
    if says == "mask":
        with rasterio.open(path, "r+") as file:
            file.write_mask(stored != 2)
    if says == "sidecar":
        (tmp_path / "a.tif.aux.xml").write_text(SIDECAR)
    window = Window(0, 0, 4, 3)
    with open_raster(path) as dataset:
        place, expected = grid_of_dataset(dataset), read_values(dataset, window)
    with open_placed(path, place) as dataset:
        assert dataset.crs is None
        assert_array_equal(read_values(dataset, window), expected)
    assert np.isnan(expected).sum() == 1


def test_a_raster_with_other_pixels_than_the_catalog_says_is_refused(tmp_path):
    path = write_raster(tmp_path / "a.tif", np.ones((3, 4), "uint8"))
    with open_raster(path) as dataset:
        place = grid_of_dataset(dataset)
    write_raster(path, np.ones((3, 5), "uint8"))
    with (
        pytest.raises(RasterError, match=r"a\.tif has 3 x 5 pixels, but 3 x 4 in the raster catalog"),
        open_placed(path, place),
    ):
        pass
