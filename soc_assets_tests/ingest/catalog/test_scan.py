import os
import threading
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from soc_assets.errors import RasterError
from soc_assets.geo.grid import Grid
from soc_assets.ingest.catalog.gaps import gap_table
from soc_assets.ingest.catalog.scan import COLUMNS, catalog_digest, scan_rasters
from soc_assets.ingest.catalog.statistics import of_raster
from soc_assets.rasters.opening import open_raster
from soc_assets.settings import Band, Rasters
from soc_assets.storage import files
from soc_assets.storage.digest import of_file
from soc_assets_tests.ingest.conftest import truncate, write_raster
from soc_assets_tests.reported import reported


def one_band(**options) -> Rasters:
    return Rasters(bands=(Band(name="Elevation", kind="static", **options),))


def test_catalog_describes_every_raster_in_band_then_time_order(bands, region):
    catalog = scan_rasters(bands, region)
    frame = catalog.frame
    assert list(frame.columns) == list(COLUMNS)
    assert [
        *zip(frame["band"], frame["kind"], frame["year"].astype(object), frame["season"].fillna("-"), strict=True)
    ] == [
        ("Elevation", "static", pd.NA, "-"),
        ("LAI", "yearly", 2011, "-"),
        ("LAI", "yearly", 2012, "-"),
        ("NDVI", "seasonal", 2012, "winter"),
        ("NDVI", "seasonal", 2012, "summer"),
    ]
    elevation = frame.iloc[0]
    assert elevation["crs"] == "EPSG:4326"
    assert elevation["transform"] == pytest.approx([0.01, 0, 11, 0, -0.01, 49])
    assert elevation["shape"] == [40, 60]
    assert elevation["bounds"] == pytest.approx([11, 48.6, 11.6, 49])
    assert elevation["digest"] == of_file(region / "static/Elevation.tif")
    assert np.isnan(elevation["nodata"])
    assert frame.iloc[3]["nodata"] == 7
    assert (catalog.read, catalog.reused, len(catalog.problems)) == (5, 0, 0)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("chunk", [50, 2**21])
def test_statistics_equal_numpy_with_nodata_scale_mask_and_fill(tmp_path, dtype, chunk):
    rng = np.random.default_rng(3)
    stored = rng.integers(0, 250, (61, 47)).astype(dtype)
    mask = np.where(rng.random(stored.shape) < 0.2, 0, 255).astype("uint8")
    layout = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    path = write_raster(tmp_path / "a.tif", stored, mask=mask, nodata=3, scale=0.02, offset=200.0, **layout)
    with open_raster(path) as dataset:
        found = of_raster(dataset, fill_values=(8, 9), chunk=chunk)
    valid = stored[(mask > 0) & ~np.isin(stored, [3, 8, 9])].astype("float64") * 0.02 + 200.0
    assert found.count == valid.size
    expected = [valid.mean(), valid.std(), valid.min(), valid.max()]
    np.testing.assert_allclose([found.mean, found.std, found.low, found.high], expected, rtol=1e-6)


def test_standard_deviation_survives_a_mean_far_from_zero(tmp_path):
    stored = (1e6 + np.random.default_rng(0).integers(0, 2, (300, 40))).astype("float32")
    with open_raster(write_raster(tmp_path / "a.tif", stored)) as dataset:
        found = of_raster(dataset, chunk=400)
    assert found.std == pytest.approx(stored.astype("float64").std(), rel=1e-9)


def test_unchanged_rasters_are_not_read_again_even_through_parquet(bands, region, tmp_path):
    first = scan_rasters(bands, region)
    files.write_table(tmp_path / "rasters.parquet", first.frame)
    stored = pd.read_parquet(tmp_path / "rasters.parquet")
    with mock.patch("soc_assets.rasters.identity.content_digest", side_effect=AssertionError("nobody may look")):
        second = scan_rasters(bands, region, stored)
    assert (second.read, second.reused) == (0, 5)
    pd.testing.assert_frame_equal(second.frame, first.frame)
    assert catalog_digest(stored) == catalog_digest(second.frame) == catalog_digest(first.frame)


def test_rasters_that_changed_places_with_equal_sizes_and_times_are_read_again(bands, region):
    one, other = (region / f"yearly/LAI/LAI_{year}.tif" for year in (2011, 2012))
    for path, value in ((one, 3), (other, 7)):
        write_raster(path, np.full((20, 30), value, "uint8"))
        os.utime(path, ns=(1, 1))
    first = scan_rasters(bands, region)
    one.rename(region / "x")
    other.rename(one)
    (region / "x").rename(other)
    second = scan_rasters(bands, region, first.frame)
    assert (second.read, second.reused) == (2, 3)
    assert first.frame["mtime_ns"].equals(second.frame["mtime_ns"])
    assert second.frame.loc[second.frame["band"] == "LAI", "mean"].to_list() == [7, 3]


