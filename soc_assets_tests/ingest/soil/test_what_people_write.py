"""Tables as people keep them: minutes beside degrees, signs beside values, means below, a second table, units above."""

import openpyxl
import pandas as pd
import pytest

from soc_assets.errors import SoilError
from soc_assets.ingest.quality.carbon import carbon_findings
from soc_assets.ingest.quality.columns import column_findings
from soc_assets.ingest.soil.carbon_units import G_PER_KG
from soc_assets.ingest.soil.degree_columns import minute_columns
from soc_assets.ingest.soil.depth import depth_limits
from soc_assets.ingest.soil.headers import without_unit
from soc_assets.ingest.soil.hemispheres import read_axis
from soc_assets.ingest.soil.points import read_point_table, understood
from soc_assets.ingest.soil.values import below_detection, is_missing, to_dates, to_numbers
from soc_assets.settings import Soil, SoilColumns, SoilTable
from soc_assets_tests.ingest.soil.soil_world import write

HEADER = "id,longitude,latitude,OC,year"


def text(*cells):
    return pd.Series(cells, dtype="str")


def carbon(result):
    return dict(zip(result.samples["row"], result.samples["organic_carbon"], strict=True))


def workbook(path, *rows, merged=()):
    path.parent.mkdir(exist_ok=True)
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in rows:
        sheet.append(row)
    for cells in merged:
        sheet.merge_cells(cells)
    book.save(path)
    return path


@pytest.mark.parametrize(
    ("names", "cells"),
    [
        ("lat_deg,lat_min,lat_sec,lon_deg,lon_min,lon_sec", "48,30,36,11,30,0"),
        ("Lat,Lat_M,Lon,Lon_M", "48,30.6,11,30"),
        ("latdegrees,latminutes,latseconds,latdir,longdegrees,longminutes,longseconds,longdir", "48,30,36,N,11,30,0,E"),
    ],
)
def test_minutes_in_columns_of_their_own_belong_to_the_degrees(tmp_path, build, names, cells):
    write(tmp_path / "soil/a.csv", f"OC,year,{names}", f"12,2015,{cells}")
    sample = build().samples.iloc[0]
    assert (sample["longitude"], sample["latitude"]) == pytest.approx((11.5, 48.51))
    write(tmp_path / "p.csv", f"year,{names}", f"2015,{cells}")
    point = understood(read_point_table(tmp_path / "p.csv", Soil())).iloc[0]
    assert (point["longitude"], point["latitude"]) == pytest.approx((11.5, 48.51))


def test_degrees_without_their_minutes_are_no_place_and_decimal_degrees_need_none(tmp_path, build):
    header = "OC,year,lat_deg,lat_min,lon_deg,lon_min"
    write(tmp_path / "soil/a.csv", header, "12,2015,48,30,11,30", "13,2015,48,,11,30")
    result = build()
    assert carbon(result) == {2: 12}
    assert result.rejected["detail"].item() == "11.5, 48 (degrees, minutes, seconds)"
    write(tmp_path / "soil/a.csv", header, "12,2015,48.5,30,11.5,30")
    assert build().samples[["longitude", "latitude"]].iloc[0].to_list() == [11.5, 48.5]
    assert minute_columns(["lat", "lat_min", "lat_max"], 0) == {}


def test_degrees_parted_by_blanks_colons_or_letters_are_read():
    written = text("11 30 36", "11:30:36", "11d30m36sE", "3 30 0 W", "-3 30", "11 75 0", "11°30´36´´")
    axis = read_axis(pd.DataFrame({"longitude": written}), {"longitude": "lon"}, "longitude", True, degrees=True)
    assert axis.values.round(6).fillna(99).to_list() == [11.51, 11.51, 11.51, -3.5, -3.5, 99, 11.51]


def test_side_in_the_name_of_a_column_counts(tmp_path, build):
    write(tmp_path / "soil/a.csv", "Longitude (°E),Latitude (°N),OC,year", "11.5,48.5,12,2015")
    assert build().samples["longitude"].item() == 11.5
    west = read_axis(pd.DataFrame({"longitude": text("3.5")}), {"longitude": "Lon °W"}, "longitude", True, degrees=True)
    assert west.values.item() == -3.5


def test_means_at_the_end_are_no_samples_and_the_same_word_in_an_id_is(tmp_path, build):
    rows = ("MW,11.4,48.5,9,2015", "2,11.5,48.5,12,2015", "Mittelwert,11.45,48.5,10.5,2015", "Max.,11.5,48.5,12,2015")
    write(tmp_path / "soil/a.csv", HEADER, *rows, "", "* by dry combustion,,,,")
    result = build()
    assert carbon(result) == {2: 9, 3: 12}
    assert result.rejected["reason"].to_list() == ["summary row", "summary row", "no coordinates"]


