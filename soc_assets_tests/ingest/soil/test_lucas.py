"""LUCAS as ESDAC ships it: column names and quirks are real, the rows are made up."""

from datetime import date

import pandas as pd
import pytest

from soc_assets.settings import SoilTable
from soc_assets_tests.ingest.soil.soil_world import LUCAS_HEADER, layer, lucas_row, reasons, write, write_xls

HEADER_2009 = "POINT_ID,sample_ID,coarse,clay,silt,sand,pH_in_H2O,pH_in_CaCl2,OC,CaCO3,N,P,K,CEC,GPS_LAT,GPS_LONG"
HEADER_2015 = (
    "Point_ID,Coarse,Clay,Silt,Sand,pH(CaCl2),pH(H2O),EC,OC,CaCO3,P,N,K,Elevation,NUTS_0,LC1,LU1,soil_taken,"
    "Revisited_point,LC0_Desc"
)


def row_2015(point: int, oc: str) -> str:
    return f"{point},20,19,45,36,4.1,4.8,8.7,{oc},3,< LOD,1.1,101.9,-50,DE,C10,U120,Yes,No,Grünland"


def shapefile_2015(path, points, carbon):
    path.parent.mkdir(parents=True, exist_ok=True)
    x = [11.1 + n / 10 for n in range(len(points))]
    columns = {"Point_ID": points, "OC": carbon, "Elevation": [4001.0] * len(points)}
    layer(columns, x, [48.5] * len(points)).to_file(path)
    return x


def test_2009_workbook_in_xls_takes_its_year_from_the_name(tmp_path, build):
    header = HEADER_2009.split(",")
    rows = [
        [4300001, 26.0, 5, 20, 40, 40, 4.3, 4.1, oc, 3, 1.1, 30, 60, 12.1, 48.5, 11.5 + n / 10]
        for n, oc in enumerate([12.5, "<6", -999])
    ]
    write_xls(tmp_path / "soil/LUCAS_TOPSOIL_v1.xls", [header, *rows])
    result = build()
    sample = result.samples.iloc[0]
    assert (sample["organic_carbon"], sample["longitude"], sample["latitude"]) == (12.5, 11.5, 48.5)
    assert (sample["year"], sample["row"], sample["source"]) == (2009, 2, "LUCAS_TOPSOIL_v1")
    assert reasons(result) == {3: "below detection limit", 4: "organic carbon negative"}
    assert result.tables["years"].item() == "2009 from the file's name"


def test_days_in_xls_are_days(tmp_path, build):
    rows = [["POINT_ID", "GPS_LAT", "GPS_LONG", "OC", "date"], [7, 48.5, 11.5, 9.0, date(2012, 5, 1)]]
    write_xls(tmp_path / "soil/a.xls", rows)
    assert build().samples["survey_date"].to_list() == [pd.Timestamp(2012, 5, 1)]


def test_2012_shapefile_of_bulgaria_and_romania_is_read_in_its_own_crs(tmp_path, build):
    columns = {"POINT_ID": [5200001.0], "OC": ["18.1"], "LONG": [0.0], "LAT": [0.0]}
    path = tmp_path / "soil/SoilAttr_LUCAS_2012_BG_RO.shp"
    path.parent.mkdir()
    layer(columns, [4432000.0], [2815000.0], "EPSG:3035").to_file(path)
    result = build()
    sample = result.samples.iloc[0]
    assert (sample["year"], sample["organic_carbon"]) == (2012, 18.1)
    assert 11.4 < sample["longitude"] < 11.6
    assert 48.3 < sample["latitude"] < 48.5
    assert result.rejected.empty


def test_2009_spectral_table_with_dates_of_named_months_is_read(tmp_path, build):
    write(tmp_path / "soil/LUCAS.SOIL_corr.csv", "POINT_ID,GPS_LONG,GPS_LAT,OC,SURV_DATE", "1,11.5,48.5,9.1,12MAY2009")
    assert build().samples["survey_date"].to_list() == [pd.Timestamp(2009, 5, 12)]


def test_2015_table_alone_is_set_aside_with_the_cure(tmp_path, build):
    write(tmp_path / "soil/LUCAS_Topsoil_2015_20200323.csv", HEADER_2015, row_2015(1, "20.1"), encoding="latin-1")
    write(tmp_path / "soil/LUCAS-SOIL-2018.csv", LUCAS_HEADER, lucas_row(1, "12.4"))
    result = build()
    assert len(result.samples) == 1
    refused = result.rejected.iloc[0]
    assert (refused["file"], refused["reason"]) == ("LUCAS_Topsoil_2015_20200323.csv", "columns not recognised")
    for part in ("no column for longitude, latitude", "beside it", ".shp", "coordinates_from"):
        assert part in refused["detail"]


