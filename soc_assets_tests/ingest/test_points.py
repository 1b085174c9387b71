import geopandas
import pandas as pd
import pytest

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.points import of_the_file, read_point_table, understood
from soc_assets.mapping.points import read_points
from soc_assets.settings import Soil

UTM_POINT = geopandas.points_from_xy([691000.0], [5334000.0])  # 11.567053 E, 48.130570 N


def read(tmp_path, name, content=None, **how):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    return read_point_table(tmp_path / name, Soil(), **how)


@pytest.mark.parametrize(
    ("name", "content", "how"),
    [
        ("utf16.csv", "lon,lat,year,n\n11.5,48.1,2015,é\n".encode("utf-16"), {}),
        ("windows.csv", "lon;lat;year;Höhe\n11.5;48.1;2015;3\n".encode("cp1252"), {}),
        ("comma.csv", b"lon;lat;year\n11,5;48,1;2015\n", {}),
        ("tab.tsv", b"lon\tlat\tyear\n11,5\t48,1\t2015\n", {}),
        ("pipe.csv", b"lon|lat|date\n11.5|48.1|2015-07-01\n", {"separator": "|"}),
        ("quoted.csv", b'lon,lat,date\n"11,5","48,1",07/31/2015\n', {"decimal": ",", "date_format": "%m/%d/%Y"}),
    ],
)
def test_text_is_read_as_soil_tables_are(tmp_path, name, content, how):
    found = understood(read(tmp_path, name, content, **how)).iloc[0]
    assert (found["longitude"], found["latitude"], found["year"], found["reason"]) == (11.5, 48.1, 2015, "")


@pytest.mark.parametrize("name", ["p.gpkg", "p.shp", "p.geojson", "p.parquet"])
def test_layers_are_moved_to_degrees_and_their_place_stands_beside_their_columns(tmp_path, name):
    layer = geopandas.GeoDataFrame({"year": [2015], "latitude": ["mine"]}, geometry=UTM_POINT, crs=25832)
    layer.to_parquet(tmp_path / name) if name.endswith("parquet") else layer.to_file(tmp_path / name)
    points = read(tmp_path, name)
    assert understood(points)["longitude"].item() == pytest.approx(11.567053, abs=1e-6)
    own = of_the_file(points).iloc[0].to_dict()
    assert own == {"year": 2015, "latitude": "mine", "longitude": 11.5670529, "soc_latitude": 48.1305704}


def test_workbooks_are_read_by_the_sheet_that_has_points_and_several_are_told(tmp_path):
    table = pd.DataFrame({"lon": [11.5], "lat": [48.1], "date": [pd.Timestamp("2015-07-01")]})
    with pd.ExcelWriter(tmp_path / "p.xlsx") as book:
        pd.DataFrame({"note": ["x"]}).to_excel(book, sheet_name="notes", index=False)
        table.to_excel(book, sheet_name="a", index=False)
    found = understood(read(tmp_path, "p.xlsx"))
    assert (found["season"].item(), found["season_year"].item()) == ("summer", 2015)
    with pd.ExcelWriter(tmp_path / "p.xlsx", mode="a") as book:
        table.assign(lon=12.0).to_excel(book, sheet_name="b", index=False)
    with pytest.raises(SoilError, match=r"2 sheets hold points: a, b\. Name one by --layer 'a'"):
        read(tmp_path, "p.xlsx")
    assert understood(read(tmp_path, "p.xlsx", layer="b"))["longitude"].item() == 12.0
    with pytest.raises(SoilError, match="there is no sheet or layer 'c'; it has notes, a, b"):
        read(tmp_path, "p.xlsx", layer="c")


def test_projected_coordinates_are_told_and_read_with_their_crs(tmp_path):
    content = b"lon,lat,year\n691000,5334000,2015\n"
    assert understood(read(tmp_path, "p.csv", content))["reason"].item() == (
        "coordinates outside the world: 691000, 5334000"
    )
    assert understood(read(tmp_path, "p.csv", content, crs="EPSG:25832"))["longitude"].item() == pytest.approx(
        11.567053
    )
    with pytest.raises(SoilError, match=r"p\.csv.*crs = 'EPSG:99' of p\.csv \(--crs EPSG:99\) is not a CRS"):
        read(tmp_path, "p.csv", content, crs="EPSG:99")


