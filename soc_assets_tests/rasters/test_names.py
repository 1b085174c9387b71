"""What bands are called and measured in, by the settings and the files' tags; and a scale of the settings."""

import json
import math
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from rasterio.windows import Window
from rich.console import Console
from scipy.io import netcdf_file

from soc_assets.cli.check_report import rasters_table
from soc_assets.embedding.spec_choices import choices_of
from soc_assets.ingest.catalog.scan import catalog_digest, scan_rasters
from soc_assets.ingest.inputs import catalog_inputs
from soc_assets.ingest.quality.previews import Previews
from soc_assets.project import Project
from soc_assets.rasters.index import RasterIndex
from soc_assets.rasters.names import BandName, band_names, described_bands, tags_of
from soc_assets.rasters.opening import open_raster
from soc_assets.serving.tiles import Tile as PageTile
from soc_assets.serving.tiles import read_tile
from soc_assets.settings import Band, Rasters
from soc_assets.settings.loading import Settings
from soc_assets.storage import digest
from soc_assets_tests.ingest.conftest import write_raster

STORED = np.arange(60 * 40, dtype="uint16").reshape(40, 60) + 100


def rasters(**lai) -> Rasters:
    return Rasters(bands=(Band(name="Elevation", kind="static"), Band(name="LAI", **lai)))


@pytest.fixture
def folder(tmp_path) -> Path:
    write_raster(tmp_path / "static/Elevation.tif", STORED)
    for year, label in ((2011, "Leaf area index"), (2012, "Leaf area index")):
        path = write_raster(tmp_path / f"yearly/LAI/LAI_{year}.tif", STORED, scale=0.5)
        with rasterio.open(path, "r+") as file:
            file.units, file.descriptions = ("m2/m2",), (label,)
    return tmp_path


def test_tags_are_in_the_catalog_and_settings_come_first(folder):
    found = scan_rasters(rasters(), folder).frame
    assert found.loc[found["band"] == "LAI", ["unit", "label"]].to_numpy().tolist() == 2 * [
        ["m2/m2", "Leaf area index"]
    ]
    assert found.loc[found["band"] == "Elevation", ["unit", "label"]].isna().all(axis=None)
    assert band_names(rasters(), found)["LAI"] == BandName("LAI", "Leaf area index", "m2/m2")
    assert band_names(rasters(), found)["Elevation"] == BandName("Elevation", "Elevation", "")
    named = band_names(rasters(unit="1", label="LAI of MODIS"), found)["LAI"]
    assert (named.label, named.unit, named.with_unit) == ("LAI of MODIS", "1", "LAI of MODIS, 1")
    assert band_names(rasters(unit=""), found)["LAI"].unit == ""
    assert band_names(rasters())["LAI"] == BandName("LAI", "LAI")
    project = Project(folder, Settings(rasters=rasters(unit="%", label="Grün")))
    assert json.loads(described_bands(project)["soc.bands"]) == {"LAI": {"label": "Grün", "unit": "%"}}
    assert described_bands(Project(folder, Settings(rasters=rasters()))) == {}  # nothing is known: as before


def test_labels_that_differ_among_the_files_of_a_band_name_steps_and_not_the_band(folder):
    with rasterio.open(folder / "yearly/LAI/LAI_2012.tif", "r+") as file:
        file.descriptions, file.units = ("2012",), ("dimensionless",)
    found = band_names(rasters(), scan_rasters(rasters(), folder).frame)["LAI"]
    assert found == BandName("LAI", "LAI", "m2/m2")


def test_units_and_long_name_of_netcdf_are_those_of_the_variable(tmp_path):
    with netcdf_file(tmp_path / "lai.nc", "w") as out:
        for name, places in (("lat", 48.1 - 0.01 * np.arange(8)), ("lon", 11 + 0.01 * np.arange(9))):
            out.createDimension(name, len(places))
            axis = out.createVariable(name, "f8", (name,))
            axis[:], axis.units = places, f"degrees_{'north' if name == 'lat' else 'east'}".encode()
        variable = out.createVariable("lai", "f4", ("lat", "lon"))
        variable[:] = np.arange(72).reshape(8, 9)
        variable.units, variable.long_name = b"m2 m-2", b"Leaf  area\x1b index"
    with open_raster(str(tmp_path / "lai.nc")) as dataset:
        assert tags_of(dataset, 1) == {"unit": "m2 m-2", "label": r"Leaf area\x1b index"}