def test_last_row_with_an_id_is_a_sample_whatever_its_other_words(tmp_path, build):
    write(tmp_path / "soil/a.csv", "id,use,longitude,latitude,OC,year", "B,Total,11.5,48.5,12,2015")
    assert carbon(build()) == {2: 12}


def test_rows_of_a_second_table_below_are_not_read_by_the_names_of_the_first(tmp_path, build):
    second = ("id,longitude,latitude,year,OC", "2,11.4,48.5,30,2015")
    write(tmp_path / "soil/a.csv", HEADER, "1,11.5,48.5,12,2015", HEADER, "3,11.45,48.5,14,2015", "", *second)
    result = build(timed=False)
    assert carbon(result) == {2: 12, 4: 14}
    assert result.rejected["reason"].to_list() == ["no coordinates", *["another table below"] * 2]
    assert "row 6 holds other names (id, longitude, latitude, year, OC)" in result.rejected["detail"].iloc[-1]
    write(tmp_path / "p.csv", "lon,lat", "11.5,48.5", "lat,lon", "48.5,11.5")
    reasons = understood(read_point_table(tmp_path / "p.csv", Soil()))["reason"]
    assert reasons.str.startswith("another table below: row 3 holds other names (lat, lon)").to_list() == [0, 1, 1]


def test_units_above_the_names_and_names_above_the_units(tmp_path, build):
    write(tmp_path / "soil/a.csv", ",°,°,%,", "id,longitude,latitude,Corg,year", "1,11.5,48.5,1.25,2015")
    assert carbon(build()) == {3: 12.5}
    (tmp_path / "soil/a.csv").unlink()
    rows = (
        ["Soils of Bavaria"],
        ["Profil", "Lage", None, "Tiefe", None, "Corg", "Datum"],
        [None, "Rechtswert", "Hochwert", "von", "bis", "[%]", None],
        ["P1", 4468000, 5363500, 0, 20, "1,25", "06.07.2015"],
    )
    workbook(tmp_path / "soil/LfU.xlsx", *rows, merged=("A2:A3", "B2:C2", "D2:E2"))
    columns = SoilColumns(id="Profil", longitude="Rechtswert", latitude="Hochwert", survey_date="Datum")
    result = build(tables=(SoilTable(file="LfU.xlsx", crs="EPSG:31468", columns=columns),))
    sample = result.samples.iloc[0]
    assert (sample["organic_carbon"], sample["own_id"], sample["year"]) == (12.5, "P1", 2015)
    assert "organic_carbon = Corg [%]" in result.tables["columns"].item()


@pytest.mark.parametrize("header", ["OC_qual,OC", ",OC", "VZ,OC", "OC,OC sign"])
def test_sign_in_a_column_of_its_own_belongs_to_the_value(tmp_path, build, header):
    first = header.startswith("OC,")
    values = ("2.0,<", "12.5,", "9,=") if first else ("<,2.0", ",12.5", "=,9")
    rows = [f"11.{n},48.5,{value},2015" for n, value in enumerate(values, start=3)]
    write(tmp_path / "soil/a.csv", f"longitude,latitude,{header},year", *rows)
    result = build()
    assert carbon(result) == {3: 12.5, 4: 9}
    assert result.rejected[["reason", "detail"]].iloc[0].to_list() == ["below detection limit", "< 2.0"]
    assert carbon(build(below_detection="half_limit"))[2] == 1.0


def test_sign_of_the_next_value_is_not_that_of_carbon_and_is_told(tmp_path, build):
    write(tmp_path / "soil/a.csv", "longitude,latitude,OC,N_sign,N,year", "11.5,48.5,12,<,0.1,2015")
    result = build()
    assert carbon(result) == {2: 12}
    assert "the column 'N_sign' holds signs" in result.tables["notes"].item()


@pytest.mark.parametrize(
    ("crs", "zone", "other"), [("EPSG:25832", "32U", "33"), ("EPSG:31468", "4", "3"), ("EPSG:25832", "32", "31")]
)
def test_rows_of_another_zone_are_not_read_in_the_crs_of_the_table(tmp_path, build, crs, zone, other):
    x, y = ("684000", "5376000") if crs == "EPSG:25832" else ("4468000", "5373000")
    name = "UTM_Zone" if crs == "EPSG:25832" else "Streifen"
    write(tmp_path / "soil/a.csv", f"{name},x,y,OC,year", f"{zone},{x},{y},12,2015", f"{other},{x},{y},13,2015")
    columns = SoilColumns(longitude="x", latitude="y")
    result = build(tables=(SoilTable(file="a.csv", crs=crs, columns=columns),))
    assert carbon(result) == {2: 12}
    assert result.rejected["reason"].item() == "coordinates of another zone"
    assert f"{name}: {other}; the table is read as {crs}" in result.rejected["detail"].item()


