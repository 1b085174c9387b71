"""Names in NFD (a Mac's) and NFC are the same names, and hidden files are no data."""

import unicodedata
import zipfile

import geopandas
import numpy as np
import openpyxl
import pytest
import shapely

from soc_assets.geo.named_polygons import regions_of
from soc_assets.geo.polygons import read_vector
from soc_assets.ingest.catalog.find import find_rasters
from soc_assets.settings import Band, Rasters, SoilColumns, SoilTable
from soc_assets.storage.names import visible
from soc_assets_tests.ingest.conftest import write_raster
from soc_assets_tests.ingest.soil.soil_world import write

NAMES = [("NFC", "NFD"), ("NFD", "NFC")]


def spelled(form, text):
    return unicodedata.normalize(form, text)


@pytest.mark.parametrize(("kept", "asked"), NAMES)
def test_tables_sheets_columns_and_ids_are_compared_in_one_spelling(tmp_path, build, kept, asked):
    folder = tmp_path / "soil"
    folder.mkdir()
    book = openpyxl.Workbook()
    book.active.title = spelled(kept, "Böden")
    book.active.append([spelled(kept, name) for name in ("Schlüssel", "Kohlenstöff", "year")])
    book.active.append([spelled(kept, "Grünland 1"), 12, 2015])
    book.save(folder / spelled(kept, "Böden.xlsx"))
    write(folder / spelled(asked, "Örter.csv"), "id,lon,lat", spelled(asked, "Grünland 1") + ",11.5,48.5")
    columns = SoilColumns(id=spelled(asked, "Schlüssel"), organic_carbon=spelled(asked, "Kohlenstöff"))
    entry = SoilTable(
        file=spelled(asked, "böden.*"),
        sheet=spelled(asked, "Böden"),
        columns=columns,
        coordinates_from=spelled(kept, "Örter.csv"),
    )
    sample = build(tables=(entry,)).samples.iloc[0]
    assert sample[["organic_carbon", "longitude", "source"]].to_list() == [12.0, 11.5, spelled("NFC", "Böden")]


def test_a_file_whose_name_a_copy_spells_anew_keeps_its_ids(tmp_path, build):
    ids = []
    for form in ("NFC", "NFD"):
        path = write(tmp_path / "soil" / spelled(form, "Böden.csv"), "id,lon,lat,OC,year", "1,11.5,48.5,10,2015")
        ids.append(build().samples["sample_id"].item())
        path.unlink()
    assert ids[0] == ids[1]


def raster_world(folder, form=None):
    """A tile of Elevation and one of a folder with an umlaut, and what a Mac leaves beside them."""
    name = spelled(form, "Höhen") if form else "dem"
    path = write_raster(folder / name / "N48.tif", np.ones((4, 4), "float32"))
    for hidden in (folder / name / "._N48.tif", folder / "__MACOSX" / name / "._N48.tif", folder / ".old/N48.tif"):
        hidden.parent.mkdir(parents=True, exist_ok=True)
        hidden.write_bytes(b"\0\5\x16\7")
    return path


def elevation(pattern):
    return Rasters(bands=(Band(name="Elevation", kind="static", pattern=pattern),), reference="Elevation")


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["dem/{tile}.tif", "*/{tile}.tif", "dem/*.tif", "{tile}/N48.tif"])
@pytest.mark.parametrize("packed", [False, True])
def test_hidden_rasters_are_none_in_folders_and_zip_files(tmp_path, pattern, packed):
    folder = tmp_path / "rasters"
    raster_world(folder)
    if packed:
        with zipfile.ZipFile(tmp_path / "rasters.zip", "w") as archive:
            for path in folder.rglob("*.tif"):
                archive.write(path, path.relative_to(folder).as_posix())
    found = find_rasters(elevation(pattern), tmp_path / "rasters.zip" if packed else folder)
    assert [file.name for file in found] == ["dem/N48.tif"]


def test_hidden_objects_are_none_unless_the_pattern_asks_for_them():
    names = ["my/N48.tif", "my/._N48.tif", ".cache/N48.tif", "__MACOSX/my/._N48.tif"]
    assert visible(names, "my/{tile}.tif") == ["my/N48.tif"]
    assert visible(names, ".cache/*.tif") == names


@pytest.mark.slow
@pytest.mark.parametrize(("kept", "asked"), NAMES)
def test_patterns_of_rasters_fit_either_spelling(tmp_path, kept, asked):
    path = raster_world(tmp_path / "rasters", kept)
    found = find_rasters(elevation(spelled(asked, "Höhen/{tile}.tif")), tmp_path / "rasters")
    assert [file.path for file in found] == [str(path)]


@pytest.mark.slow
@pytest.mark.parametrize(("kept", "asked"), NAMES)
def test_columns_and_layers_of_regions_fit_either_spelling(tmp_path, kept, asked):
    column = spelled(kept, "Länder")
    frame = geopandas.GeoDataFrame({column: ["x"]}, geometry=[shapely.box(11, 48, 12, 49)], crs="EPSG:4326")
    frame.to_file(tmp_path / "a.gpkg", layer=column)
    frame.to_file(tmp_path / "a.gpkg", layer="other")
    place = tmp_path / f"a.gpkg|layer={spelled(asked, 'Länder')}"
    assert len(read_vector(place, "study.region")) == 1
    samples = geopandas.GeoDataFrame({"longitude": [11.5], "latitude": [48.5]})
    assert regions_of(samples, place, spelled(asked, "Länder")) is not None
