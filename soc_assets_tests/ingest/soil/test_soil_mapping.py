"""Tables that soc.toml explains: names, CRS, units, decimal signs, dates, depths."""

import math
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from soc_assets.errors import SoilError
from soc_assets.settings import SoilColumns, SoilTable
from soc_assets_tests.ingest.soil.soil_world import reasons, write

LFU = SoilColumns(
    id="Profil", longitude="Rechtswert", latitude="Hochwert", organic_carbon="Humus [%]", survey_date="Entnahme"
)


def inverse_mercator(east: float, y: float, a: float, f: float, meridian: float) -> tuple[float, float]:
    """Longitude and latitude (radians) from metres east of a meridian, by textbook."""
    e2 = f * (2 - f)
    ep2, e1 = e2 / (1 - e2), (1 - math.sqrt(1 - e2)) / (1 + math.sqrt(1 - e2))
    mu = y / (a * (1 - e2 / 4 - 3 * e2**2 / 64 - 5 * e2**3 / 256))
    foot = mu + (1.5 * e1 - 27 * e1**3 / 32) * math.sin(2 * mu) + (21 * e1**2 / 16) * math.sin(4 * mu)
    foot += (151 * e1**3 / 96) * math.sin(6 * mu)
    c, t = ep2 * math.cos(foot) ** 2, math.tan(foot) ** 2
    n = a / math.sqrt(1 - e2 * math.sin(foot) ** 2)
    r, d = n * (1 - e2) / (1 - e2 * math.sin(foot) ** 2), east / n
    fourth = (5 + 3 * t + 10 * c - 4 * c**2 - 9 * ep2) * d**4 / 24
    sixth = (61 + 90 * t + 298 * c + 45 * t**2 - 252 * ep2 - 3 * c**2) * d**6 / 720
    fifth = (5 - 2 * c + 28 * t - 3 * c**2 + 8 * ep2 + 24 * t**2) * d**5 / 120
    phi = foot - n * math.tan(foot) / r * (d**2 / 2 - fourth + sixth)
    return math.radians(meridian) + (d - (1 + 2 * t + c) * d**3 / 6 + fifth) / math.cos(foot), phi


def utm_to_wgs84(x: float, y: float, zone: int) -> tuple[float, float]:
    lam, phi = inverse_mercator((x - 5e5) / 0.9996, y / 0.9996, 6378137.0, 1 / 298.257222101, 6 * zone - 183)
    return math.degrees(lam), math.degrees(phi)


def gauss_krueger_to_wgs84(x: float, y: float, zone: int) -> tuple[float, float]:
    """Longitude and latitude by textbook: Bessel's ellipsoid, then the seven parameters from DHDN (EPSG:1777)."""
    a, f = 6377397.155, 1 / 299.1528128
    lam, phi = inverse_mercator(x - zone * 1e6 - 5e5, y, a, f, 3 * zone)
    n = a / math.sqrt(1 - f * (2 - f) * math.sin(phi) ** 2)
    before = np.array([math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), (1 - f) ** 2 * math.sin(phi)]) * n
    rx, ry, rz = np.radians(np.array([0.202, 0.045, -2.455]) / 3600)
    turned = np.array([[1, -rz, ry], [rz, 1, -rx], [-ry, rx, 1]]) @ before
    after_x, after_y, after_z = np.array([598.1, 73.7, 418.2]) + (1 + 6.7e-6) * turned
    a, f = 6378137.0, 1 / 298.257223563
    across, phi = math.hypot(after_x, after_y), math.atan2(after_z, math.hypot(after_x, after_y))
    for _ in range(6):
        n = a / math.sqrt(1 - f * (2 - f) * math.sin(phi) ** 2)
        phi = math.atan2(after_z + f * (2 - f) * n * math.sin(phi), across)
    return math.degrees(math.atan2(after_y, after_x)), math.degrees(phi)


def metres_apart(sample: pd.Series, longitude: float, latitude: float) -> float:
    across = (sample["longitude"] - longitude) * 111_320 * math.cos(math.radians(latitude))
    return math.hypot(across, (sample["latitude"] - latitude) * 111_200)