def test_numbers_are_read_whatever_parts_their_thousands():
    written = text("4 468 000,5", "4\u00a0468\u00a0000", "2'683'000", "4,468,000.5", "1,234,567", "1,250", "11 34 08")
    assert to_numbers(written, True).fillna(-1).to_list() == [4468000.5, 4468000, 2683000, 4468000.5, 1234567, 1.25, -1]
    assert to_numbers(written, False).fillna(-1).to_list()[3:] == [4468000.5, 1234567, -1, -1]


@pytest.mark.parametrize(("number", "thousands"), [("12,500", "."), ("12.500", ",")])
def test_milligrams_that_may_be_thousands_are_refused_until_the_decimal_sign_is_told(
    tmp_path, build, number, thousands
):
    place = "11.5;48.5" if thousands == "." else "11,5;48,5"
    write(tmp_path / "soil/a.csv", "longitude;latitude;OC (mg/kg);year", f"{place};{number};2015")
    with pytest.raises(SoilError, match=rf"'{number}' \(row 2.*may be 12500 or 12\.500\. Set decimal = '\{thousands}'"):
        build()
    assert carbon(build(tables=(SoilTable(file="a.csv", decimal=thousands),))) == {2: 12.5}


def test_dates_in_the_languages_of_europe_and_months_without_a_day():
    days = {
        **{"July 6, 2015": "2015-07-06", "6 juin 2015": "2015-06-06", "06JUL2015:00:00:00": "2015-07-06"},
        **{"15 août 2015": "2015-08-15", "12 dic 2015": "2015-12-12", "2015-Jul-06": "2015-07-06"},
        **{"20150706T101500Z": "2015-07-06", "2015-07-06Z": "2015-07-06"},
    }
    dates, _ = to_dates(text(*days))
    assert dates.dt.strftime("%Y-%m-%d").to_list() == [*days.values()]
    dates, years = to_dates(text("2015-07", "07.2015", "Juli 2015", "6 jui 2015", "5.marraskuuta 2015"))
    assert dates.isna().all() and years.fillna(0).to_list() == [2015, 2015, 2015, 0, 0]
    assert to_dates(text("2015/16", "2015/12"))[1].isna().all()


def test_dates_that_are_not_read_say_what_they_are(tmp_path, build):
    days = ("1436140800000", "42191", "1887-05-01")
    header = "id,longitude,latitude,OC,date"
    write(tmp_path / "soil/a.csv", header, "0,11.5,48.5,9,2015", *(f"{day},11.5,48.5,12,{day}" for day in days))
    write(tmp_path / "soil/b.csv", HEADER, "1,11.5,48.5,12,42191")
    told = build().rejected["detail"].to_list()
    assert "milliseconds since 1970 (2015-07-06)" in told[0] and "before 1900" in told[2]
    assert "number of a day in Excel (2015-07-06)" in told[1] and told[3] == told[1]


def test_year_that_contradicts_its_date_is_told(tmp_path, build):
    write(tmp_path / "soil/a.csv", f"{HEADER},date", "1,11.5,48.5,12,2015,2015-06-01", "2,11.5,48.5,13,2015,2019-03-02")
    finding = column_findings(build().tables, "Elevation")[0]
    assert "1 of 2 dates are of another year" in finding.found and "row 3, 2019-03-02, 2015" in finding.found
    assert "rename their column" in finding.cure


def test_words_for_nothing_and_for_less_than_can_be_seen():
    assert is_missing(text("k.A.", "n.b.", "--", "#NV", "\\N")).all()
    assert below_detection(text("n.n.", "u.N.G.", "n.d.", "b.d.l.", "< BG"), True)[0].all()


@pytest.mark.parametrize(
    ("name", "grams"),
    [("OC (dg/kg)", 0.1), ("OC kg/kg", 1000), ("OC (g/g)", 1000), ("% C org", 10), ("C org. [Ma.-%]", 10)],
)
def test_further_units_in_names(name, grams):
    words, unit = without_unit(name, "carbon")
    assert words in ("oc", "c_org") and G_PER_KG[unit or ""] == grams