@pytest.mark.parametrize("name", ["LUCAS_Topsoil_2015_20200323.shp", "lucas 2015 points.gpkg"])
def test_2015_table_takes_the_points_of_the_layer_beside_it_and_no_sample_comes_twice(tmp_path, build, name):
    carbon = ["20.1", "< LOD", "7.5", "9.9"]
    lines = [row_2015(n, oc) for n, oc in enumerate(carbon)]
    write(tmp_path / "soil/LUCAS_Topsoil_2015_20200323.csv", HEADER_2015, *lines, encoding="latin-1")
    x = shapefile_2015(tmp_path / "soil" / name, [0, 1, 2, 3, 77], [20.1, 0.0, 7.0, 9.9, 55.0])
    result = build()
    kept = result.samples.sort_values("longitude")
    assert kept["organic_carbon"].to_list() == [20.1, 7.5, 9.9, 55.0]
    assert kept["longitude"].to_list() == pytest.approx([x[0], x[2], x[3], x[4]])
    assert set(kept["year"]) == {2015}
    assert kept["file"].to_list() == ["LUCAS_Topsoil_2015_20200323.csv"] * 3 + [name]
    counted = result.rejected.groupby("file")["reason"].value_counts().to_dict()
    assert counted == {
        ("LUCAS_Topsoil_2015_20200323.csv", "below detection limit"): 1,
        (name, "duplicate"): 4,
    }
    told = result.tables.set_index("file")["columns"]["LUCAS_Topsoil_2015_20200323.csv"]
    assert f"longitude = the point's x of {name}" in told


def test_layer_of_places_alone_is_no_table_of_samples_and_no_complaint(tmp_path, build):
    write(tmp_path / "soil/LUCAS_Topsoil_2015_20200323.csv", HEADER_2015, row_2015(1, "20.1"), row_2015(2, "3"))
    path = tmp_path / "soil/LUCAS_Topsoil_2015_20200323.shp"
    layer({"Point_ID": [2, 1, 3]}, [11.2, 11.1, 11.3], [48.5] * 3).to_file(path)
    result = build()
    assert dict(zip(result.samples["organic_carbon"], result.samples["longitude"], strict=True)) == {
        20.1: 11.1,
        3: 11.2,
    }
    assert result.rejected.empty


def test_points_of_another_campaign_are_not_taken(tmp_path, build):
    write(tmp_path / "soil/LUCAS_Topsoil_2015_20200323.csv", HEADER_2015, row_2015(1, "20.1"))
    write(tmp_path / "soil/LUCAS-SOIL-2018.csv", LUCAS_HEADER, lucas_row(1, "12.4"))
    assert build().samples["year"].to_list() == [2018]


def test_points_that_know_few_of_the_ids_are_not_taken(tmp_path, build):
    lines = [row_2015(n, "5") for n in range(10)]
    write(tmp_path / "soil/LUCAS_2015_lab.csv", HEADER_2015, *lines)
    shapefile_2015(tmp_path / "soil/LUCAS_2015_other.shp", [8, 9, 10, 11], [1.0, 2.0, 3.0, 4.0])
    result = build()
    assert set(result.samples["file"]) == {"LUCAS_2015_other.shp"}
    assert "no column for longitude" in result.rejected["detail"].item()


def test_coordinates_come_from_the_table_that_the_settings_name(tmp_path, build):
    write(tmp_path / "soil/Labor.csv", "id;OC;date", "P1;10,5;01.05.2012", "P2;7,5;01.05.2012", "P9;3;01.05.2012")
    write(tmp_path / "soil/Standorte.csv", "id;longitude;latitude", "P2;11,25;48,5", "P1;11,5;48,5", "P3;11;48")
    result = build(tables=(SoilTable(file="labor.csv", coordinates_from="Standorte.csv"),))
    assert dict(zip(result.samples["organic_carbon"], result.samples["longitude"], strict=True)) == {
        10.5: 11.5,
        7.5: 11.25,
    }
    assert reasons(result) == {4: "no coordinates"}


def test_2018_in_three_formats_is_read_once(tmp_path, build):
    rows = [lucas_row(n, oc, longitude=f"11.{n}") for n, oc in enumerate(["12.4", "< LOD", "30"], start=1)]
    path = write(tmp_path / "soil/LUCAS-SOIL-2018.csv", LUCAS_HEADER, *rows, encoding="latin-1")
    frame = pd.read_csv(path, encoding="latin-1")
    frame.to_excel(path.with_suffix(".xlsx"), index=False)
    frame["OC"] = [12.0, 0.0, 30.0]  # a format that cannot say < LOD
    layer(frame[["POINTID", "OC"]].to_dict("list"), frame["TH_LONG"], frame["TH_LAT"]).to_file(path.with_suffix(".shp"))
    result = build()
    assert sorted(result.samples["organic_carbon"]) == [12.4, 30.0]
    assert set(result.samples["file"]) == {"LUCAS-SOIL-2018.csv"}
    counted = result.rejected["reason"].value_counts().to_dict()
    assert counted == {"duplicate": 6, "below detection limit": 1}
    details = result.rejected.set_index(["file", "row"])["detail"]
    assert details["LUCAS-SOIL-2018.shp", 3] == "the same as LUCAS-SOIL-2018.csv row 3"


def test_files_of_one_name_that_hold_different_points_are_both_kept(tmp_path, build):
    write(tmp_path / "soil/plots.csv", "id,lon,lat,OC,year", "1,11.5,48.5,10,2012")
    (tmp_path / "soil/plots.xlsx").unlink(missing_ok=True)
    frame = pd.DataFrame({"id": [1], "lon": [11.6], "lat": [48.5], "OC": [11], "year": [2012]})
    frame.to_excel(tmp_path / "soil/plots.xlsx", index=False)
    assert sorted(build().samples["organic_carbon"]) == [10.0, 11.0]


def test_year_of_the_name_counts_only_where_the_table_has_no_dates(tmp_path, build):
    write(tmp_path / "soil/LUCAS-SOIL-2018.csv", LUCAS_HEADER, lucas_row(1, "5", date=""), lucas_row(2, "6"))
    result = build()
    assert len(result.samples) == 1
    assert reasons(result) == {2: "no date"}
