import numpy as np
import pandas as pd
import pytest

from soc_assets.errors import SoilError
from soc_assets.ingest.coverage import rasters_without_samples
from soc_assets.ingest.soil.clean import REJECTED_COLUMNS, SAMPLE_COLUMNS
from soc_assets.settings import SoilColumns
from soc_assets_tests.ingest.soil.soil_world import LUCAS_HEADER, lucas_row, reasons, write


def test_lucas_file_in_latin_1_keeps_rows_and_rejects_lod_by_row(tmp_path, build):
    lines = [
        lucas_row(1, "12.4"),
        lucas_row(2, "< LOD"),
        lucas_row(3, "<0.0"),
        lucas_row(4, ""),
        lucas_row(5, "30.1", date="31-12-18", latitude="48.6"),
        lucas_row(6, "9.9", depth="20-30 cm"),
    ]
    write(tmp_path / "soil/LUCAS_2018.csv", LUCAS_HEADER, *lines, encoding="latin-1")
    result = build()
    kept = result.samples.sort_values("row")
    assert kept["organic_carbon"].to_list() == [12.4, 30.1]
    assert kept["row"].to_list() == [2, 6]
    assert kept["survey_date"].to_list() == [pd.Timestamp(2018, 7, 6), pd.Timestamp(2018, 12, 31)]
    assert kept["season"].to_list() == ["summer", "winter"]
    assert kept["season_year"].to_list() == [2018, 2019]
    assert set(kept["source"]) == {"LUCAS_2018"}
    below = "below detection limit"
    assert reasons(result) == {3: below, 4: below, 5: "organic carbon missing", 7: "depth not topsoil"}
    assert result.rejected["detail"].to_list() == ["< LOD", "<0.0", "", "20-30 cm"]


def test_every_row_is_a_sample_or_rejected_with_one_reason(tmp_path, build):
    write(
        tmp_path / "soil/all.csv",
        "id,longitude,latitude,oc,date,depth",
        "a,11.5,48.5,10,2012-05-01,0-20 cm",
        "b,,48.5,10,2012-05-01,",
        "c,0,0,10,2012-05-01,",
        "d,200,48.5,10,2012-05-01,",
        "e,13.5,48.5,10,2012-05-01,",
        "f,11.5,48.5,,2012-05-01,",
        "g,11.5,48.5,-1,2012-05-01,",
        "h,11.5,48.5,many,2012-05-01,",
        "i,11.5,48.5,< LOD,2012-05-01,",
        "j,11.5,48.5,10,,",
        "k,11.5,48.5,10,2012-05-01,30-60",
        "",
        "l,11.500001,48.5,10.0,01.05.2012,",
        "m,11.5,48.5,11,2012-05-01,0 - 20",
        "n,11.5,48.5,10,2012-05-01,,surplus",
        "o,88.888888,88.888888,10,2012-05-01,",
        "p,11.5,48.5,inf,2012-05-01,",
        "q,11.5,48.5",
    )
    result = build()
    assert list(result.samples.columns) == list(SAMPLE_COLUMNS)
    assert list(result.rejected.columns) == list(REJECTED_COLUMNS)
    assert sorted(result.samples["row"]) == [2, 15]
    assert reasons(result) == {
        3: "no coordinates",
        4: "no coordinates",
        5: "coordinates outside the world",
        6: "outside the rasters",
        7: "organic carbon missing",
        8: "organic carbon negative",
        9: "organic carbon not a number",
        10: "below detection limit",
        11: "no date",
        12: "depth not topsoil",
        14: "duplicate",
        16: "fields do not match the header",
        17: "outside the rasters",
        18: "organic carbon not a number",
        19: "organic carbon missing",
    }
    assert sorted([*result.samples["row"], *result.rejected["row"]]) == [*range(2, 13), *range(14, 20)]
    details = dict(zip(result.rejected["row"], result.rejected["detail"], strict=True))
    assert (details[9], details[14]) == ("many", "the same as all.csv row 2")


def test_static_bands_need_no_date(tmp_path, build):
    write(tmp_path / "soil/a.csv", "id,lon,lat,OC_g_kg", "a,11.5,48.5,10")
    sample = build(timed=False).samples.iloc[0]
    assert pd.isna(sample["survey_date"])
    assert pd.isna(sample["year"])


def test_year_alone_is_enough_for_yearly_bands_and_not_for_seasonal_ones(tmp_path, build):
    write(tmp_path / "soil/a.csv", "lon,lat,OC,year", "11.5,48.5,10,2012", "11.6,48.5,10,2013")
    assert build().samples["year"].sort_values().to_list() == [2012, 2013]
    with pytest.raises(SoilError, match=r"2 no date .*'2012'"):
        build(seasonal=True)


def test_half_of_a_stated_limit_is_taken_when_asked_for(tmp_path, build):
    write(
        tmp_path / "soil/a.csv",
        "lon,lat,OC,date",
        *(f"11.5,48.{n}1,{oc},2012-05-01" for n, oc in enumerate(["< 2.0", "< LOD", "<0.0"])),
    )
    result = build(below_detection="half_limit")
    assert result.samples["organic_carbon"].to_list() == [1.0]
    assert reasons(result) == {3: "below detection limit", 4: "below detection limit"}


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
        "b.xlsx: it is no",
        "c.parquet: it is no",
        "d.csv: it is empty",
    ):
        assert part in str(error.value)
    assert "e.gpkg: it cannot be read as gpkg" in str(error.value)
    assert "f.ods: .ods files are not read" in str(error.value)


