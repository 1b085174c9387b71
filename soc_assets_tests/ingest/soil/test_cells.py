"""What a cell of a workbook, or a number of a layer, means: not always what is stored."""

from datetime import date, datetime
from decimal import Decimal

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.number_formats import shown
from soc_assets.settings import SoilColumns, SoilTable
from soc_assets_tests.ingest.soil.soil_world import layer, reasons, write, write_xls

HEADER = ["id", "longitude", "latitude", "OC", "year"]


def workbook(path, *rows, formats=None, hidden=None, merged=()):
    """A workbook of one sheet; `formats` by cell, `hidden` rows and columns, `merged` ranges."""
    path.parent.mkdir(parents=True, exist_ok=True)
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for cell, form in (formats or {}).items():
        book.active[cell].number_format = form
    for name in hidden or ():
        dimensions = book.active.row_dimensions if isinstance(name, int) else book.active.column_dimensions
        dimensions[name].hidden = True
    for cells in merged:
        book.active.merge_cells(cells)
    book.save(path)
    return path


@pytest.mark.parametrize(
    ("value", "number_format", "said"),
    [
        (0.021, "0.00%", "2.1 %"),
        (0.07, "0%", "7 %"),
        (2.1, '0.0" %"', "2.1 %"),
        (2.1, r"0.0\%", "2.1 %"),
        (-0.02, "0%;[Red]-0%", "-2 %"),
        (12500, "0.0,", 12.5),
        (2_500_000, '#,##0.0,,"M"', 2.5),
        (12500, "#,##0", 12500),
        (12.5, '_-* #,##0.00_-;-* #,##0.00_-;_-* "-"??_-;_-@_-', 12.5),
        (2, '"<"0.0', "< 2"),
        (3.5, "[<2]0.0;0.00", 3.5),
    ],
)
def test_number_is_what_its_cell_shows(value, number_format, said):
    assert shown(value, number_format) == said


def test_column_after_a_blank_name_keeps_its_own(tmp_path, build):
    workbook(
        tmp_path / "soil/a.xlsx",
        ["id", "year", "longitude", "latitude", None, "OC", "remark", None],
        [1, 2015, 11.5, 48.5, 6.5, 20, None, "a word without a name over it"],
    )
    result = build()
    assert result.samples["organic_carbon"].to_list() == [20.0]
    assert result.rejected.empty


def test_cells_in_per_cent_are_per_cent(tmp_path, build):
    rows = [[1, 11.5, 48.5, 0.021, 2015], [2, 11.6, 48.5, 0.0345, 2015]]
    workbook(tmp_path / "soil/a.xlsx", HEADER, *rows, formats={"D2": "0.00%", "D3": "0.0%"})
    result = build()
    assert result.samples.sort_values("row")["organic_carbon"].to_list() == [21.0, 34.5]
    assert result.tables["unit"].item() == "%"
    told = build(tables=(SoilTable(file="a.xlsx", unit="organic_matter_%"),)).samples.sort_values("row")
    assert told["organic_carbon"].to_list() == pytest.approx([21 / 1.724, 34.5 / 1.724])


@pytest.mark.slow
def test_per_cent_as_text_is_per_cent(tmp_path, build):
    write(tmp_path / "soil/a.csv", "lon;lat;OC;year", "11,5;48,5;2,1 %;2015", "11,6;48,5;< 0,2%;2015")
    result = build(below_detection="half_limit")
    assert result.samples.sort_values("row")["organic_carbon"].to_list() == [21.0, 1.0]


