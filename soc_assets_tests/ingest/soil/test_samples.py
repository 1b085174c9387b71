"""Rows of soil tables: which become samples, which are rejected and why."""

import pandas as pd
import pytest

from soc_assets.errors import SoilError
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


def test_mapped_columns_are_used_and_other_files_keep_their_usual_names(tmp_path, build):
    write(tmp_path / "soil/a.csv", "Profil,Laenge,Breite,Corg,Tag", "p1,11.5,48.5,10,2012-05-01")
    write(tmp_path / "soil/b.csv", LUCAS_HEADER, lucas_row(1, "12.4"))
    mapped = SoilColumns(id="Profil", longitude="laenge", latitude="Breite", organic_carbon="Corg", survey_date="Tag")
    assert sorted(build(columns=mapped).samples["organic_carbon"]) == [10.0, 12.4]


def test_mapped_name_that_no_file_has_is_an_error_with_the_nearest(tmp_path, build):
    write(tmp_path / "soil/a.csv", "lon,lat,OC,date,Corg", "11.5,48.5,10,2012-05-01,9")
    with pytest.raises(SoilError, match=r"organic_carbon = 'Crog'.*Nearest: Corg"):
        build(columns=SoilColumns(organic_carbon="Crog"))


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