def test_mapped_columns_are_used_and_other_files_keep_their_usual_names(tmp_path, build):
    write(tmp_path / "soil/a.csv", "Profil,Laenge,Breite,Corg,Tag", "p1,11.5,48.5,10,2012-05-01")
    write(tmp_path / "soil/b.csv", LUCAS_HEADER, lucas_row(1, "12.4"))
    mapped = SoilColumns(id="Profil", longitude="laenge", latitude="Breite", organic_carbon="Corg", survey_date="Tag")
    assert sorted(build(columns=mapped).samples["organic_carbon"]) == [10.0, 12.4]


def test_mapped_name_that_no_file_has_is_an_error_with_the_nearest(tmp_path, build):
    write(tmp_path / "soil/a.csv", "lon,lat,OC,date,Corg", "11.5,48.5,10,2012-05-01,9")
    with pytest.raises(SoilError, match=r"organic_carbon = 'Crog'.*Nearest: Corg"):
        build(columns=SoilColumns(organic_carbon="Crog"))


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


def test_missing_and_empty_folders_are_named(tmp_path, build):
    with pytest.raises(SoilError, match=r"soil does not exist.*\[paths\] soil"):
        build()
    write(tmp_path / "soil/notes.txt", "hello")
    with pytest.raises(SoilError, match=r"holds no \*\.csv.*notes\.txt"):
        build()


def test_header_without_rows_is_an_error(tmp_path, build):
    write(tmp_path / "soil/a.csv", "lon,lat,OC,date")
    with pytest.raises(SoilError, match="no rows"):
        build()


def test_no_sample_left_counts_reasons_and_shows_both_extents(tmp_path, build):
    write(tmp_path / "soil/a.csv", "lat,lon,OC,date", "11.5,48.5,10,2012-05-01", "11.6,48.75,10,2012-05-01", "0,0,1,")
    with pytest.raises(SoilError) as error:
        build()
    for part in (
        "2 outside the rasters (first: a.csv row 2: '48.5, 11.5')",
        "1 no coordinates",
        "rasters cover longitude 11.0000 to 12.0000, latitude 48.0000 to 49.0000",
        "longitude 48.5000 to 48.7500, latitude 11.5000 to 11.6000",
        "not exchanged",
    ):
        assert part in str(error.value)


ROWS = [
    "a,11.51,48.5,10,2012-05-01",
    "b,11.52,48.5,11,2012-05-02",
    "b,11.52,48.5,12,2013-05-02",
    "c,11.53,48.5,13,",
    ",11.54,48.5,14,2012",
    "z,11.51,48.5,10,2012-05-01",
]


def test_sample_ids_are_unique_and_independent_of_row_order(tmp_path, build):
    header = "id,lon,lat,OC,date"
    write(tmp_path / "soil/a.csv", header, *ROWS)
    first = build(timed=False).samples
    write(tmp_path / "soil/a.csv", header, *reversed(ROWS))
    second = build(timed=False).samples
    assert first["sample_id"].is_unique
    assert first["sample_id"].str.fullmatch("s[0-9a-f]{12}").all()
    pd.testing.assert_frame_equal(first.drop(columns="row"), second.drop(columns="row"))
    assert len(first) == 5


def test_sample_id_never_depends_on_organic_carbon(tmp_path, build):
    def identities(*lines: str) -> dict[int, str]:
        write(tmp_path / "soil/a.csv", "id,lon,lat,OC,date", *lines)
        samples = build().samples
        return dict(zip(samples["row"], samples["sample_id"], strict=True))

    before = identities("a,11.5,48.5,10,2012-05-01", "a,11.5,48.5,< LOD,2012-05-01", "a,11.5,48.5,12,2012-05-01")
    after = identities("a,11.5,48.5,99,2012-05-01", "a,11.5,48.5,3.1,2012-05-01", "a,11.5,48.5,12,2012-05-01")
    assert before == {row: after[row] for row in (2, 4)}
    assert len(set(after.values())) == 3


def test_sample_id_is_the_same_on_every_machine(tmp_path, build):
    write(tmp_path / "soil/a.csv", "id,lon,lat,OC,date", "a,11.5,48.5,10,2012-05-01")
    assert build().samples["sample_id"].item() == "se86881091704"


def test_raster_that_overlaps_no_sample_is_found():
    place = {"year": 2020, "season": None, "crs": "EPSG:4326", "height": 10, "width": 10}
    catalog = pd.DataFrame(
        [
            {"path": "here.tif", "band": "A", "transform": [0.1, 0, 11, 0, -0.1, 49], **place},
            {"path": "elsewhere.tif", "band": "B", "transform": [0.1, 0, 13, 0, -0.1, 49], **place},
            {
                "path": "utm.tif",
                "band": "C",
                "transform": [1000, 0, 680000, 0, -1000, 5380000],
                **place,
                "crs": "EPSG:32632",
            },
        ]
    )
    samples = pd.DataFrame({"longitude": [11.5], "latitude": [48.5]})
    assert rasters_without_samples(catalog, samples) == ["elsewhere.tif"]