def test_per_cent_that_contradicts_the_settings_or_its_neighbours_is_refused(tmp_path, build):
    rows = [[1, 11.5, 48.5, 0.021, 2015], [2, 11.6, 48.5, 2.1, 2015]]
    workbook(tmp_path / "soil/a.xlsx", HEADER, *rows, formats={"D2": "0.00%"})
    with pytest.raises(SoilError, match=r"row 2: '2.1 %'.*row 3: '2.1'.*unit = '%'"):
        build()
    with pytest.raises(
        SoilError, match=r"row 2 of 'OC' \('2.1 %'\) says %.*unit = 'g/kg'. Correct unit, or take it out"
    ):
        build(tables=(SoilTable(file="a.xlsx", unit="g/kg"),))
    cured = build(tables=(SoilTable(file="a.xlsx", unit="%"),))
    assert cured.samples["organic_carbon"].to_list() == [21.0, 21.0]


def test_hidden_rows_and_columns_are_left_out_and_told(tmp_path, build):
    header = ["id", "longitude", "latitude", "OC", "Corg", "year"]
    rows = [[n, 11.5 + n / 10, 48.5, 10 + n, 90 + n, 2015] for n in range(3)]
    workbook(tmp_path / "soil/a.xlsx", header, *rows, hidden=[3, "D"])
    with pytest.raises(SoilError, match=r"left out: hidden columns D \(OC\); hidden rows 3; show what"):
        build()
    workbook(tmp_path / "soil/a.xlsx", header, *rows, hidden=[3, "E"])
    result = build()
    assert sorted(result.samples["organic_carbon"]) == [10.0, 12.0]
    assert reasons(result) == {3: "hidden row"}
    assert result.tables["left_out"].item() == "hidden columns E (Corg); hidden rows 3"
    named = build(columns=SoilColumns(organic_carbon="Corg"))
    assert sorted(named.samples["organic_carbon"]) == [90.0, 92.0]


@pytest.mark.slow
def test_hidden_sheet_is_read_only_when_it_is_asked_for(tmp_path, build):
    (tmp_path / "soil").mkdir()
    book = openpyxl.Workbook()
    for title, carbon in (("old", 99), ("new", 10)):
        sheet = book.active if title == "old" else book.create_sheet(title)
        sheet.title = title
        sheet.append(HEADER)
        sheet.append([1, 11.5, 48.5, carbon, 2015])
    book["old"].sheet_state = "veryHidden"
    book.active = 1
    book.save(tmp_path / "soil/a.xlsx")
    result = build()
    assert result.samples[["organic_carbon", "file"]].values.tolist() == [[10.0, "a.xlsx"]]
    assert result.rejected[["file", "reason"]].values.tolist() == [["a.xlsx[old]", "hidden"]]
    assert "sheet = 'old'" in result.rejected["detail"].item()
    both = build(tables=(SoilTable(file="a.xlsx", sheet="new"), SoilTable(file="a.xlsx", sheet="old")))
    assert sorted(both.samples["organic_carbon"]) == [10.0, 99.0]


def test_formulas_without_values_are_told_where_they_matter(tmp_path, build):
    write(tmp_path / "soil/good.csv", "lon,lat,OC,year", "11.5,48.5,10,2015")
    workbook(tmp_path / "soil/a.xlsx", HEADER, [1, 11.6, 48.5, "=12.5*1", 2015])
    workbook(tmp_path / "soil/b.xlsx", [*HEADER, "remark"], [1, 11.7, 48.5, 20, 2015, "=A2*2"])
    result = build()
    assert sorted(result.samples["organic_carbon"]) == [10.0, 20.0]
    told = result.rejected.iloc[0]
    assert (told["file"], told["reason"]) == ("a.xlsx", "formulas without values")
    assert "(D2). Open the workbook in Excel or LibreOffice and save it" in told["detail"]


@pytest.mark.slow
def test_merged_cells_say_the_same_in_each(tmp_path, build):
    workbook(
        tmp_path / "soil/a.xlsx",
        ["Organic carbon of Bavaria", None, None, None, None],
        ["id", "place", None, "OC", "year"],
        [None, "longitude", "latitude", None, None],
        [1, 11.5, 48.5, 10, 2015],
        [None, None, None, 20, 2016],
        merged=["A1:E1", "A2:A3", "B2:C2", "D2:D3", "E2:E3", "A4:A5", "B4:B5", "C4:C5"],
    )
    result = build()
    assert result.samples.sort_values("row")[["organic_carbon", "longitude"]].values.tolist() == [
        [10, 11.5],
        [20, 11.5],
    ]
    assert result.tables["header_row"].item() == 3