def test_catalog_of_an_older_version_is_taken_over_where_the_bytes_are_the_same(bands, region):
    first = scan_rasters(bands, region)
    with mock.patch("soc_assets.ingest.catalog.scan.read_facts", side_effect=AssertionError("must not be read")):
        second = scan_rasters(bands, region, first.frame.drop(columns="stamp"))
    pd.testing.assert_frame_equal(second.frame, first.frame)


def test_changed_raster_is_read_again_and_others_are_not(bands, region):
    first = scan_rasters(bands, region)
    write_raster(region / "yearly/LAI/LAI_2012.tif", np.full((20, 30), 5, "uint8"))
    second = scan_rasters(bands, region, first.frame)
    assert (second.read, second.reused) == (1, 4)
    changed = second.frame["digest"] != first.frame["digest"]
    assert second.frame.loc[changed, ["band", "year", "mean", "std"]].values.tolist() == [["LAI", 2012, 5.0, 0.0]]
    assert catalog_digest(second.frame) != catalog_digest(first.frame)


def test_new_time_with_the_same_bytes_changes_no_digest(bands, region):
    first = scan_rasters(bands, region)
    os.utime(region / "static/Elevation.tif", ns=(1, 1))
    second = scan_rasters(bands, region, first.frame)
    assert second.read == 1
    assert second.frame["mtime_ns"].iloc[0] == 1
    assert catalog_digest(second.frame) == catalog_digest(first.frame)
    assert scan_rasters(bands, region, second.frame).read == 0


def test_new_fill_values_make_a_band_read_again(tmp_path):
    write_raster(tmp_path / "static/Elevation.tif", np.array([[1, 2], [3, 100]], "int16"))
    first = scan_rasters(one_band(), tmp_path)
    second = scan_rasters(one_band(fill_values=(100,)), tmp_path, first.frame)
    assert (first.frame["mean"].item(), second.frame["mean"].item()) == (26.5, 2.0)
    assert second.read == 1
    assert catalog_digest(first.frame) != catalog_digest(second.frame)


def test_changed_mask_file_beside_a_raster_is_noticed(tmp_path):
    raster = write_raster(tmp_path / "static/Elevation.tif", np.array([[1, 2], [3, 4]], "uint8"))
    first = scan_rasters(one_band(), tmp_path)
    write_raster(
        raster.with_name("Elevation.tif.msk"), np.array([[255, 255], [255, 0]], "uint8"), INTERNAL_MASK_FLAGS_1="2"
    )
    second = scan_rasters(one_band(), tmp_path, first.frame)
    assert second.read == 1
    assert first.frame["digest"].item() != second.frame["digest"].item()


def test_progress_counts_every_file(bands, region):
    with reported() as calls:
        scan_rasters(bands, region)
    assert [(call.done, call.total) for call in calls] == [(n, 5) for n in range(1, 6)]
    assert calls[0].message == os.path.join("static", "Elevation.tif")  # noqa: PTH118 - the platform's separator


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_result_does_not_depend_on_how_many_files_are_read_at_once(bands, region, threads):
    for year in range(1990, 2011):
        path = region / f"yearly/LAI/LAI_{year}.tif"
        write_raster(path, np.random.default_rng(year).random((90, 80)).astype("float32") + year)
        if year % 4 == 0:
            truncate(path)
    alone, several = scan_rasters(bands, region, threads=1), scan_rasters(bands, region, threads=threads)
    pd.testing.assert_frame_equal(several.frame, alone.frame, check_exact=True)
    pd.testing.assert_frame_equal(several.problems, alone.problems)
    years = alone.frame.loc[alone.frame["band"] == "LAI", "year"].to_list()
    assert years == sorted({*range(1990, 2013)} - {1992, 1996, 2000, 2004, 2008})
    assert [Path(path).stem for path in alone.problems["path"]] == [f"LAI_{year}" for year in range(1992, 2009, 4)]


def test_progress_is_told_in_the_thread_that_scans(bands, region):
    threads = set()
    with reported(lambda _: threads.add(threading.get_ident())):
        scan_rasters(bands, region, threads=3)
    assert threads == {threading.get_ident()}


def test_progress_that_fails_ends_the_scan(bands, region):
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), reported(stop):
        scan_rasters(bands, region, threads=2)