def test_depths_in_other_spellings_and_those_that_are_not_understood(tmp_path, build):
    nothing = text(*[""] * 5)
    limits = depth_limits(text("0-20 (cm)", "0_20", "0/20", "0-.2 m", "0 à 20"), nothing, nothing)
    assert (limits["top"] == 0).all() and limits["bottom"].to_list() == pytest.approx([20] * 5)
    rows = ("12,11.5,48.5,2015,0-20", "13,11.5,48.5,2015,Oberboden", "14,11.5,48.5,2015,20-40")
    write(tmp_path / "soil/a.csv", "OC,longitude,latitude,year,depth", *rows)
    assert build().rejected["reason"].to_list() == ["depth not understood", "depth not topsoil"]


def test_metres_without_a_unit_are_suspected_and_the_cure_works(tmp_path, build):
    rows = ("12,11.5,48.5,2015,0,0.2", "13,11.4,48.5,2015,0,0.3")
    write(tmp_path / "soil/a.csv", "OC,longitude,latitude,year,top,bottom", *rows)
    with pytest.raises(SoilError, match=r"0-0\.2 cm: in m\? Then write the unit behind .* 'bottom \(m\)'"):
        build()
    write(tmp_path / "soil/a.csv", "OC,longitude,latitude,year,top (m),bottom (m)", *rows)
    assert carbon(build()) == {2: 12}


def test_depth_in_the_name_of_a_file_is_told_where_none_is_read(tmp_path, build):
    write(tmp_path / "soil/soil_20-30cm.csv", HEADER, "1,11.5,48.5,12,2015")
    assert "the file's name says 'soil_20-30cm', and 0-20 cm is wanted" in build().tables["notes"].item()
    assert build(depth="20-30").tables["notes"].item() == ""


def test_text_of_other_programs(tmp_path, build):
    lines = "\n".join([HEADER, "1,11.5,48.5,12,2015", ""])
    (tmp_path / "soil").mkdir()
    (tmp_path / "soil/a.csv").write_bytes(lines.encode("utf-16-le"))  # without a mark
    assert carbon(build()) == {2: 12}
    write(tmp_path / "soil/a.csv", *(f'"{line}"' for line in lines.split("\n")[:2]))
    assert carbon(build()) == {2: 12}
    write(tmp_path / "soil/a.csv", HEADER, "1,a,11.5,48.5,12,2015", "2,b,11.5,48.5,13,2015")
    with pytest.raises(SoilError, match=r"R writes so without row\.names = FALSE"):
        build()


def test_a_few_zeros_among_numbers_that_occur_once_are_told():
    numbers = [0.0] * 4 + [10 + n / 7 for n in range(60)]
    samples = pd.DataFrame({"organic_carbon": numbers, "file": "a.csv", "row": range(64)})
    tables = pd.DataFrame({"file": ["a.csv"], "unit": ["g/kg"], "below_detection": ["reject"]})
    assert "organic carbon is 0 in 4 of 64 rows" in carbon_findings(samples, tables)[0].found


def test_damaged_part_of_a_workbook_is_told(tmp_path, build):
    path = workbook(tmp_path / "soil/a.xlsx", HEADER.split(","), [1, 11.5, 48.5, 12, 2015])
    book = openpyxl.load_workbook(path)
    book.create_chartsheet("empty")
    book.save(path)
    with pytest.raises(SoilError, match=r"a\.xlsx: it cannot be read as an XLSX workbook"):
        build()


def test_days_of_layers_stay_days_in_summer_and_winter(tmp_path, build):
    (tmp_path / "soil").mkdir()
    point = '"geometry": {"type": "Point", "coordinates": [11.5, 48.5]}'
    days = ("2015-07-06T00:00:00+02:00", "2016-01-01T00:00:00+01:00")
    features = [f'{{"type": "Feature", "properties": {{"OC": 12, "date": "{day}"}}, {point}}}' for day in days]
    (tmp_path / "soil/a.geojson").write_text(f'{{"type": "FeatureCollection", "features": [{", ".join(features)}]}}')
    assert sorted(build().samples["survey_date"].dt.strftime("%Y-%m-%d")) == ["2015-07-06", "2016-01-01"]


def test_midnights_that_were_moved_to_utc_are_told(tmp_path, build):
    header = "id,longitude,latitude,OC,date"
    write(
        tmp_path / "soil/a.csv", header, "1,11.5,48.5,12,2015-07-05 22:00:00+00:00", "2,11.5,48.4,12,2015-12-31T23:00Z"
    )
    finding = column_findings(build().tables, "Elevation")[0]
    assert "each is read a day early" in finding.found and "as local days" in finding.cure


def test_decimal_degrees_in_the_name_are_the_place(tmp_path, build):
    write(tmp_path / "soil/a.csv", "longitude_decimal_degrees,latitude_decimal_degrees,OC,year", "11.5,48.5,12,2015")
    assert carbon(build()) == {2: 12}