@pytest.mark.slow
def test_errors_of_workbooks_are_no_numbers_and_macros_no_hindrance(tmp_path, build):
    path = workbook(tmp_path / "soil/a.xlsx", HEADER, [1, 11.5, 48.5, "#DIV/0!", 2015], [2, 11.6, 48.5, 7, 2015])
    path.rename(path.with_suffix(".xlsm"))
    result = build()
    assert result.samples[["organic_carbon", "file"]].values.tolist() == [[7.0, "a.xlsm"]]
    assert result.rejected["detail"].to_list() == ["#DIV/0!"]


@pytest.mark.slow
def test_xls_keeps_blank_names_in_their_places(tmp_path, build):
    write_xls(tmp_path / "soil/a.xls", [["lon", "lat", "", "OC", "date"], [11.5, 48.5, 6.5, 20.0, date(2012, 5, 1)]])
    assert build().samples["organic_carbon"].to_list() == [20.0]


def test_per_cent_and_hidden_rows_of_xls_are_seen(tmp_path, build):
    rows = [["lon", "lat", "OC", "date"], *([11.5 + n / 10, 48.5, 0.021 + n, date(2012, 5, 1)] for n in range(2))]
    write_xls(tmp_path / "soil/a.xls", rows, percent=2, hidden=2)
    result = build()
    assert result.samples["organic_carbon"].to_list() == [21.0]
    assert reasons(result) == {3: "hidden row"}


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".parquet", ".gpkg", ".geojson", ".shp"])
def test_whole_numbers_stored_as_floats_are_whole(tmp_path, build, suffix):
    (tmp_path / "soil").mkdir()
    columns = {"id": [7.0, 8.0, None], "OC": [10.0, 20.0, 30.5], "date": [20150706.0, None, 20150709.0]}
    frame = layer(columns, [11.5, 11.6, 11.7], [48.5] * 3)
    path = tmp_path / f"soil/a{suffix}"
    frame.to_parquet(path) if suffix == ".parquet" else frame.to_file(path)
    result = build()
    assert result.samples.sort_values("row")["survey_date"].to_list() == [
        pd.Timestamp(2015, 7, 6),
        pd.Timestamp(2015, 7, 9),
    ]
    assert reasons(result) == {3: "no date"}


def test_whole_numbers_as_decimals_text_or_beyond_a_float_are_read(tmp_path, build):
    (tmp_path / "soil").mkdir()
    rows = {
        "id": pa.array([2**53 + 1, None], pa.int64()),
        "lon": [11.5, 11.6],
        "lat": [48.5, 48.5],
        "OC": [10.0, 20.0],
        "date": pa.array([Decimal("20150706.00"), Decimal("20150707.00")]),
    }
    pq.write_table(pa.table(rows), tmp_path / "soil/a.parquet")
    write(tmp_path / "soil/b.csv", "id,lon,lat,OC,year,date", "7.0,11.7,48.5,5,2015.00,20150708.0")
    result = build()
    assert sorted(result.samples["survey_date"].dt.day) == [6, 7, 8]


@pytest.mark.slow
def test_days_in_workbooks_are_days_and_dates_in_carbon_are_told(tmp_path, build):
    carbon = datetime(2026, 5, 1)  # 1.5, as a German Excel takes it
    workbook(tmp_path / "soil/a.xlsx", HEADER, [1, 11.5, 48.5, carbon, 2015], [2, 11.6, 48.5, 7, date(2015, 7, 6)])
    result = build()
    assert result.samples["year"].to_list() == [2015]
    assert reasons(result) == {2: "organic carbon not a number"}