def test_lfu_table_with_decimal_commas_gauss_krueger_and_organic_matter(tmp_path, build):
    write(
        tmp_path / "soil/LfU_Boden.csv",
        "Profil;Rechtswert;Hochwert;Humus [%];Entnahme",
        "M1;4468000,0;5330000,0;3,448;15.04.2012",
        "M2;4.470.000;5.331.000;< 0,2;16.04.2012",
        encoding="cp1252",
    )
    entry = SoilTable(
        file="LfU*.csv",
        columns=LFU,
        crs="EPSG:31468",
        unit="organic_matter_%",
        source="LfU",
        below_detection="half_limit",
    )
    result = build(tables=(entry,))
    first, second = (row for _, row in result.samples.sort_values("row").iterrows())
    assert metres_apart(first, *gauss_krueger_to_wgs84(4468000, 5330000, 4)) < 3
    assert metres_apart(second, *gauss_krueger_to_wgs84(4470000, 5331000, 4)) < 3
    assert first["organic_carbon"] == pytest.approx(20.0)
    assert second["organic_carbon"] == pytest.approx(0.1 * 10 / 1.724)
    assert (first["source"], first["survey_date"]) == ("LfU", pd.Timestamp(2012, 4, 15))
    told = result.tables.iloc[0]
    assert (told["unit"], told["crs"]) == ("organic_matter_%", "DHDN / 3-degree Gauss-Kruger zone 4")
    assert told["settings"] == "[[soil.tables]] file = 'LfU*.csv'"


def test_utm_coordinates_are_read_to_a_centimetre(tmp_path, build):
    write(tmp_path / "soil/a.csv", "x,y,OC,year", "691000.25,5334000.5,2,2012")
    columns = SoilColumns(longitude="x", latitude="y")
    sample = build(tables=(SoilTable(file="a.csv", columns=columns, crs="EPSG:25832"),)).samples.iloc[0]
    assert metres_apart(sample, *utm_to_wgs84(691000.25, 5334000.5, 32)) < 0.01


@pytest.mark.parametrize(
    ("place", "crs", "advice"),
    [
        ("4468000,5330000", None, 'crs = "EPSG:31468"'),
        ("691000,5334000", None, 'crs = "EPSG:25832"'),
        ("32691000,5334000", None, 'crs = "EPSG:4647"'),
        ("4410000,2790000", None, 'crs = "EPSG:3035"'),
        (
            "5330000,4468000",
            None,
            'with x and y exchanged: longitude and latitude name the columns, crs = "EPSG:31468"',
        ),
        ("691000,5334000", "EPSG:31468", 'crs = "EPSG:25832"'),
        ("4468000,5330000", "EPSG:25832", 'crs = "EPSG:31468"'),
        ("11.5,48.5", "EPSG:25832", "set crs of the file"),
    ],
)
def test_coordinates_that_do_not_fit_the_crs_are_rejected_with_the_crs_that_would(tmp_path, build, place, crs, advice):
    write(tmp_path / "soil/good.csv", "lon,lat,OC,year", "11.5,48.5,10,2012")
    write(tmp_path / "soil/a.csv", "lon,lat,OC,year", f"{place},10,2012")
    result = build(tables=(SoilTable(file="a.csv", crs=crs),))
    assert len(result.samples) == 1
    rejected = result.rejected.iloc[0]
    assert rejected["reason"] == ("coordinates outside the CRS" if crs else "coordinates outside the world")
    assert advice in rejected["detail"]
    assert rejected["detail"].startswith(place.replace(",", ", "))


@pytest.mark.parametrize(
    ("unit", "written", "g_per_kg"),
    [
        ("g/kg", "17.2", 17.2),
        ("%", "1.72", 17.2),
        ("organic_matter_%", "1.724", 10.0),
        ("organic_matter_g/kg", "17.24", 10.0),
        ("%", "< 0.1", 0.5),
    ],
)
def test_units_become_grams_per_kilogram(tmp_path, build, unit, written, g_per_kg):
    write(tmp_path / "soil/a.csv", "lon,lat,OC,year", f"11.5,48.5,{written},2012")
    result = build(tables=(SoilTable(file="a.csv", unit=unit),), below_detection="half_limit")
    assert result.samples["organic_carbon"].to_list() == [g_per_kg]


def test_per_cent_and_grams_of_one_measurement_are_duplicates(tmp_path, build):
    write(tmp_path / "soil/a.csv", "lon,lat,OC,date", "11.5,48.5,11.3,2012-05-01")
    write(tmp_path / "soil/b.csv", "lon,lat,OC,date", "11.5,48.5,1.13,01.05.2012")
    result = build(tables=(SoilTable(file="b.csv", unit="%"),))
    assert result.rejected["detail"].to_list() == ["the same as a.csv row 2"]


