"""Text, workbooks and Parquet as people save them, and files that cannot be read."""

import numpy as np
import pandas as pd
import pytest

from soc_assets.errors import SoilError
from soc_assets_tests.ingest.soil.soil_world import reasons, write


def test_semicolons_bring_decimal_commas_and_the_combined_names(tmp_path, build):
    write(tmp_path / "soil/LfL.csv", "GPS_LONG;GPS_LAT;OC;survey_date;source", "11,5;48,5;17,25;01.09.2015;LfL Bayern")
    sample = build().samples.iloc[0]
    assert (sample["longitude"], sample["latitude"], sample["organic_carbon"]) == (11.5, 48.5, 17.25)
    assert (sample["source"], sample["file"], sample["season"]) == ("LfL Bayern", "LfL.csv", "autumn")


def test_tabs_bom_and_upper_case_suffix_are_read(tmp_path, build):
    write(
        tmp_path / "soil/A.CSV",
        "Longitude\tLatitude\tOC (g/kg)\tDate",
        "11.5\t48.5\t9\t2015-09-01",
        encoding="utf-8-sig",
    )
    assert build().samples["organic_carbon"].to_list() == [9.0]


def test_xlsx_with_excel_dates_numbers_and_text_is_read(tmp_path, build):
    (tmp_path / "soil").mkdir()
    pd.DataFrame(
        {
            "POINTID": [1, 2, 3],
            "TH_LONG": [11.5, 11.6, "11,7"],
            "TH_LAT": [48.5, 48.5, "48,5"],
            "OC": [10.5, "< LOD", "7,5"],
            "SURVEY_DATE": [pd.Timestamp(2018, 7, 6), "06-07-18", "07.07.2018"],
        }
    ).to_excel(tmp_path / "soil/a.xlsx", index=False)
    result = build()
    kept = result.samples.sort_values("row")
    assert kept["organic_carbon"].to_list() == [10.5, 7.5]
    assert kept["survey_date"].dt.day.to_list() == [6, 7]
    assert reasons(result) == {3: "below detection limit"}


def test_further_sheets_of_a_workbook_are_read_and_named(tmp_path, build):
    (tmp_path / "soil").mkdir()
    with pd.ExcelWriter(tmp_path / "soil/a.xlsx") as writer:
        for sheet, longitude in (("2012", 11.5), ("2013", 11.6)):
            frame = pd.DataFrame({"lon": [longitude], "lat": [48.5], "OC": [5], "year": [int(sheet)]})
            frame.to_excel(writer, sheet_name=sheet, index=False)
        pd.DataFrame({"read me": ["about this file"]}).to_excel(writer, sheet_name="info", index=False)
    result = build()
    assert sorted(result.samples["file"]) == ["a.xlsx", "a.xlsx[2013]"]
    assert result.rejected["file"].to_list() == ["a.xlsx[info]"]


def test_parquet_with_dates_is_read_and_nested_columns_are_left(tmp_path, build):
    (tmp_path / "soil").mkdir()
    frame = pd.DataFrame({"lon": [11.5, 11.6], "lat": [48.5, 48.5], "OC": [5.5, np.nan], "tokens": [[1.0], [2.0]]})
    frame["date"] = pd.to_datetime(["2012-01-15", "2013-02-01"])
    frame.to_parquet(tmp_path / "soil/a.parquet")
    result = build()
    assert result.samples[["organic_carbon", "year", "season", "row"]].values.tolist() == [[5.5, 2012, "winter", 2]]
    assert reasons(result) == {3: "organic carbon missing"}


def test_xlsx_with_wrong_columns_is_set_aside_and_the_rest_is_read(tmp_path, build):
    write(tmp_path / "soil/good.csv", "lon,lat,OC,date", "11.5,48.5,10,2012-05-01")
    pd.DataFrame({"Rechtswert": [4468000], "Hochwert": [5333000], "Corg": [1.2]}).to_excel(
        tmp_path / "soil/LfU.xlsx", index=False
    )
    result = build()
    assert len(result.samples) == 1
    refused = result.rejected.iloc[0]
    assert (refused["file"], refused["reason"]) == ("LfU.xlsx", "columns not recognised")
    assert pd.isna(refused["row"])
    for part in ("LfU.xlsx", "Rechtswert, Hochwert, Corg", "th_long", "organic_carbon as oc", "[soil.columns]"):
        assert part in refused["detail"]


def test_only_unusable_files_are_an_error_that_names_each(tmp_path, build):
    write(tmp_path / "soil/a.csv", "x,y,z", "1,2,3")
    (tmp_path / "soil/b.xlsx").write_bytes(b"PK but no workbook")
    (tmp_path / "soil/c.parquet").write_bytes(b"PAR1 no more")
    (tmp_path / "soil/d.csv").write_bytes(b"")
    (tmp_path / "soil/e.gpkg").write_bytes(b"")
    (tmp_path / "soil/f.ods").write_bytes(b"")
    with pytest.raises(SoilError) as error:
        build()
    for part in (
        "a.csv: no column for",
        "Found: x, y, z",
        "b.xlsx: it cannot be read",
        "c.parquet: it cannot be read",
        "d.csv: it is empty",
    ):
        assert part in str(error.value)
    assert "e.gpkg: it cannot be read as gpkg" in str(error.value)
    assert "f.ods: .ods files are not read" in str(error.value)


def test_quotation_mark_never_closed_sets_the_file_aside_instead_of_swallowing_rows(tmp_path, build):
    write(tmp_path / "soil/a.csv", "lon,lat,OC,date", '11.5,48.5,"10,2012-05-01', "11.6,48.5,10,2012-05-01")
    write(tmp_path / "soil/b.csv", "lon,lat,OC,date", "11.5,48.5,10,2012-05-01")
    result = build()
    assert len(result.samples) == 1
    assert "quotation mark" in result.rejected["detail"].item()


def test_hidden_and_temporary_files_are_left_alone(tmp_path, build):
    write(tmp_path / "soil/a.csv", "lon,lat,OC,date", "11.5,48.5,10,2012-05-01")
    write(tmp_path / "soil/~$b.xlsx", "x")
    write(tmp_path / "soil/.c.csv", "x")
    assert build().rejected.empty
