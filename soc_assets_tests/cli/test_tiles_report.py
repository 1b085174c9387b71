"""`soc import-tiles` as a user meets it: tables, the CSV, the lines for soc.toml, messages and exit codes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets_tests.command_line import refused, soc
from soc_assets_tests.small_project import SmallProject


@pytest.fixture
def made(tmp_path: Path) -> SmallProject:
    """A project without rasters, its bands Elevation and a yearly LAI."""
    bands = '[{ name = "Elevation", kind = "static" }, { name = "LAI", kind = "yearly" }]'
    (tmp_path / "soc.toml").write_text(f"[rasters]\nbands = {bands}\n")
    return SmallProject(tmp_path)


def write_tiles(folder: Path, value: float = 1.0) -> None:
    """Two tiles side by side that share a column of pixels, in which they differ."""
    folder.mkdir(parents=True)
    np.save(folder / "ID0N49_0S48_9W11_0E11_1.npy", np.full((10, 10), value))
    np.save(folder / "ID1N49_0S48_9W11_09E11_19.npy", np.full((10, 10), value + 0.25))


def words(text: str) -> str:
    """A table's text without its lines."""
    return " ".join(text.replace("│", " ").split())


def test_import_says_what_it_wrote_what_not_and_what_to_add_and_the_catalog_finds_the_rasters(made):
    tiles = made.root / "Data/RasterTensorData"
    for folder in ("StaticValue/Elevation", "YearlyValue/LAI/2012", "SeasonalValue/LAI/2012_winter"):
        write_tiles(tiles / folder)
    write_tiles(tiles / "YearlyValue/NDVI/2012")
    (tiles / "YearlyValue/LAI/2012/ID7.npy").write_bytes(b"")
    result = soc("import-tiles", made.root / "Data", at=made)
    assert result.exit_code == 0
    told = words(result.stdout)
    for expected in (
        "static/Elevation.tif 2 of 2 10 x 19 0.0% written",
        "seasonal/LAI/LAI_2012_winter.tif",
        "Rasters written: 4; kept as they were: 0.",
        '{ name = "NDVI", kind = "yearly" },',
        '{ name = "LAI", kind = "seasonal" }, # in place of the yearly band of this name',
        "import-tiles: 4 of 4",
    ):
        assert expected in told
    assert 'name = "Elevation"' not in told
    remarks = pd.read_csv(made.project.rasters / "import-tiles.csv")
    assert remarks["outcome"].tolist() == ["set aside"] + ["overlap"] * 4
    assert remarks["file"][0] == "RasterTensorData/YearlyValue/LAI/2012/ID7.npy"
    assert "10 of 10 shared pixels, by at most 0.25" in remarks["reason"][1]
    catalog = scan_rasters(made.project.settings.rasters, made.project.rasters)
    assert catalog.frame[["band", "year"]].fillna(0).to_numpy().tolist() == [["Elevation", 0], ["LAI", 2012]]
    assert catalog.frame["crs"].tolist() == ["EPSG:4326"] * 2


def test_second_import_keeps_the_rasters_and_names_the_option_that_replaces_them(made):
    write_tiles(made.root / "tiles/StaticValue/Elevation")
    assert soc("import-tiles", made.root / "tiles", at=made).exit_code == 0
    path = made.project.rasters / "static/Elevation.tif"
    before = path.stat().st_mtime_ns
    again = soc("import-tiles", made.root / "tiles", at=made)
    assert again.exit_code == 0
    assert "static/Elevation.tif there already: kept" in words(again.stdout)
    assert "--overwrite" in again.stdout
    assert path.stat().st_mtime_ns == before
    assert "written" in words(soc("import-tiles", made.root / "tiles", "--overwrite", at=made).stdout)
    assert path.stat().st_mtime_ns > before


def test_tiles_off_the_grid_lead_to_the_option_that_places_them(made):
    folder = made.root / "tiles/StaticValue/Elevation"
    write_tiles(folder)
    np.save(folder / "ID2N49_0S48_9W11_1904E11_2904.npy", np.ones((10, 10)))
    result = soc("import-tiles", made.root / "tiles", at=made)
    assert "off by 0.04 pixel" in words(result.stdout)
    assert "--overwrite --tolerance" in result.stdout
    placed = soc("import-tiles", made.root / "tiles", "--overwrite", "--tolerance", "0.05", at=made)
    assert "static/Elevation.tif 3 of 3" in words(placed.stdout)


def test_nothing_to_import_fails_with_what_was_expected(made):
    assert "does not exist" in refused("import-tiles", made.root / "none", at=made)
    assert "StaticValue, YearlyValue, SeasonalValue" in refused("import-tiles", made.root, at=made)
    folder = made.root / "tiles/StaticValue/Elevation"
    folder.mkdir(parents=True)
    (folder / "ID0N49_0S48_9W11_0E11_1.npy").write_bytes(b"no array")
    result = soc("import-tiles", made.root / "tiles", at=made)
    assert result.exit_code == 1
    assert "None of the tiles" in result.stderr
    assert "ID0N49_0S48_9W11_0E11_1.npy" in words(result.stdout)


def test_wrong_tolerance_is_wrong_usage(made):
    assert soc("import-tiles", made.root, "--tolerance", "0.5", at=made).exit_code == 2