def test_first_entry_that_fits_counts_and_soil_columns_serve_the_other_files(tmp_path, build):
    for name in ("LfL_2012", "LfL_other", "more"):
        write(tmp_path / f"soil/{name}.csv", "lon,lat,Corg,OC", f"11.{len(name)},48.5,4,5")
    entries = (
        SoilTable(file="lfl_2012.csv", columns=SoilColumns(organic_carbon="Corg"), year=2012, unit="%"),
        SoilTable(file="LfL*", columns=SoilColumns(organic_carbon="Corg"), year=2013),
    )
    kept = build(tables=entries, columns=SoilColumns(organic_carbon="OC"), timed=False).samples.set_index("file")
    assert kept["organic_carbon"].to_dict() == {"LfL_2012.csv": 40.0, "LfL_other.csv": 4.0, "more.csv": 5.0}
    assert kept["year"].dropna().to_dict() == {"LfL_2012.csv": 2012, "LfL_other.csv": 2013}


def test_entry_that_fits_no_file_is_an_error_with_the_nearest(tmp_path, build):
    write(tmp_path / "soil/LfU_Boden.csv", "lon,lat,OC,year", "11.5,48.5,4,2012")
    with pytest.raises(SoilError, match=r"file = 'LFU_Bodn\.csv'.*Nearest: LfU_Boden\.csv"):
        build(tables=(SoilTable(file="LFU_Bodn.csv"),))


def test_column_that_an_entry_names_and_the_file_lacks_sets_the_file_aside(tmp_path, build):
    write(tmp_path / "soil/good.csv", "lon,lat,OC,year", "11.5,48.5,10,2012")
    write(tmp_path / "soil/a.csv", "lon,lat,Corg,OC,year", "11.5,48.5,10,9,2012")
    result = build(tables=(SoilTable(file="a.csv", columns=SoilColumns(organic_carbon="Crog")),))
    assert result.samples["file"].to_list() == ["good.csv"]
    assert "organic_carbon = 'Crog'" in result.rejected["detail"].item()
    assert "Nearest: Corg" in result.rejected["detail"].item()


def test_sheets_have_entries_of_their_own(tmp_path, build):
    (tmp_path / "soil").mkdir()
    with pd.ExcelWriter(tmp_path / "soil/LfU.xlsx") as writer:
        for sheet, longitude in (("info", 11.1), ("A", 11.2), ("B", 11.3)):
            frame = pd.DataFrame({"lon": [longitude], "lat": [48.5], "OC": [5]})
            frame.to_excel(writer, sheet_name=sheet, index=False)
    entries = (
        SoilTable(file="LfU.xlsx", sheet="A", year=2012),
        SoilTable(file="LfU.xlsx", sheet="B", year=2013, unit="%"),
    )
    result = build(tables=entries)
    kept = result.samples.set_index("file")
    assert kept["organic_carbon"].to_dict() == {"LfU.xlsx[A]": 5.0, "LfU.xlsx[B]": 50.0}
    assert result.rejected[["file", "reason"]].values.tolist() == [["LfU.xlsx", "sheet not asked for"]]
    with pytest.raises(SoilError, match=r"asks for its sheet or layer 'C'. It has info, A, B"):
        build(tables=(SoilTable(file="LfU.xlsx", sheet="C"),))


def test_encoding_separator_and_decimal_sign_are_as_told(tmp_path, build):
    write(tmp_path / "soil/a.csv", "Länge|lat|OC|year", "11,5|48,5|1.234,5|2012", encoding="cp850")
    columns = SoilColumns(longitude="Länge")
    table = SoilTable(file="a.csv", columns=columns, encoding="cp850", separator="|", decimal=",")
    sample = build(tables=(table,)).samples.iloc[0]
    assert (sample["longitude"], sample["organic_carbon"]) == (11.5, 1234.5)
    with pytest.raises(SoilError, match="encoding 'cp999'"):
        build(tables=(SoilTable(file="a.csv", encoding="cp999"),))


def test_points_are_no_decimal_commas_when_told(tmp_path, build):
    write(tmp_path / "soil/a.csv", "lon;lat;OC;year", "11.5;48.5;1,5;2012", "11.6;48.5;1.5;2012")
    result = build(tables=(SoilTable(file="a.csv", decimal="."),))
    assert reasons(result) == {2: "organic carbon not a number"}


def test_date_format_is_the_only_one_read_and_month_first_is_possible(tmp_path, build):
    write(tmp_path / "soil/a.csv", "lon,lat,OC,date", "11.5,48.5,1,07/06/2018", "11.6,48.5,2,2018-07-06")
    result = build(tables=(SoilTable(file="a.csv", date_format="%m/%d/%Y"),))
    assert result.samples["survey_date"].to_list() == [pd.Timestamp(2018, 7, 6)]
    assert reasons(result) == {3: "no date"}


