"""Class rasters become one band per class, and ranges of valid values hold in statistics and windows alike."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from soc_assets.embedding.spec_choices import choices_of
from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.rasters.steps import Step
from soc_assets.settings import Band, Rasters
from soc_assets_tests.embedding.rasters import ELEVATION, at, scanned, window, write_layers, write_reference
from soc_assets_tests.embedding.world import World
from soc_assets_tests.small_world import write_raster

CODES = np.random.default_rng(5).choice([0, 1, 2, 5], (64, 64)).astype(np.uint8)  # 0 is no value


@pytest.fixture
def folder(tmp_path):
    write_reference(tmp_path)
    write_raster(tmp_path / "yearly/Cover/Cover_2012.tif", CODES, at(0, 0), nodata=0)
    write_raster(tmp_path / "yearly/Fine/Fine_2012.tif", CODES, at(0, 0, 125.0), nodata=0)
    return tmp_path


def one_hot(codes, value):
    return np.where(codes == 0, np.nan, codes == value).astype(np.float32)


def test_each_class_is_a_band_of_zeros_and_ones_with_its_own_statistics(folder):
    raster_index, catalog = scanned(folder, Band(name="Cover", classes=(1, 2, 5)))
    rows = catalog.frame.iloc[1:]
    assert rows["band"].to_list() == ["Cover_1", "Cover_2", "Cover_5"]
    assert rows["path"].nunique() == 1
    for value, mean in zip((1, 2, 5), rows["mean"], strict=True):
        expected = one_hot(CODES, value)
        assert mean == pytest.approx(np.nanmean(expected), abs=1e-12)
        assert_array_equal(window(raster_index, f"Cover_{value}", Step(2012)), expected)


@pytest.mark.parametrize("resampling", ["average", "mode", "nearest"])
def test_finer_classes_become_shares_or_the_commonest_class(folder, resampling):
    raster_index, _ = scanned(folder, Band(name="Fine", classes=(1, 2, 5), resampling=resampling))
    blocks = CODES.reshape(32, 2, 32, 2).transpose(0, 2, 1, 3).reshape(32, 32, 4)
    valid = (blocks > 0).sum(axis=2)
    for value in (1, 2, 5):
        found = window(raster_index, f"Fine_{value}", Step(2012))[:32, :32]
        share = (blocks == value).sum(axis=2) / np.where(valid, valid, 1)
        assert_array_equal(np.isnan(found), valid == 0) if resampling != "nearest" else None
        there = np.isfinite(found)
        if resampling == "average":
            assert_allclose(found[there], share[there], atol=1e-6)
        else:
            assert set(np.unique(found[there])) == {0, 1}
        if resampling == "mode":
            counts = np.stack([(blocks == code).sum(axis=2) for code in (1, 2, 5)])
            clear = (np.sort(counts, axis=0)[-1] > np.sort(counts, axis=0)[-2]) & there
            commonest = np.array([1, 2, 5])[counts.argmax(axis=0)]
            assert_array_equal(found[clear], commonest[clear] == value)


def test_classes_go_through_to_keys_vectors_and_point_values(tmp_path):
    world = World(tmp_path)
    for year in range(2018, 2022):
        write_raster(tmp_path / f"rasters/yearly/Cover/Cover_{year}.tif", np.maximum(CODES, 1), at(0, 0))
    rasters = Rasters(bands=(*world.settings.rasters.bands, Band(name="Cover", classes=(1, 5))), min_valid_fraction=0.5)
    world.settings = world.settings.model_copy(update={"rasters": rasters})
    world.refresh()
    _, frame = world.write()
    keys = list(dict(frame["channel_time_embeddings"][0]))
    assert [key for key in keys if "Cover" in key and key.endswith("2020")] == ["Cover_1_2020", "Cover_5_2020"]
    mean, std = (getattr(world.spec.statistics["Cover_5"], name) for name in ("mean", "std"))
    at_sample = dict(frame["point_values"][0])["Cover_5_2020"][0]
    assert at_sample == pytest.approx(((CODES[20, 20] == 5) - mean) / std, abs=1e-5)


def test_values_beyond_the_valid_range_are_none_in_statistics_and_windows(folder):
    stored = np.array([[10, 200], [201, 65535]], np.uint16).repeat(32, 0).repeat(32, 1)
    write_layers(folder / "LAI_2012.tif", [stored], nodata=65535)
    band = Band(name="LAI", pattern="{band}_{year}.tif", valid_range=(11, 200))
    raster_index, catalog = scanned(folder, band)
    row = catalog.frame.iloc[1]
    assert (row["min"], row["max"], row["valid_share"]) == (200, 200, 0.25)
    assert_array_equal(np.isnan(window(raster_index, "LAI", Step(2012))), stored != 200)


def test_new_range_or_class_is_read_anew_and_in_the_spec_only_where_set(folder):
    def rasters(**options):
        return Rasters(bands=(ELEVATION, Band(name="Cover", **options)))

    first = scan_rasters(rasters(), folder)
    second = scan_rasters(rasters(valid_range=(1, 2)), folder, first.frame)
    third = scan_rasters(rasters(classes=(1, 2)), folder, second.frame)
    assert [catalog.read for catalog in (first, second, third)] == [2, 1, 1]
    assert scan_rasters(rasters(classes=(1, 2)), folder, third.frame).read == 0
    plain = {"name", "kind", "resampling", "fill_values"}
    settings = World(folder / "w").settings

    def choices(**options):
        return choices_of(settings.model_copy(update={"rasters": rasters(**options)}), None)

    assert all(set(band) == plain for band in choices()["bands"])
    assert "grid" not in choices()
    assert choices(valid_range=(1, 2))["bands"][1]["valid_range"] == [1, 2]
    assert [band.get("value") for band in choices(classes=(1, 2))["bands"]] == [None, 1, 2]
