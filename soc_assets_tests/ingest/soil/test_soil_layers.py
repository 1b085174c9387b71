import geopandas
import pandas as pd
import pytest
import shapely

from soc_assets.errors import SoilError
from soc_assets.settings import SoilColumns, SoilTable
from soc_assets_tests.ingest.soil.soil_world import layer, reasons, write


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "soil").mkdir()
    return tmp_path / "soil"


def points(crs: str = "EPSG:4326") -> geopandas.GeoDataFrame:
    columns = {"id": ["a", "b"], "OC": [10.5, 7.0], "date": ["2012-05-01", "2013-05-01"]}
    return layer(columns, [11.25, 11.5], [48.5, 48.25]).to_crs(crs)


def places(result) -> dict[str, tuple[float, float]]:
    found = result.samples
    return {
        str(oc): (round(x, 7), round(y, 7))
        for oc, x, y in zip(found["organic_carbon"], found["longitude"], found["latitude"], strict=True)
    }


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".shp", ".parquet"])
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:25832", "EPSG:3035"])
def test_points_of_every_format_and_crs_become_degrees(folder, build, suffix, crs):
    path, frame = folder / f"points{suffix}", points(crs)
    frame.to_parquet(path) if suffix == ".parquet" else frame.to_file(path)
    result = build()
    assert places(result) == {"10.5": (11.25, 48.5), "7.0": (11.5, 48.25)}
    assert result.samples["year"].sort_values().to_list() == [2012, 2013]
    assert result.rejected.empty


def test_the_point_goes_before_columns_of_coordinates_unless_these_are_mapped(folder, build):
    points().assign(longitude=11.75, latitude=48.75).to_file(folder / "a.gpkg")
    assert places(build())["10.5"] == (11.25, 48.5)
    mapped = SoilTable(file="a.gpkg", columns=SoilColumns(longitude="longitude", latitude="latitude"))
    assert places(build(tables=(mapped,)))["10.5"] == (11.75, 48.75)


def test_layers_of_a_geopackage_are_read_each_or_the_one_named(folder, build):
    points().to_file(folder / "a.gpkg", layer="spring")
    points().assign(OC=[1.0, 2.0]).to_file(folder / "a.gpkg", layer="autumn")
    squares = geopandas.GeoDataFrame({"OC": [1]}, geometry=[shapely.box(11, 48, 12, 49)], crs="EPSG:4326")
    squares.to_file(folder / "a.gpkg", layer="fields")
    result = build()
    assert sorted(result.samples["organic_carbon"]) == [1.0, 2.0, 7.0, 10.5]
    assert set(result.samples["file"]) == {"a.gpkg", "a.gpkg[autumn]"}
    assert "a.gpkg[fields]: its geometries are Polygon" in result.rejected["detail"].item()
    named = build(tables=(SoilTable(file="a.gpkg", layer="autumn"),))
    assert sorted(named.samples["organic_carbon"]) == [1.0, 2.0]


def test_row_without_a_point_is_rejected_and_the_others_kept(folder, build):
    frame = points()
    frame.loc[0, "geometry"] = None
    frame.to_file(folder / "a.gpkg")
    assert reasons(build()) == {2: "no coordinates"}


@pytest.mark.filterwarnings("ignore:'crs' was not provided:UserWarning")
def test_layer_without_crs_takes_the_one_of_the_settings(folder, build):
    points("EPSG:25832").set_crs(None, allow_override=True).to_file(folder / "a.shp")
    with pytest.raises(SoilError, match=r'outside the world.*crs = "EPSG:25832"'):
        build()
    assert places(build(tables=(SoilTable(file="a.shp", crs="EPSG:25832"),)))["10.5"] == (11.25, 48.5)


@pytest.mark.filterwarnings("ignore:'crs' was not provided:UserWarning")
def test_files_of_a_shapefile_are_no_tables_and_a_dbf_alone_is_one(folder, build):
    points().to_file(folder / "A.shp")
    frame = points().drop(columns="geometry").assign(LONG=[11.75, 11.8], LAT=48.75, id=["c", "d"])
    geopandas.GeoDataFrame(frame, geometry=shapely.points([0, 0], [0, 0])).to_file(folder / "b.shp")
    for suffix in (".shp", ".shx"):
        (folder / f"b{suffix}").unlink()
    result = build()
    assert result.samples["file"].value_counts().to_dict() == {"A.shp": 2, "b.dbf": 2}
    assert result.rejected.empty


def test_shapefile_that_lost_its_parts_is_set_aside(folder, build):
    write(folder / "good.csv", "lon,lat,OC,year", "11.5,48.5,10,2012")
    points().to_file(folder / "a.shp")
    for suffix in (".shx", ".dbf"):
        (folder / f"a{suffix}").unlink()
    result = build()
    assert result.samples["file"].to_list() == ["good.csv"]
    assert result.rejected["file"].to_list() == ["a.shp"]


def test_old_workbook_name_on_a_new_workbook_is_read(folder, build):
    frame = pd.DataFrame({"lon": [11.5], "lat": [48.5], "OC": [5], "year": [2012]})
    frame.to_excel(folder / "a.xlsx", index=False)
    (folder / "a.xlsx").rename(folder / "a.xls")
    assert build().samples["organic_carbon"].to_list() == [5.0]


def test_damaged_old_workbook_is_set_aside(folder, build):
    write(folder / "good.csv", "lon,lat,OC,year", "11.5,48.5,10,2012")
    (folder / "a.xls").write_bytes(b"<html>no workbook</html>")
    assert "cannot be read as an XLS workbook" in build().rejected["detail"].item()


def test_names_that_a_shapefile_cuts_off_are_recognised(folder, build):
    frame = points().rename(columns={"OC": "organic_ca", "date": "SURVEY_DAT"})
    frame.to_file(folder / "a.shp")
    assert build().samples["year"].sort_values().to_list() == [2012, 2013]


def test_layer_without_dates_beside_its_table_brings_no_sample_twice(folder, build):
    frame = points()
    frame.drop(columns=["date"]).assign(OC=0.0).to_file(folder / "a.gpkg")
    flat = frame.drop(columns="geometry").assign(lon=frame.geometry.x, lat=frame.geometry.y)
    flat.to_csv(folder / "a.csv", index=False)
    result = build(timed=False)
    assert sorted(result.samples["organic_carbon"]) == [7.0, 10.5]
    assert result.rejected["reason"].to_list() == ["duplicate"] * 2