def test_date_format_without_a_month_gives_the_year_and_no_season(tmp_path, build):
    write(tmp_path / "soil/a.csv", "lon,lat,OC,date", "11.5,48.5,1,Kampagne 2018")
    sample = build(tables=(SoilTable(file="a.csv", date_format="Kampagne %Y"),)).samples.iloc[0]
    assert sample["year"] == 2018
    assert pd.isna(sample["survey_date"])
    assert pd.isna(sample["season"])


def test_wrong_crs_and_date_format_are_told_with_their_setting(tmp_path, build):
    write(tmp_path / "soil/a.csv", "lon,lat,OC,date", "11.5,48.5,1,2018-07-06")
    with pytest.raises(SoilError, match=r"crs = 'EPSG:99999' of \[\[soil.tables\]\] file = 'a.csv'.*EPSG:31468"):
        build(tables=(SoilTable(file="a.csv", crs="EPSG:99999"),))
    with pytest.raises(SoilError, match=r"date_format = '%Q'"):
        build(tables=(SoilTable(file="a.csv", date_format="%Q"),))


DEPTHS = ["0-20 cm", "0 - 20", "0–20cm", "0-0.2 m", "0-30 cm", "20-30 cm", "0-10", "", "5-20", "Oberboden"]


@pytest.mark.parametrize(
    ("depth", "kept"),
    [
        ("0-20", [0, 1, 2, 3, 7]),
        ("0-30", [4, 7]),
        ("topsoil", [0, 1, 2, 3, 4, 6, 7]),
        ("any", list(range(10))),
    ],
)
def test_depths_are_kept_as_told_and_the_others_rejected_with_what_was_found(tmp_path, build, depth, kept):
    lines = [f"11.{n}1,48.5,{n + 1},2012,{text}" for n, text in enumerate(DEPTHS)]
    write(tmp_path / "soil/a.csv", "lon,lat,OC,year,Depth", *lines)
    result = build(depth=depth)
    assert sorted(result.samples["organic_carbon"] - 1) == kept
    reasons_told = dict(zip(result.rejected["detail"], result.rejected["reason"], strict=True))
    assert reasons_told.pop("Oberboden", "depth not understood") == "depth not understood"
    assert {*reasons_told.values()} <= {"depth not topsoil"}
    assert result.rejected["detail"].to_list() == [text for n, text in enumerate(DEPTHS) if n not in kept]


def test_depth_in_two_columns_and_per_table(tmp_path, build):
    lines = [f"11.{n}1;48,5;{n + 1};2012;{span}" for n, span in enumerate(["0;20", "0;15", "20;40", "0;", ";"])]
    write(tmp_path / "soil/a.csv", "lon;lat;OC;year;von;bis", *lines)
    columns = SoilColumns(depth_upper="von", depth_lower="bis")
    result = build(tables=(SoilTable(file="a.csv", columns=columns),))
    assert sorted(result.samples["organic_carbon"]) == [1.0, 4.0, 5.0]
    assert result.rejected["detail"].to_list() == ["0-15", "20-40"]
    own = build(tables=(SoilTable(file="a.csv", columns=columns, depth="0-15"),))
    assert sorted(own.samples["organic_carbon"]) == [2.0, 4.0, 5.0]


def test_the_documented_lfu_workbook_gives_the_documented_numbers(tmp_path, build):
    manual = (Path(__file__).parents[3] / "docs/soil.md").read_text(encoding="utf-8")
    lines = manual[manual.index("| Profil |") :].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:4]]
    (tmp_path / "soil").mkdir()
    pd.DataFrame(cells[2:], columns=cells[0]).to_excel(tmp_path / "soil/LfU_Boden.xlsx", index=False)
    toml = manual[manual.index("```toml") + 7 :].split("```")[0]
    entry = SoilTable(**tomllib.loads(toml)["soil"]["tables"][0])
    kept = build(tables=(entry,)).samples.sort_values("row")
    assert kept["organic_carbon"].round(2).to_list() == [20.0, 0.58]
    assert (round(kept["longitude"].iloc[0], 4), round(kept["latitude"].iloc[0], 4)) == (11.5689, 48.1072)
    with pytest.raises(SoilError, match=r"2 depth not topsoil \(first: LfU_Boden\.xlsx row 2: '0-15'\)"):
        build(tables=(entry.model_copy(update={"depth": None}),))
