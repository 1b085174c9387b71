"""Dates, hemispheres and years that one row cannot tell, and its column or its file's name can."""

import openpyxl
import pandas as pd
import pytest
from rasterio.transform import from_origin

from soc_assets.errors import SoilError
from soc_assets.geo.grid import WGS84, Grid
from soc_assets.ingest.soil.date_order import order_of_dates
from soc_assets.ingest.soil.files import campaign_of
from soc_assets.settings import SoilTable
from soc_assets_tests.ingest.soil.soil_world import reasons, write


@pytest.fixture
def grid():
    """Iberia and the Bight of Benin: longitude -10 to 10, latitude -20 to 60."""
    return Grid(WGS84, from_origin(-10, 60, 0.01, 0.01), width=2000, height=8000)


def dates(tmp_path, *written):
    lines = [f"{n},{3 + n / 10},40,{10 + n},{day}" for n, day in enumerate(written)]
    return write(tmp_path / "soil/a.csv", "id,lon,lat,OC,date", *lines)


def days(result):
    return result.samples.sort_values("row")["survey_date"].dt.strftime("%Y-%m-%d").to_list()


def places(result):
    rounded = result.samples.sort_values("row")[["longitude", "latitude"]].round(4)
    return [tuple(row) for row in rounded.to_numpy().tolist()]


@pytest.mark.parametrize(
    ("written", "order"),
    [
        (["7/6/2018", "7/14/2018", "12/25/2017"], "month"),
        (["7/6/2018", "14/7/2018"], "day"),
        (["7/6/2018", "1/5/2018"], "day"),
        (["07-14-18 10:30", "01-05-18"], "month"),
        (["99-07-06", "98-12-31"], "year"),
        (["06-07-18", "31-12-17"], "day"),
        (["7.14.2018", "1.5.2018"], "day"),
        (["31/31/2018", "1/5/2018"], "day"),
        (["2018-07-06", "", "soon"], "day"),
    ],
)
def test_order_that_fits_all_dates_is_that_of_the_column(written, order):
    assert order_of_dates(pd.Series(written, dtype="str")) == order


def test_month_first_column_is_read_so_and_told(tmp_path, build):
    dates(tmp_path, "7/6/2018", "7/14/2018", "12/25/2017 00:00")
    result = build()
    assert days(result) == ["2018-07-06", "2018-07-14", "2017-12-25"]
    assert result.tables["dates"].item() == "month first"


def test_column_of_both_orders_is_refused_and_date_format_cures_it(tmp_path, build):
    dates(tmp_path, "7/6/2018", "7/14/2018", "25/12/2017")
    with pytest.raises(SoilError, match=r"'25/12/2017' in row 4 .*'7/14/2018' in row 3 .*date_format = \"%d/%m/%Y\""):
        build()
    result = build(tables=(SoilTable(file="a.csv", date_format="%d/%m/%Y"),))
    assert days(result) == ["2018-06-07", "2017-12-25"]
    assert reasons(result) == {3: "no date"}


def test_number_of_a_day_is_told_as_what_it_is(tmp_path, build):
    dates(tmp_path, "42191", "2015-07-07")
    result = build()
    assert days(result) == ["2015-07-07"]
    assert "42191: the number of a day in Excel (2015-07-06); give the column" in result.rejected["detail"].item()


@pytest.mark.slow
def test_dates_that_a_program_has_half_exchanged_are_refused(tmp_path, build):
    (tmp_path / "soil").mkdir()
    book = openpyxl.Workbook()
    book.active.append(["lon", "lat", "OC", "date"])
    for n in range(6):
        book.active.append([3 + n / 10, 40, 10, pd.Timestamp(2018, 5, n + 2).to_pydatetime()])
        book.active.append([4 + n / 10, 41, 10, f"{n + 14}/05/2018"])
    book.save(tmp_path / "soil/a.xlsx")
    with pytest.raises(SoilError, match=r"'2018-05-02 00:00:00'.*'14/05/2018' in row 3.*exchanged day and month"):
        build()


@pytest.mark.parametrize(("west", "east"), [("W", "E"), ("2", "1"), ("West", "ost"), ("O", "E"), ("W", "O")])
def test_longitudes_without_a_sign_take_their_side(tmp_path, build, west, east):
    header = "POINT_ID,GPS_LAT,GPS_LONG,GPS_EW,OC,year"
    write(tmp_path / "soil/a.csv", header, f"1,40.1,3.7,{west},12,2015", f"2,40.2,0.4,{east},30,2015")
    assert places(build()) == [(-3.7, 40.1), (0.4, 40.2)]


