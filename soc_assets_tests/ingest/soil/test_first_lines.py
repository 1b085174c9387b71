"""First lines that are no header, separators, and the setting for the row of names."""

import openpyxl
import pytest

from soc_assets.errors import SoilError
from soc_assets.settings import SoilColumns, SoilTable
from soc_assets_tests.ingest.soil.soil_world import write

TABLE = ("id;longitude;latitude;OC;year", "1;11,5;48,5;12,5;2015")
PIPES = tuple(line.replace(";", "|") for line in TABLE)


@pytest.mark.parametrize(
    ("lines", "row"),
    [
        (("sep=;", *TABLE), 3),
        (('"sep=|"', *PIPES), 3),
        (("Soil data of Bavaria, 2015;;;;", "", *TABLE), 4),
        (("# exported by the laboratory; date: 2016", "# OC in g/kg", *TABLE), 4),
        (("Source;LfU", "Date;2015-07-06", "Depth;0-20", *TABLE), 5),
        (PIPES, 2),
        (("id,longitude,latitude,OC,year", '1,"11,5","48,5","12,5",2015'), 2),
        (tuple(line.replace(";", "\t") for line in TABLE), 2),
    ],
)
def test_table_is_found_below_what_stands_above_it(tmp_path, build, lines, row):
    write(tmp_path / "soil/a.csv", *lines)
    result = build()
    assert result.samples[["longitude", "latitude", "organic_carbon", "row"]].values.tolist() == [
        [11.5, 48.5, 12.5, row]
    ]
    assert result.tables["header_row"].item() == row - 1
    assert result.rejected.empty


@pytest.mark.slow
def test_thousands_in_quotes_are_no_decimal_commas(tmp_path, build):
    write(tmp_path / "soil/a.csv", "lon,lat,OC,year", '11.5,48.5,"1,250",2015', "11.6,48.5,20,2015")
    result = build()
    assert result.samples["organic_carbon"].to_list() == [20.0]
    assert result.rejected["detail"].to_list() == ["1,250"]


def test_row_of_unknown_names_is_named_in_the_message_and_set_by_header_row(tmp_path, build):
    lines = ("Rechts;Hoch;C;Jahr", "m;m;%;", "11,5;48,5;1,25;2015")
    write(tmp_path / "soil/a.csv", "Bodendaten 2015", "", *lines)
    with pytest.raises(SoilError, match=r"Found: Rechts, Hoch, C, Jahr\..*taken from row 3: .* set header_row"):
        build()
    columns = SoilColumns(longitude="Rechts", latitude="Hoch", organic_carbon="C", year="Jahr")
    write(tmp_path / "soil/a.csv", "Rechts;Hoch;C;Jahr", "of the old table", *lines)
    entry = SoilTable(file="a.csv", columns=columns, unit="%", header_row=3)
    assert build(tables=(entry,)).samples["organic_carbon"].to_list() == [12.5]
    with pytest.raises(SoilError, match=r"header_row = 9 of \[\[soil.tables\]\] file = 'a.csv'.*the table has 5 rows"):
        build(tables=(entry.model_copy(update={"header_row": 9}),))


def test_names_of_a_second_table_do_not_swallow_the_first(tmp_path, build):
    rows = (
        "Rechts;Hoch;C;Jahr",
        "4468000,5;5330000,5;1,25;2015",
        "",
        "longitude;latitude;OC;year",
        "11,5;48,5;12,5;2015",
    )
    write(tmp_path / "soil/a.csv", *rows)
    with pytest.raises(SoilError, match="Found: Rechts, Hoch, C, Jahr"):
        build()


@pytest.mark.slow
def test_each_sheet_has_its_own_row_of_names(tmp_path, build):
    (tmp_path / "soil").mkdir()
    book = openpyxl.Workbook()
    for number, title in enumerate(("a", "b")):
        sheet = book.active if number == 0 else book.create_sheet(title)
        sheet.title = title
        for _ in range(number * 2):
            sheet.append(["A title", None])
        sheet.append(["lon", "lat", "OC", "year"])
        sheet.append([11.5 + number / 10, 48.5, 10 + number, 2015])
    book.save(tmp_path / "soil/a.xlsx")
    assert build().tables["header_row"].to_list() == [1, 3]
    entries = (SoilTable(file="a.xlsx", sheet="a"), SoilTable(file="a.xlsx", sheet="b", header_row=3))
    assert sorted(build(tables=entries).samples["organic_carbon"]) == [10.0, 11.0]
