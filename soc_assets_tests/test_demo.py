import hashlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from rasterio.warp import Resampling, reproject

from soc_assets.demo import DemoReport, write_demo
from soc_assets.demo.attainable import NOTE, attainable_r2
from soc_assets.demo.landscape import YEARS, Landscape
from soc_assets.errors import SocError
from soc_assets.geo.grid import Grid
from soc_assets.settings import Rasters, Study

WINDOW = 96
YEARLY = [band.name for band in Rasters().bands if band.kind == "yearly"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> tuple[Path, DemoReport]:
    """The demo in a folder of its own, written once."""
    root = tmp_path_factory.mktemp("demo")
    return root, write_demo(root / "rasters", root / "soil", survey="demo-960")


def visible_files(root):
    return sorted(path for path in root.rglob("*") if path.is_file())


def tables(root):
    lucas = pd.read_csv(root / "soil" / "LUCAS_demo.csv", encoding="latin-1", dtype=str)
    return lucas, pd.read_excel(root / "soil" / "LfU_LfL_demo.xlsx")


def studied(root):
    """The samples that the default study keeps, by rules written here again."""
    lucas, other = tables(root)
    lucas = pd.DataFrame(
        {
            "longitude": lucas["TH_LONG"].astype(float),
            "latitude": lucas["TH_LAT"].astype(float),
            "oc": pd.to_numeric(lucas["OC"], errors="coerce"),
            "date": pd.to_datetime(lucas["SURVEY_DATE"], format="%d-%m-%y"),
        }
    )
    other = other.set_axis(["longitude", "latitude", "oc", "date", "source"], axis=1).drop(columns="source")
    rows = pd.concat([lucas, other]).dropna().drop_duplicates().reset_index(drop=True)
    grid = reference_grid(root)
    rows = rows[grid.contains(*grid.pixels(rows["longitude"], rows["latitude"]))]
    year, study = rows["date"].dt.year, Study()
    rows = rows.assign(year=year)[year.between(study.year_from, study.year_to) & (rows["oc"] <= study.max_oc)]
    return rows.reset_index(drop=True)


def reference_grid(root):
    with rasterio.open(root / "rasters" / "static" / "Elevation.tif") as file:
        return Grid(file.crs, file.transform, file.width, file.height)


def window_means(path, grid):
    """The mean over the window round each pixel of the reference grid, without missing pixels."""
    from scipy.ndimage import uniform_filter

    values = np.full((grid.height, grid.width), np.nan)
    with rasterio.open(path) as file:
        source = file.read(1, masked=True).astype(float).filled(np.nan)
        georeference = {"src_transform": file.transform, "src_crs": file.crs, "src_nodata": np.nan}
    georeference |= {"dst_transform": grid.transform, "dst_crs": grid.crs, "dst_nodata": np.nan}
    reproject(source, values, resampling=Resampling.bilinear, **georeference)
    valid = np.isfinite(values)
    share = uniform_filter(valid.astype(float), WINDOW, mode="constant")
    return uniform_filter(np.where(valid, values, 0), WINDOW, mode="constant") / share, share


def test_rasters_follow_the_default_layout_and_one_year_of_one_band_is_missing(demo):
    root, report = demo
    expected = {"static/Elevation.tif"} | {f"yearly/{b}/{b}_{year}.tif" for b in YEARLY for year in YEARS}
    expected -= {"yearly/LAI/LAI_2009.tif"}
    found = {path.relative_to(root / "rasters").as_posix() for path in visible_files(root / "rasters")}
    assert found == expected
    assert report.rasters == 80
    assert report.megabytes < 8


def test_rasters_differ_in_crs_and_resolution_have_holes_and_say_that_they_are_synthetic(demo):
    root, _ = demo
    systems, shapes = set(), set()
    for band in YEARLY:
        with rasterio.open(root / "rasters" / "yearly" / band / f"{band}_2018.tif") as file:
            assert file.tags()["DESCRIPTION"] == "synthetic demo data"
            assert file.profile["tiled"]
            assert file.compression.name == "deflate"
            missing = file.read(1, masked=True).mask.mean()
            assert 0.002 < missing < 0.15
            systems.add(file.crs.to_epsg())
            shapes.add(file.shape)
    assert systems == {3035, 4326, 25832}
    assert len(shapes) >= 3
    grid = reference_grid(root)
    assert (grid.width, grid.height, grid.transform.a) == (320, 320, 250)


def test_means_of_bands_resemble_bavaria_and_terrain_rises_to_the_south(demo):
    root, _ = demo
    expected = {"LAI": (13, 16), "LST": (14286, 14394), "MODIS_NPP": (3521, 4540), "SoilEvaporation": (0.32, 0.34)}
    expected["TotalEvapotranspiration"] = (118, 123)
    for band, (low, high) in expected.items():
        for path in (root / "rasters" / "yearly" / band).iterdir():
            with rasterio.open(path) as file:
                assert 0.97 * low < file.read(1, masked=True).mean() < 1.03 * high
    with rasterio.open(root / "rasters" / "static" / "Elevation.tif") as file:
        elevation = file.read(1)
    assert elevation.mean() == pytest.approx(559, abs=15)
    assert elevation[-80:].mean() > elevation[:80].mean() + 100


def test_soil_tables_look_like_the_real_ones_and_are_marked_synthetic(demo):
    root, report = demo
    lucas, other = tables(root)
    assert list(lucas.columns[:6]) == ["Depth", "POINTID", "pH_CaCl2", "pH_H2O", "EC", "OC"]
    assert {"TH_LAT", "TH_LONG", "SURVEY_DATE", "NUTS_3", "LC1_Desc"} <= set(lucas.columns)
    assert lucas["SURVEY_DATE"].str.fullmatch(r"\d\d-\d\d-\d\d").all()
    assert (lucas["OC"] == "< LOD").sum() == 4
    assert lucas["OC"].isna().sum() == 2
    with pytest.raises(UnicodeDecodeError):
        (root / "soil" / "LUCAS_demo.csv").read_text(encoding="utf-8")
    assert list(other.columns) == ["GPS_LONG", "GPS_LAT", "OC", "survey_date", "source"]
    assert pd.concat([lucas["source"], other["source"]]).str.contains("synthetic").all()
    assert lucas.duplicated().sum() + other.duplicated().sum() == 6
    assert report.soil_rows == len(lucas) + len(other) == 1049


def test_default_study_keeps_960_samples_of_the_region_of_the_benchmarks(demo):
    rows = studied(demo[0])
    assert len(rows) == 960
    assert len(rows[["longitude", "latitude"]].drop_duplicates()) == 605
    oc = rows["oc"]
    assert (oc.mean(), oc.std(), oc.median()) == pytest.approx((22.5, 20.6, 16), rel=0.06)
    assert (oc > 50).mean() > 0.05


def test_windows_explain_a_good_part_of_organic_carbon(demo):
    root, report = demo
    rows, grid = studied(root), reference_grid(root)
    pixels = grid.pixels(rows["longitude"], rows["latitude"])
    columns, valid = (
        [np.ones(len(rows)), window_means(root / "rasters" / "static" / "Elevation.tif", grid)[0][pixels]],
        [],
    )
    for band in YEARLY:
        column = np.empty(len(rows))
        for year in rows["year"].unique():
            means, share = window_means(root / "rasters" / "yearly" / band / f"{band}_{year}.tif", grid)
            here = (rows["year"] == year).to_numpy()
            column[here], valid = means[pixels][here], [*valid, share[pixels][here]]
        columns.append((column - column.mean()) / column.std())
    design, log_oc = np.column_stack(columns), np.log(rows["oc"].to_numpy())
    fitted = design @ np.linalg.lstsq(design, log_oc, rcond=None)[0]
    r2 = 1 - ((log_oc - fitted) ** 2).sum() / ((log_oc - log_oc.mean()) ** 2).sum()
    assert 0.4 < r2 < report.r2_log
    assert np.concatenate(valid).min() > Rasters().min_valid_fraction  # no window of an existing raster is missing


def test_report_tells_what_the_noise_allows(demo):
    _, report = demo
    log_oc = np.log(studied(demo[0])["oc"])
    assert report.r2_log == pytest.approx(1 - report.noise_sd**2 / log_oc.var(), abs=0.05)
    assert 0.6 < report.r2 < 0.9


def test_demo_is_the_same_every_time(demo, tmp_path):
    root, report = demo
    again = write_demo(tmp_path / "rasters", tmp_path / "soil", survey="demo-960")
    assert (again.r2, again.soil_rows) == (report.r2, report.soil_rows)
    for first, second in zip(visible_files(root), visible_files(tmp_path), strict=True):
        if first.suffix != ".xlsx" and first.name != NOTE:  # a workbook holds the time at which it was saved
            assert sha256(first) == sha256(second), first
    pd.testing.assert_frame_equal(tables(root)[1], tables(tmp_path)[1])


def test_the_region_of_the_benchmarks_never_changes(demo):
    """Figures measured on it stay comparable: these are its bytes since the first version."""
    root, _ = demo
    assert sha256(root / "soil/LUCAS_demo.csv").startswith("e86589140949aa73")
    assert sha256(root / "rasters/static/Elevation.tif").startswith("bbc2d8c8c82f6eb9")
    assert tables(root)[1]["OC"].sum() == pytest.approx(14783.7)


def test_default_region_has_twice_the_samples(tmp_path, monkeypatch):
    monkeypatch.setattr("soc_assets.demo.rasters.YEARS", range(2012, 2013))
    report = write_demo(tmp_path / "rasters", tmp_path / "soil")
    rows = studied(tmp_path)
    assert (len(rows), report.soil_rows) == (1925, 2073)
    assert len(rows[["longitude", "latitude"]].drop_duplicates()) == 1222
    assert (rows["oc"].mean(), rows["oc"].median()) == pytest.approx((22.5, 16), rel=0.06)


def as_samples(root):
    """What `soil_samples` makes of the LUCAS table, as far as the note of the demo asks for it."""
    lucas, _ = tables(root)
    lucas = lucas[lucas["OC"].str.fullmatch(r"[\d.]+", na=False)].drop_duplicates()
    return pd.DataFrame(
        {
            "file": "LUCAS_demo.csv",
            "longitude": lucas["TH_LONG"].astype(float),
            "latitude": lucas["TH_LAT"].astype(float),
            "year": pd.to_datetime(lucas["SURVEY_DATE"], format="%d-%m-%y").dt.year,
            "observed": lucas["OC"].astype(float),
        }
    )


def test_what_the_noise_allows_is_known_of_the_demos_own_samples_only(demo, tmp_path):
    root, report = demo
    samples = as_samples(root)
    most = attainable_r2(root / "soil", samples)
    deviation = (np.log(samples["observed"]) - np.log(samples["observed"]).mean()).std()
    assert most == pytest.approx(1 - np.expm1(report.noise_sd**2) / np.expm1(deviation**2), abs=0.15)
    shuffled = samples["observed"].sample(frac=1, random_state=1).to_numpy()
    assert attainable_r2(root / "soil", samples.assign(observed=shuffled)) < 0
    assert attainable_r2(root / "soil", samples.assign(file="mine.csv")) is None
    assert attainable_r2(tmp_path, samples) is None
    shutil.copytree(root / "soil", tmp_path / "soil")
    with (tmp_path / "soil/LUCAS_demo.csv").open("a") as file:
        file.write("\n")
    assert attainable_r2(tmp_path / "soil", samples) is None  # somebody has edited the table
    (tmp_path / "soil" / NOTE).write_text("{}")
    assert attainable_r2(tmp_path / "soil", samples) is None


def test_another_seed_is_another_region():
    x, y, year = np.full(3, 700_000.0), np.linspace(5_320_000.0, 5_370_000.0, 3), np.array([2012, 2015, 2023])
    first, other = (Landscape(seed).log_carbon(x, y, year) for seed in (42, 43))
    assert np.abs(first - other).min() > 0.01


@pytest.mark.parametrize("place", ["rasters/static/mine.tif", "soil/mine.csv"])
def test_folder_with_a_file_is_refused_and_left_as_it_was(tmp_path, place):
    file = tmp_path / place
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    with pytest.raises(SocError, match=rf"holds 1 file\(s\), for example .*{file.name}.*Move the files away"):
        write_demo(tmp_path / "rasters", tmp_path / "soil")
    assert visible_files(tmp_path) == [file]


def test_hidden_files_such_as_gitkeep_do_not_count_as_a_users(tmp_path, monkeypatch):
    for folder in ("rasters", "soil"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / ".gitkeep").touch()
    monkeypatch.setattr("soc_assets.demo.rasters.YEARS", range(2012, 2013))
    assert write_demo(tmp_path / "rasters", tmp_path / "soil", seed=1).rasters == 6
    assert (tmp_path / "rasters" / ".gitkeep").exists()


def test_demo_that_breaks_off_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("soc_assets.demo.rasters.YEARS", range(2012, 2013))
    monkeypatch.setattr("soc_assets.demo.write_combined", fail)
    with pytest.raises(OSError, match="disk full"):
        write_demo(tmp_path / "rasters", tmp_path / "soil")
    assert list((tmp_path / "rasters").iterdir()) == list((tmp_path / "soil").iterdir()) == []


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