def test_bad_rasters_are_set_aside_and_the_scan_goes_on(bands, region):
    truncate(write_raster(region / "yearly/LAI/LAI_2013.tif", np.ones((200, 200), "uint8")))
    write_raster(region / "yearly/LAI/LAI_2014.tif", np.ones((4, 4), "uint8"), crs=None)
    write_raster(region / "yearly/LAI/LAI_2015.tif", np.zeros((4, 4), "uint8"), nodata=0)
    write_raster(region / "yearly/LAI/LAI_2016.tif", np.zeros((4, 4), "uint8"), count=3)
    write_raster(region / "seasonal/NDVI/NDVI_2012_SUMMER.tif", np.zeros((4, 4), "uint8"))
    catalog = scan_rasters(bands, region)
    assert len(catalog.frame) == 5
    texts = " | ".join(sorted(catalog.problems["problem"]))
    for expected in (
        "LAI_2013.tif cannot be read",
        "LAI_2014.tif has no coordinate reference",
        "LAI_2015.tif has no valid",
    ):
        assert expected in texts
    assert "LAI_2016.tif holds 3 bands" in texts
    assert "holds the same step as" in texts
    assert len(catalog.problems) == 5


def test_missing_folder_is_named(bands, tmp_path):
    with pytest.raises(RasterError, match=r"nowhere does not exist.*\[paths\] rasters"):
        scan_rasters(bands, tmp_path / "nowhere")


def test_empty_folder_is_named_with_what_is_expected(bands, tmp_path):
    with pytest.raises(RasterError, match=r"holds no raster.*static/Elevation\.tif"):
        scan_rasters(bands, tmp_path)


def test_band_without_a_file_names_pattern_and_near_files(region):
    rasters = Rasters(
        bands=(Band(name="Elevation", kind="static"), Band(name="LST", pattern="yearly/LAI/lai{year}.tif"))
    )
    with pytest.raises(
        RasterError, match=r"yearly band LST .*yearly/LAI/lai\{year\}\.tif.*yearly/LAI/LAI_201"
    ) as error:
        scan_rasters(rasters, region)
    assert str(region) in str(error.value)


def test_band_whose_every_file_is_bad_names_the_first_problem(bands, region):
    for path in (region / "yearly/LAI").iterdir():
        truncate(path)
    with pytest.raises(RasterError, match=r"No raster of the band LAI.*LAI_2011\.tif cannot be read"):
        scan_rasters(bands, region)


def test_reference_band_without_crs_stops_before_anything_else_is_read(bands, region):
    write_raster(region / "static/Elevation.tif", np.ones((4, 4), "uint8"), crs=None)
    with reported() as seen, pytest.raises(RasterError, match=r"band Elevation.*no coordinate reference system"):
        scan_rasters(bands, region)
    assert not seen


def test_patterns_match_literally_and_years_consistently(tmp_path):
    write_raster(tmp_path / "Elevation.tif", np.ones((4, 4), "uint8"))
    band = Band(name="N.PP", pattern="[{year}] (a+b)/{band}_{year}.tif")
    for name in ("[2007] (a+b)/N.PP_2007.tif", "[2007] (a+b)/N.PP_2008.tif", "[2009] (a+b)/NxPP_2009.tif"):
        write_raster(tmp_path / name, np.ones((4, 4), "uint8"))
    rasters = Rasters(static_pattern="{band}.tif", bands=(Band(name="Elevation", kind="static"), band))
    assert scan_rasters(rasters, tmp_path).frame["year"].dropna().to_list() == [2007]


def test_star_in_a_pattern_stands_for_anything_within_a_name(tmp_path):
    write_raster(tmp_path / "Elevation.tif", np.ones((4, 4), "uint8"))
    for name in ("NPP/MOD17.A2007001.061.tif", "NPP/sub/MOD17.A2008001.061.tif"):
        write_raster(tmp_path / name, np.ones((4, 4), "uint8"))
    bands = (Band(name="Elevation", kind="static"), Band(name="NPP", pattern="{band}/*.A{year}001.*.tif"))
    rasters = Rasters(static_pattern="{band}.tif", bands=bands)
    assert scan_rasters(rasters, tmp_path).frame["year"].dropna().to_list() == [2007]


def test_crs_without_epsg_code_is_kept_as_text_that_opens_again(tmp_path):
    crs = "+proj=laea +lat_0=52 +lon_0=10 +x_0=4321000 +y_0=3210000 +ellps=GRS80 +units=m"
    write_raster(tmp_path / "static/Elevation.tif", np.ones((4, 4), "uint8"), crs=crs)
    frame = scan_rasters(one_band(), tmp_path).frame
    assert not frame["crs"].item().startswith("EPSG")
    assert Grid.of_catalog(frame, "Elevation").crs.is_projected


def test_gap_table_shows_missing_years_and_counts_seasons(bands, region):
    table = gap_table(scan_rasters(bands, region).frame, range(2011, 2014))
    assert table.to_dict("split")["data"] == [
        ["Elevation", "static", "static", "static"],
        ["LAI", "1", "1", "missing"],
        ["NDVI", "missing", "2", "missing"],
    ]
    assert list(table.columns) == ["band", "2011", "2012", "2013"]