def test_classes_are_shares_and_numbered(folder):
    settings = Rasters(
        bands=(Band(name="Elevation", kind="static"), Band(name="LAI", classes=(101, 102), label="Cover"))
    )
    assert band_names(settings)["LAI_102"] == BandName("LAI_102", "Cover 102", "share")


def test_catalog_of_an_earlier_release_is_completed_without_reading_a_raster(folder):
    scanned = scan_rasters(rasters(), folder)
    former = scanned.frame.drop(columns=["unit", "label"])
    assert band_names(rasters(), former)["LAI"] == BandName("LAI", "Leaf area index", "m2/m2")  # asks the files
    again = scan_rasters(rasters(), folder, former)
    assert again.read == 0 and catalog_digest(again.frame) == catalog_digest(scanned.frame)
    pd.testing.assert_frame_equal(again.frame, scanned.frame)


def test_labels_and_units_make_nothing_stale_and_a_scale_does(folder):
    def digests(chosen: Rasters) -> list[str]:
        settings = Settings(rasters=chosen)
        catalog = scan_rasters(chosen, folder).frame
        made = [catalog_inputs(Project(folder, settings), {}), digest.of_values([choices_of(settings, None)])]
        return [*made, catalog_digest(catalog), digest.of_values([band.deciding() for band in chosen.channels])]

    plain = digests(rasters())
    assert digests(rasters(unit="m2/m2", label="Leaf area")) == plain
    scaled = digests(rasters(scale=0.1))
    assert all(one != other for one, other in zip(plain, scaled, strict=True))
    assert {"scale", "offset", "unit", "label"}.isdisjoint(rasters().channels[1].deciding())


@pytest.mark.parametrize(
    ("given", "scale", "offset"),
    [({}, 0.5, 0), ({"scale": 0.1}, 0.1, 0), ({"offset": -3.0}, 1, -3), ({"scale": 2.0, "offset": 5.0}, 2, 5)],
)
def test_scale_of_the_settings_replaces_the_files_wherever_pixels_are_read(folder, given, scale, offset):
    chosen = rasters(**given, valid_range=(150, 2000))  # of stored numbers
    expected = np.where((STORED >= 150) & (STORED <= 2000), STORED.astype(float) * scale + offset, np.nan)
    catalog = scan_rasters(chosen, folder).frame
    row = catalog[catalog["year"] == 2012].iloc[0]
    assert [row["mean"], row["min"], row["max"]] == pytest.approx(
        [f(expected) for f in (np.nanmean, np.nanmin, np.nanmax)]
    )
    index = RasterIndex.of_catalog(catalog, chosen.channels, "Elevation")
    [source] = [mosaic.tiles[0].source for (name, step), mosaic in index.mosaics.items() if step.year == 2012]
    with open_raster(row["path"]) as dataset:
        np.testing.assert_allclose(source.read(dataset, Window(0, 0, 60, 40)), expected, rtol=1e-6)
        row_of_tile = int(256 * (1 - math.asinh(math.tan(math.radians(48.8))) / math.pi))
        tile = PageTile.of(9, int(512 * (11.3 + 180) / 360), row_of_tile)
        assert tile is not None
        shown = read_tile(dataset, tile, (), 1, (150, 2000), chosen.channels[1].scaling)
    assert shown is not None and np.isin(shown[np.isfinite(shown)], expected.astype("f4")).all()
    assert np.isfinite(shown).sum() > 1000
    preview = Previews(folder / "previews", chosen)(row)
    np.testing.assert_allclose(preview.values, expected, rtol=1e-6)
    assert preview.stored(preview.values)[20, 20] == STORED[20, 20]


def test_scale_of_classes_and_a_scale_of_zero_are_refused():
    with pytest.raises(ValueError, match="the band LAI has classes, whose codes have no scale or offset"):
        rasters(classes=(1, 2), scale=0.1)
    with pytest.raises(ValueError, match="scale = 0 of the band LAI would make every value equal"):
        rasters(scale=0)


def test_check_shows_labels_and_units_where_any_is_known(folder):
    def shown(chosen: Rasters) -> str:
        found = scan_rasters(chosen, folder).frame
        console = Console(file=StringIO(), width=200)
        console.print(rasters_table(found, band_names(chosen, found)))
        return console.file.getvalue()

    text = shown(rasters(unit="[m]"))
    assert "Leaf area index" in text and "[m]" in text and "label" in text.split("rasters", 2)[1]
    for path in (folder / "yearly").rglob("*.tif"):
        with rasterio.open(path, "r+") as file:
            file.units, file.descriptions = ("",), ("",)
    assert "label" not in shown(rasters())