def test_side_that_is_not_known_or_contradicts_the_sign_is_no_place(tmp_path, build):
    rows = ["1,40.1,3.7,W,12,2015", "2,40.2,8.8,8,30,2015", "3,40.3,-3.6,E,5,2015", "4,40.4,-3.5,W,6,2015"]
    write(tmp_path / "soil/a.csv", "POINT_ID,GPS_LAT,GPS_LONG,GPS_EW,OC,year", *rows)
    result = build()
    assert places(result) == [(-3.7, 40.1), (-3.5, 40.4)]
    assert result.rejected["detail"].to_list() == ["8.8 (GPS_EW: 8), 40.2", "-3.6 (GPS_EW: E), 40.3"]


def test_sides_of_the_gps_are_not_those_of_the_theoretical_point(tmp_path, build):
    header = "POINT_ID,TH_LAT,TH_LONG,GPS_LONG,GPS_EW,OC,year"
    write(tmp_path / "soil/a.csv", header, "1,40.1,-3.7,88.888,8,12,2015", "2,40.1,0.1,0.1,W,12,2015")
    assert places(build()) == [(-3.7, 40.1), (0.1, 40.1)]


@pytest.mark.slow
def test_south_is_below_the_equator_and_columns_that_say_no_side_are_not_looked_at(tmp_path, build):
    write(tmp_path / "soil/a.csv", "lat,lon,N_S,EW,OC,year", "6.5,2.5,S,x,12,2015", "6.6,2.6,N,y,12,2015")
    assert places(build()) == [(2.5, -6.5), (2.6, 6.6)]


def test_letters_and_minutes_in_the_values_are_read(tmp_path, build):
    rows = ["3.7 W;40,1° N", "W 3°42'36\";40° 6′ N", "3,7E;40.1", "-3.7;N40.1", "3.7 N;40.1 N", "-3.7 E;40.1"]
    write(tmp_path / "soil/a.csv", "lon;lat;OC;year", *(f"{row};{10 + n};2015" for n, row in enumerate(rows)))
    result = build()
    assert places(result) == [(-3.7, 40.1), (-3.71, 40.1), (3.7, 40.1), (-3.7, 40.1)]
    assert reasons(result) == {6: "no coordinates", 7: "no coordinates"}


@pytest.mark.slow
def test_a_side_that_two_languages_understand_differently_is_refused(tmp_path, build):
    write(tmp_path / "soil/a.csv", "lat,lon,EW,OC,year", "40.1,3.7,O,12,2015")
    with pytest.raises(SoilError, match=r"'EW' says O, which is east in German"):
        build()


@pytest.mark.slow
def test_borrowed_coordinates_have_their_side(tmp_path, build):
    write(tmp_path / "soil/lab.csv", "id,OC,year", "1,12,2015")
    write(tmp_path / "soil/gps.csv", "id,lat,lon,EW", "1,40.1,3.7,W")
    assert places(build(tables=(SoilTable(file="lab.csv", coordinates_from="gps.csv"),))) == [(-3.7, 40.1)]


@pytest.mark.parametrize(
    ("name", "part", "year"),
    [
        ("LUCAS_2009_2015_2018", "", None),
        ("LUCAS-SOIL-2018", "", 2018),
        ("LUCAS_Topsoil_2015_20200323", "", 2015),
        ("LUCAS_TOPSOIL_v1", "", 2009),
        ("LUCAS_TOPSOIL_v1_and_2015", "", None),
        ("LUCAS_2009-12", "", None),
        ("LUCAS2006to2018", "", None),
        ("2009_2015_LUCAS", "", None),
        ("LUCAS_2018", "2009", 2009),
        ("LUCAS_2018", "Sheet1", 2018),
        ("LUCAS", "2009 + 2015", None),
        ("samples_2015", "", None),
    ],
)
def test_name_of_several_campaigns_gives_no_year(name, part, year):
    assert campaign_of(name, part) == year


@pytest.mark.slow
def test_rows_of_several_campaigns_without_dates_have_no_year(tmp_path, build):
    write(tmp_path / "soil/LUCAS_2009_2015_2018.csv", "POINT_ID,GPS_LONG,GPS_LAT,OC", "1,3.7,40.1,12")
    with pytest.raises(SoilError, match="1 no date"):
        build()
    told = (SoilTable(file="LUCAS_2009_2015_2018.csv", year=2015),)
    assert build(tables=told).samples["year"].to_list() == [2015]