def test_columns_of_the_file_stay_whatever_they_are_called(tmp_path):
    header = "id,lon,lat,year,_mine,_longitude,predicted,OC,oc,OC (%)"
    points = read(tmp_path, "p.csv", f"{header}\n007,11.5,48.1,2015,a,b,7,1,2,3\n".encode())
    assert list(of_the_file(points)) == header.split(",")
    assert of_the_file(points).iloc[0].to_list() == ["007", "11.5", "48.1", "2015", "a", "b", "7", "1", "2", "3"]
    with pytest.raises(SoilError, match=r"the column '_soc_assets\.x' has a name that is kept"):
        read(tmp_path, "p.csv", b"lon,lat,_soc_assets.x\n1,2,3\n")


def test_whole_numbers_stay_whole_where_one_is_missing(tmp_path):
    pd.DataFrame({"id": [1, None], "lon": [11.5, 12], "lat": [48.1, 48]}).to_parquet(tmp_path / "p.parquet")
    assert of_the_file(read(tmp_path, "p.parquet")).to_csv(index=False) == "id,lon,lat\n1,11.5,48.1\n,12.0,48.0\n"


def test_rows_without_a_place_are_set_aside_with_what_was_found(tmp_path):
    points = understood(read(tmp_path, "p.csv", b"lon,lat,year\n11.5,48.1,2015.5\n,48,2015\nabc,48,\n0,0,2015\n"))
    assert points["reason"].tolist() == [
        "",
        "no coordinates: lon is empty",
        "no coordinates: lon 'abc' is not a number",
        "no coordinates: 0, 0",
    ]
    assert points["row"].tolist() == [2, 3, 4, 5]
    assert points["year"].isna().tolist() == [True, False, True, False]
    assert points["undated"].tolist()[:3] == [
        "'2015.5' is neither a date nor a year",
        "",
        "there is neither date nor year",
    ]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"lon,lat,year\n11.5,48.1,2015\n11.5,48.1,2015,7\n", "row 3: more fields than the 3 of the header"),
        (b"lon,lat,year\n", "a header but no rows"),
        (b"", "it is empty"),
        (b"x,y\n1,2\n", "no column for longitude and latitude; found x, y"),
    ],
)
def test_what_is_wrong_with_the_whole_file_is_one_sentence(tmp_path, content, match):
    (tmp_path / "p.csv").write_bytes(content)
    with pytest.raises(SoilError, match=rf"p\.csv: .*{match}"):
        read_points(tmp_path / "p.csv")


def test_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(SoilError, match=r"none\.csv does not exist"):
        read_points(tmp_path / "none.csv")


def test_sides_of_the_meridian_and_names_cut_by_shapefiles_are_read_as_in_soil_tables(tmp_path):
    found = understood(read(tmp_path, "a.csv", b"GPS_LONG,GPS_LAT,GPS_EW,year\n3.7,40.1,W,2015\n0.4,40.3,E,2015\n"))
    assert found["longitude"].tolist() == [-3.7, 0.4]
    layer = geopandas.GeoDataFrame({"SURVEY_DATE": ["06-07-15"]}, geometry=UTM_POINT, crs=25832)
    layer.to_file(tmp_path / "p.shp")
    assert understood(read(tmp_path, "p.shp"))[["year", "season"]].iloc[0].tolist() == [2015, "summer"]


def test_two_columns_of_longitudes_are_refused_unless_they_are_the_same(tmp_path):
    assert (
        understood(read(tmp_path, "a.csv", b"lon,longitude,lat,year\n11.5,11.5,48.1,2015\n"))["longitude"].item()
        == 11.5
    )
    with pytest.raises(SoilError, match=r"'longitude' \(column 2\) and 'lon' \(column 1\)"):
        read(tmp_path, "b.csv", b"lon,longitude,lat,year\n11.5,12.5,48.1,2015\n")
